/* What the fuzz targets share. A target is one file target_NOUN.c that defines fuzz_one; libFuzzer calls it with made-up bytes, replay_main.c with the
 * checked-in ones. A broken promise ends the process with words, as a sanitizer's finding does. */
#ifndef BRIDGE_TESTS_FUZZ_H
#define BRIDGE_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/utf8.h"

/* n bytes, an allocation of its own, so that a sanitizer sees one byte too many. */
void fuzz_one(const uint8_t *p, size_t n);

#define FUZZ_CHECK(condition, words)                                                               \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, words);       \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Words go into logs, headers and records: there are some, and they are text. */
static inline bool fuzz_words(const struct err *e)
{
    size_t n = strlen(e->text);
    return n > 0 && utf8_check(e->text, n) == n;
}

#endif
