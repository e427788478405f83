/* A refusal's text as one line, whoever wrote it: what the operator reads. Pure. */
#ifndef BRIDGE_PRODUCER_REASON_LINE_H
#define BRIDGE_PRODUCER_REASON_LINE_H

enum { REASON_LINE_BYTES = 2001 };

/* Valid UTF-8 in. Control characters, line and paragraph separators and runs of blanks become single blanks; at most REASON_LINE_BYTES - 1 bytes, cut at a character.
 * NULL: there is no text, or nothing to see in it. */
const char *reason_line(const char *text, char out[REASON_LINE_BYTES]);

#endif
