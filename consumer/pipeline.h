/* What the topics know of every publication of every order in a span of time: that it was published and for which warehouses, what each answered, what the ledger
 * says of its status, and how far each warehouse's group has read. One pass over the topics fills it (pipeline_scan.h); what waits (waiting.h) and whether
 * everything adds up (reconcile.h) are both answered from it.
 *
 * Records may come in any order of topics, and in order of offset within a partition; a record that comes twice changes nothing. Holds no personal data: ids, names of
 * warehouses, hashes of document ids. Memory: 80 bytes a publication with its place in the index and 40 bytes for each warehouse that it names, so 160 bytes an order with two (and up to half as much again
 * for growth); at most PIPELINE_PUBLICATIONS_MAX of the former and PIPELINE_OFFERS_MAX of the latter (480 MB), then it is full and says so. Pure but for memory. */
#ifndef BRIDGE_CONSUMER_PIPELINE_H
#define BRIDGE_CONSUMER_PIPELINE_H

#include "common/contract/ledger_row.h"
#include "common/contract/order_state.h"
#include "common/kafka/kafka_record.h"

enum {
    PIPELINE_PUBLICATIONS_MAX = 3000000,
    PIPELINE_OFFERS_MAX = 6000000,
    PIPELINE_NAMES_MAX = 4000,      /* warehouses, organizations and groups */
    PIPELINE_PARTITIONS_MAX = 10000 /* of one topic */
};

enum pipeline_answer { ANSWER_IMPORTED, ANSWER_REJECTED, ANSWER_SUPERSEDED, ANSWER_WITHDRAWN, ANSWER_NONE }; /* as outcome_result, and none */

/* One publication offered to one warehouse. */
struct pipeline_offer {
    uint16_t warehouse;      /* a name; "" is the producer itself, for an order that could not become a record */
    uint8_t answer;          /* enum pipeline_answer: the last one */
    bool doubled;            /* imported more than once, with different documents */
    bool contradicted;       /* answers that exclude each other: imported and rejected, ... */
    uint8_t answers;         /* that count: how many, at most 255 */
    int32_t partition;       /* of the last answer's record */
    int64_t offset;          /* likewise */
    int64_t at;              /* ms, when that verdict was noted; -1: none */
    uint64_t document;       /* hash of the last document's id; 0: none */
};

struct pipeline_publication {
    int64_t order_id, publication;
    int64_t at;              /* ms, broker's time of the order's record; -1: no such record was seen */
    int64_t offset;          /* of that record; of the one that an outcome names where none was seen; -1: none */
    int64_t told_at;         /* ms: the first time that anything was told of it */
    int64_t row_at;          /* ms, time of its last ledger row; -1: none */
    int32_t partition;       /* as offset; -1: none */
    uint32_t offers, offers_n; /* pipeline_offer_at(p, offers + 0 .. offers_n - 1) */
    uint16_t organization;   /* a name */
    uint16_t note;           /* of the ledger row, a name of at most 60 bytes; "" : none */
    uint8_t wanted, set;     /* enum ledger_wanted, of the row */
    bool closed, complete, row_withdrawn; /* of the row */
    bool row_settled;
    bool replayed;           /* put back by hand */
    bool open_state;         /* the producer's order-state calls it open */
};

struct pipeline;

/* The span: records of orders with from <= time < to count; ms since 1970. restored: answers given before that moment are replaced by later ones without
 * a contradiction (the ERP was restored from a backup); INT64_MIN: never. NULL: out of memory. */
struct pipeline *pipeline_create(int64_t from, int64_t to, int64_t restored);
void pipeline_destroy(struct pipeline *p); /* NULL is a no-op */

/* A record of orders, by key and headers alone. false: it tells no order, publication or warehouses there; it is counted. */
bool pipeline_order(struct pipeline *p, const struct kafka_record *r);
void pipeline_outcome(struct pipeline *p, const struct kafka_record *r, const struct outcome *o);
void pipeline_row(struct pipeline *p, const struct kafka_record *r, const struct ledger_row *row);
void pipeline_state(struct pipeline *p, const struct kafka_record *r, const struct order_state *s);
/* One that cannot be read. */
void pipeline_unreadable(struct pipeline *p);
/* Before the first record, for each partition of orders in turn: it holds the offsets from first on, and reading starts at start. RC_FATAL: memory, or too many. */
enum rc pipeline_bounds(struct pipeline *p, int32_t partition, int64_t first, int64_t start);
/* Asked before the first record: how far the group has read in the partition; -1: it has committed nothing. */
enum rc pipeline_group(struct pipeline *p, const char *group, int32_t partition, int64_t committed);
/* The program that serves the warehouse reads as this group. Otherwise it is learned from the outcomes. */
enum rc pipeline_serves(struct pipeline *p, const char *warehouse, const char *group);

/* After the last record: brings the publications into the order (organization, order, publication). */
void pipeline_sort(struct pipeline *p);
/* Why its answers are worth nothing: "" : they are not; else it is full, or memory ran out. */
const char *pipeline_fault(const struct pipeline *p);

size_t pipeline_n(const struct pipeline *p);
const struct pipeline_publication *pipeline_at(const struct pipeline *p, size_t i);
const struct pipeline_offer *pipeline_offer_at(const struct pipeline *p, uint32_t i);
const char *pipeline_name(const struct pipeline *p, uint16_t name);
/* Did its record come in the span? One without a record: was it told of in the span, and would its record have been seen? */
bool pipeline_in_span(const struct pipeline *p, const struct pipeline_publication *pub);
bool pipeline_record_lost(const struct pipeline *p, const struct pipeline_publication *pub);
/* Was the ERP restored from a backup after the one verdict was noted and before the other? Then their documents may differ. */
bool pipeline_restored_between(const struct pipeline *p, const struct pipeline_offer *before, const struct pipeline_offer *after);
/* Has the warehouse's group passed the record? When the pass began. false too where no group is known. */
bool pipeline_passed(const struct pipeline *p, const struct pipeline_publication *pub, const struct pipeline_offer *offer);
/* The group that serves a warehouse; "" : none is known. */
const char *pipeline_group_of(const struct pipeline *p, uint16_t warehouse);
uint64_t pipeline_unreadables(const struct pipeline *p);

#endif
