/* Text of a manual page in mdoc(7). Pure but for the buffer. */
#ifndef BRIDGE_BASE_ROFF_H
#define BRIDGE_BASE_ROFF_H

#include "common/base/buf.h"

/* n bytes of words as text lines: escaped, each sentence on a line of its own, long lines broken at blanks. Line feeds count as blanks. */
void roff_text(struct buf *out, const char *words, size_t n);
/* Words as the arguments of a macro, on its line: nothing in them is read as a macro. */
void roff_arguments(struct buf *out, const char *words);
/* The paragraphs of a text, which an empty line separates there and the macro Pp here; none before the first. */
void roff_paragraphs(struct buf *out, const char *text);

#endif
