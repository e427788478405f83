/* What --help and the man page both say. Pure but for the buffer. */
#ifndef BRIDGE_PROGRAM_PROGRAM_WORDS_H
#define BRIDGE_PROGRAM_PROGRAM_WORDS_H

#include "common/program/program.h"

/* What SIGHUP takes over of this program's settings. */
void program_words_reload(const struct program_desc *d, struct buf *out);

struct program_exit {
    int code;
    const char *words;
};
/* What each exit code means, program_exits(d) rows of them. */
extern const struct program_exit program_exit_codes[];
size_t program_exits(const struct program_desc *d);

#endif
