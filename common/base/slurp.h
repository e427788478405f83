/* A whole file into memory. Pure but for the file. */
#ifndef BRIDGE_BASE_SLURP_H
#define BRIDGE_BASE_SLURP_H

#include <stddef.h>
#include <sys/stat.h>

#include "common/base/buf.h"
#include "common/base/err.h"

/* Appends the bytes of a file, at most max. status: filled in; NULL: not wanted. RC_REJECT: words, which name no content. */
enum rc slurp_file(const char *file, size_t max, struct buf *out, struct stat *status, struct err *e);

#endif
