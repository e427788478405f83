/* What the producer writes to Kafka: orders with their headers, notes in order-state, REJECTED outcomes, dead letters. Topics, schema ids and headers in one
 * place. Everything sent is a flight: its owner hears of it when the broker has acknowledged all its records. Thread rule: the loop's thread. */
#ifndef BRIDGE_PRODUCER_ORDER_WRITER_H
#define BRIDGE_PRODUCER_ORDER_WRITER_H

#include <stdbool.h>

#include "common/base/clock.h"
#include "common/base/config.h"
#include "common/base/log.h"
#include "common/contract/order_encoder.h"
#include "common/contract/order_state.h"
#include "common/kafka/publisher.h"
#include "producer/order_book.h"

struct order_writer;

struct order_writer_needs { /* borrowed while it lives */
    const struct config *config;
    struct log *log;
    const struct clock *clock;
    struct publisher *publisher;
    const char *organization;
    const struct schema *order_schema;
    int32_t order_schema_id, outcome_schema_id, state_schema_id;
};

enum flight_end {
    FLIGHT_DONE,    /* everything is acknowledged */
    FLIGHT_REFUSED  /* the broker will never take the record; words */
};

struct flight_report {
    enum flight_end end;
    int64_t order_id; /* 0: an order without usable id */
    bool note;        /* a note in order-state; else an order or its rejection */
    bool bare;        /* a small record of ours, without the order's bytes */
    const char *words;
};
typedef void flight_fn(void *arg, const struct flight_report *report);

/* NULL: out of memory. */
struct order_writer *order_writer_create(const struct order_writer_needs *needs);
/* Who hears of the flights. */
void order_writer_on_landed(struct order_writer *w, flight_fn *landed, void *arg);
/* After publisher_destroy. */
void order_writer_destroy(struct order_writer *w);
/* Nobody hears of what is in the air now, and what the broker has not acknowledged of it is not sent any more (publisher_drop_waiting): another may own the
 * organization by now, and a record of ours that came late would contradict his. Not from inside a done function of the publisher. */
void order_writer_abandon(struct order_writer *w);
/* The publisher has room again: outcomes of refusals that found none go out. */
void order_writer_room(struct order_writer *w);
/* Flights not landed, without the abandoned ones. */
size_t order_writer_flights(const struct order_writer *w);

/* All: RC_OK: sent, a report follows. RC_RETRY: no room now, nothing sent. RC_FATAL: memory. */

/* The order that enc read last, or what it has of one that vanished (then facts holds id and revision only); withdrawn when that is the offer's cause.
 * RC_REJECT: too large to be a record; words. */
enum rc order_writer_order(struct order_writer *w, const struct order_encoder *enc, const struct order_facts *facts,
                           const struct order_book_offer *offer, struct err *e);
struct refusal {
    int64_t order_id;
    const char *revision; /* 16 hex digits */
    int64_t publication, round;
    const char *reason;
    const char *text; /* the order's bytes, text_n; NULL: not at hand (then the dead letter only says how many there were) */
    size_t text_n;
};
/* The traceparent of the order that was sent last; "" before the first. */
const char *order_writer_trace(const struct order_writer *w);
/* The order cannot become a record: dead letter, and when the broker has it the outcome. The outcome names no warehouse: no record goes to any of them under this
 * publication, and whom it named would be waited for, for ever. */
enum rc order_writer_refuse(struct order_writer *w, const struct refusal *r, struct err *e);
/* An order without usable id: dead letter alone, under "<organization>/?<hash>". */
enum rc order_writer_nameless(struct order_writer *w, const struct order_facts *facts, const char *reason, struct err *e);
/* state->organization is not looked at. RC_RETRY also while something has been in the air for more than a minute: a restart looks for orders that are not noted only
 * from a few minutes before the last note on, so no note may be much younger than an order that the broker has not acknowledged. A landing ends that. */
enum rc order_writer_note(struct order_writer *w, const struct order_state *state, bool forgotten, struct err *e);

#endif
