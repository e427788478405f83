/* What the tests of the order book share. */
#ifndef BRIDGE_UNIT_BOOK_BENCH_H
#define BRIDGE_UNIT_BOOK_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "producer/order_book.h"

enum { SCHEMA_ID = 7, MINUTE = 60 * 1000, DAY = 86400 * 1000 };

static inline struct order_book *book_new(void)
{
    struct order_book *b = order_book_create(3 * (int64_t)DAY);
    assert_non_null(b);
    return b;
}

static inline struct warehouse_set set_of(const char *list)
{
    struct warehouse_set s = {.n = 0};
    if (*list != '\0')
        assert_int_equal(warehouse_set_parse(&s, list, strlen(list), NULL), RC_OK);
    return s;
}

static inline const char *list_of(const struct warehouse_set *s)
{
    static char text[5000];
    struct buf b;
    buf_init(&b, sizeof text);
    warehouse_set_print(s, &b);
    snprintf(text, sizeof text, "%s", buf_text(&b));
    buf_release(&b);
    return text;
}

static int64_t steady_ahead; /* of the wall clock */

/* See an order, and publish it when the book says so. */
static inline enum order_book_action show(struct order_book *b, int64_t id, uint64_t revision, const char *warehouses, int64_t now,
                                   struct order_book_offer *offer)
{
    struct warehouse_set own = set_of(warehouses);
    struct order_book_seen seen = {.order_id = id, .revision = revision, .schema_id = SCHEMA_ID, .warehouses = &own, .steady_ms = now + steady_ahead};
    enum order_book_action action = order_book_see(b, &seen, now, offer);
    if (action == ORDER_PUBLISH) {
        assert_int_equal(order_book_offered(b, &seen, offer, now), RC_OK);
        order_book_published(b, id);
    }
    return action;
}

/* Takes every note; returns how many, the last one in state. */
static inline size_t notes(struct order_book *b, struct order_state *state, bool *forgotten)
{
    struct order_state s;
    bool f;
    size_t n = 0;
    *state = (struct order_state){.order_id = 0};
    *forgotten = false;
    while (order_book_note(b, &s, &f)) {
        *state = s;
        *forgotten = f;
        order_book_note_taken(b);
        n++;
    }
    return n;
}

static inline void row(struct order_book *b, int64_t id, int64_t publication, bool closed, bool complete, int64_t offset)
{
    struct ledger_row r = {.order_id = id, .revision = "0000000000000001", .publication = publication, .round = publication, .closed = closed,
                           .complete = complete, .wanted = LEDGER_IMPORTED, .status_set = LEDGER_IMPORTED};
    r.warehouses = set_of("A");
    assert_int_equal(order_book_ledger(b, &r, 0, offset), RC_OK);
}

#endif
