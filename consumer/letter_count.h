/* How many dead letters there are, by the program that wrote them and by reason code: from headers alone, no content. Bounded: LETTER_KINDS_MAX kinds, the rest is one
 * more. Thread rule: the loop's thread. */
#ifndef BRIDGE_CONSUMER_LETTER_COUNT_H
#define BRIDGE_CONSUMER_LETTER_COUNT_H

#include "common/kafka/kafka_record.h"
#include "common/program/program.h"

enum { LETTER_KINDS_MAX = 24 };

struct letter_kind {
    char program[32]; /* "erp-consumer" */
    char code[40];    /* header reason-code; without one the kind of letter: "xsale-order", "outcome" */
    uint64_t n;
    int64_t newest;   /* ms since 1970, broker's time */
};

struct letter_kinds {
    struct letter_kind all[LETTER_KINDS_MAX]; /* n; the last of a full list counts every further kind as "other" */
    size_t n;
    uint64_t total;
};

void letter_kinds_add(struct letter_kinds *k, const struct kafka_record *r);

struct letter_count;
/* Once, not from inside create. words: "" : k (borrowed) is whole; else why not. */
typedef void letter_count_fn(void *arg, const struct letter_kinds *k, const char *words);
/* Of letters since a moment; from: ms since 1970, SCAN_TIME_BEGINNING. */
enum rc letter_count_create(struct program *p, int64_t from, letter_count_fn *done, void *arg, struct letter_count **out, struct err *e);
void letter_count_destroy(struct letter_count *c); /* not from inside done; NULL is a no-op */

#endif
