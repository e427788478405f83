/* What the fuzz targets share. A target is one file target_NOUN.c that defines fuzz_one; libFuzzer calls it with made-up bytes, replay_main.c with the
 * checked-in ones. A broken promise ends the process with words, as a sanitizer's finding does. */
#ifndef BRIDGE_TESTS_FUZZ_H
#define BRIDGE_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* n bytes, an allocation of its own, so that a sanitizer sees one byte too many. */
void fuzz_one(const uint8_t *p, size_t n);

#define FUZZ_CHECK(condition, words)                                                               \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, words);       \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
