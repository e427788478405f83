/* What the build asks a program for, so that its pages come from the tables that drive it: PROGRAM --document KIND FILE [DATE]. Not for users: no help names it. */
#ifndef BRIDGE_PROGRAM_PROGRAM_DOCUMENT_H
#define BRIDGE_PROGRAM_PROGRAM_DOCUMENT_H

#include "common/program/program.h"

/* Is it such a call? */
bool program_document_asked(int argc, char **argv);
/* Writes FILE. KIND: man (DATE as "November 27, 2026") or completion. Returns the exit code. */
int program_document(const struct program_desc *d, int argc, char **argv);
/* Writes a finished text to a file; complains on standard error in the name of `who`. Returns the exit code. */
int program_document_write(const char *who, const char *path, struct buf *text);

#endif
