/* What a command has to say in the end. */
#ifndef BRIDGE_CONSUMER_REPORT_H
#define BRIDGE_CONSUMER_REPORT_H

#include "common/base/buf.h"
#include "common/program/program.h"

enum { REPORT_MAX = 64 * 1024 * 1024 };

/* Prints all of it on standard output, releases it, and ends the program with this code; with 1 and a word where it cannot be printed. */
void report_end(struct program *p, struct buf *out, int code);

#endif
