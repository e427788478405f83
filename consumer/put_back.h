/* The orders that an operator wants back on `orders`, and what becomes of each. Fed first with what was chosen (dead letters, or the orders' keys), then with every
 * record of these orders on `orders`, `order-outcomes` and `order-status`, in order within a partition; as long as it is fed, put_back_judge tells what is true now.
 * The rule: only the newest publication of an order is put back, as the next one; it is the same for whoever puts it back, so two operators at once make one
 * publication of two equal records, and one that was put back is no longer the newest: a second run leaves it.
 * Pure but for memory. Thread rule: one owner. */
#ifndef BRIDGE_CONSUMER_PUT_BACK_H
#define BRIDGE_CONSUMER_PUT_BACK_H

#include <uthash.h>

#include "common/contract/outcome.h"
#include "common/kafka/topics.h"
#include "consumer/order_again.h"

enum { PUT_BACK_MAX = 200000, PUT_BACK_REDRIVES = 3 };

enum put_back_fate {
    PUT_BACK_YES,
    PUT_BACK_SUPERSEDED, /* a newer publication stands behind it */
    PUT_BACK_DONE,       /* put back before */
    PUT_BACK_WITHDRAWN,  /* the newest publication is its withdrawal */
    PUT_BACK_IMPORTED,   /* no warehouse's last verdict is a rejection any more */
    PUT_BACK_IN_FLIGHT,  /* a warehouse has not answered the newest publication */
    PUT_BACK_TOO_OFTEN,  /* the loop guard */
    PUT_BACK_UNREADABLE,
    PUT_BACK_UNKNOWN,    /* no record of it is there */
    PUT_BACK_FATES
};

enum put_back_source { PUT_BACK_NOWHERE, PUT_BACK_LETTER, PUT_BACK_RECORD };

struct put_back_verdict {
    char warehouse[ORDER_WAREHOUSE_BYTES];
    enum outcome_result result;
};

struct put_back_order {
    UT_hash_handle hh;
    char *key; /* owned, as everything here */
    /* The record that is put back. */
    enum put_back_source source;
    int32_t partition;
    int64_t offset, at;   /* of it; its time on its topic */
    int64_t publication;
    int64_t redrives;
    char *warehouses;     /* comma list; NULL: not known */
    bool withdrawn, left_out; /* left_out: the dead letter has no value, the record on `orders` stands in for it */
    char *fault;          /* why it cannot be read; NULL: it can */
    /* What the topics tell. */
    int64_t on_orders;    /* newest publication there; 0: none */
    int32_t home;         /* its partition there; -1: none */
    bool newest_withdrawn, newest_replayed;
    int64_t elsewhere;    /* newest that outcomes and ledger tell */
    int64_t judged;       /* publication that the verdicts are about */
    struct put_back_verdict *verdicts;
    size_t verdicts_n;
    /* What becomes of it. */
    enum put_back_fate fate; /* as planned, then as it went */
    bool put, failed;
};

struct put_back {
    struct put_back_order *orders; /* by key */
    size_t n;
    bool redrive; /* else resend */
    bool force;
    char topics[TOPIC_COUNT][250];
    struct order_again again;
    uint64_t letters, others; /* dead letters that were chosen and are orders' records; that are none */
    struct put_back_order **chosen; /* chosen_n: by source, partition and offset */
    size_t chosen_n;
};

/* redrive: puts back what was rejected, at most PUT_BACK_REDRIVES times (without force). Else: whatever is named, if it is not under way (without force). */
void put_back_init(struct put_back *b, bool redrive, bool force);
void put_back_release(struct put_back *b);

/* A dead letter that was chosen, decoded. One that is no order record or names no order is none: RC_OK. RC_REJECT: more than PUT_BACK_MAX orders; RC_FATAL: memory. */
enum rc put_back_letter(struct put_back *b, const struct scan_record *r, struct err *e);
/* An order by its key. The same. */
enum rc put_back_name(struct put_back *b, const void *key, size_t n, struct err *e);
/* Is the record about one of the orders? By its key. */
bool put_back_knows(const struct put_back *b, const struct kafka_record *r);
/* A record of `orders`, `order-outcomes` or `order-status`. RC_FATAL: memory. */
enum rc put_back_see(struct put_back *b, const struct scan_record *r, struct err *e);
/* What becomes of the order as things stand. */
enum put_back_fate put_back_judge(const struct put_back *b, const struct put_back_order *o);
/* Judges all and lists those to be put back. RC_FATAL: memory. */
enum rc put_back_plan(struct put_back *b, struct err *e);

#endif
