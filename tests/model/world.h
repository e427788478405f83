/* A small world around the real producer (tenure, poller, intake, absence, book, recall, writer): xSale, Kafka, the ERP side and the status-updater, with a clock of its
 * own. The real loop, publisher, reader, group position, schema fetching and xSale client are replaced at link time by those of world_*.c. Whatever waits to happen
 * is one of the world's pending actions, and dice say which is next; so a crash may come between any two of them.
 * DESIGN's model of the rules is followed; what plays the other programs here is as short as the producer needs. */
#ifndef BRIDGE_MODEL_WORLD_H
#define BRIDGE_MODEL_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/kafka/kafka_record.h"
#include "common/kafka/topics.h"
#include "common/net/loop.h"
#include "producer/tenure.h"

enum { KEYS = 4, /* the last one appears when everything is mended: xsale.order_path can be proven */
        WAREHOUSES = 2, PAGE_SIZE = 2, RECORDS_MAX = 4000, FIRST_ID = 101 };
enum { STATUS_NEW = 11, STATUS_IMPORTED = 13, STATUS_MANUAL = 14, STATUS_CANCELLED = 19 };
enum { SCHEMA_OF_ORDER = 1, SCHEMA_OF_STATE, SCHEMA_OF_OUTCOME, SCHEMA_OF_STATUS, SCHEMA_OF_ORDER_TOO, SCHEMAS_END };
static const int64_t DAY_MS = 86400 * 1000;

struct content {
    int rev;
    unsigned whs; /* warehouses with an article, bits */
    bool bad;     /* cannot become a record */
};

struct shop_order {
    bool there, gone; /* gone: deleted, and its id never comes back */
    int status;
    struct content c;
    int cause;      /* rises with everything that a person or the shop does to it */
    bool by_person; /* its status */
    int64_t since;  /* when a person set it */
    unsigned polls; /* complete ones at that moment */
};

/* A record of `orders`, as it was stored. */
struct rec {
    int k;
    int64_t p, round, t; /* publication, round, broker's time */
    int rev;             /* -1: without content */
    unsigned named, own; /* warehouses that it names, and those with an article */
    bool wd, replayed;
    int cause;
    char revision[ORDER_REVISION_BYTES];
};

struct out { /* an outcome */
    int k, wh; /* wh -1: the producer's */
    int64_t p, round;
    unsigned named;
    enum outcome_result result;
    bool wd;
    char revision[ORDER_REVISION_BYTES];
};

struct world {
    uint64_t seed, random;
    int64_t now;  /* ms since the world began */
    int64_t skew; /* of the producer's wall clock */
    size_t slow;  /* the kind of action that is slow at present */
    bool calm;    /* the end of the history: nothing goes wrong any more */
    bool woken;   /* a stopped replica has woken up in the middle of a takeover: the promise says less then */
    bool verbose;
    struct shop_order shop[KEYS];
    int served[KEYS]; /* the cause that xSale's last answer about the order had */
    uint64_t bare[KEYS]; /* bit cause % 64: after it the order could not become a record, or was gone */
    bool crossed[KEYS];  /* the status was set for a publication of another round than the newest one's, or for one put back by hand, perhaps in the moment in which the
                          * order was set back in xSale: the rules cannot tell that from a person's doing */
    struct rec recs[RECORDS_MAX];
    size_t recs_n;
    struct out outs[RECORDS_MAX];
    size_t outs_n;
    int64_t put_p[KEYS], put_at[KEYS]; /* the publication for which the updater set a status last, and the broker's time then */
    bool down[WAREHOUSES], rejects[KEYS][WAREHOUSES], put_refused, broker_down;
    bool row_schema_lost; /* the registry does not know the schema of the ledger's rows, and says so */
    unsigned polls; /* complete ones */
    bool shown[KEYS]; /* in this poll */
    unsigned stable[KEYS]; /* complete polls in a row that showed it as it is */
    int stable_cause[KEYS];
    const char *broken; /* the first invariant that did not hold; NULL: none */
    int broken_k;
    struct tenure *tenure;
    struct order_writer *writer;
    bool tenure_failed;
};

extern struct world *the;

uint64_t dice(uint64_t sides);
bool chance(unsigned percent);
void broke(const char *what, int k);
void need(bool truth); /* of the test itself: ends it */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
int key_of_id(int64_t id); /* -1: none of ours */

/* ---- actions: each performs at most one, chosen by dice, and says whether there was one */

struct loop *world_loop(void);
bool world_loop_is_empty(void);
bool world_loop_fire(void);         /* the timer that is due first */
int64_t world_loop_next(void);      /* ms at which the next timer is due; -1: none */

void world_kafka_open(void); /* once */
void world_kafka_close(void);
void world_kafka_reset(void); /* empty topics */
void world_kafka_restart(void); /* the producer's side of it begins anew, with nothing in the air */
bool world_publisher_store(void);   /* the broker takes one record */
bool world_publisher_acknowledge(void);
/* The process ends: of what is in the air the broker takes as much as it likes. freeze: one order record stays in the air, for world_publisher_wake. */
void world_publisher_crash(bool freeze);
void world_publisher_wake(void);
bool world_reader_step(void);       /* one record, an end, or a position for one of the readers */
void world_compact(void);           /* order-state */
void world_ledger_append(int k, const struct ledger_row *row);
void world_replay(int k);           /* puts the newest record back by hand */
bool world_note_of(int k, struct order_state *out); /* the last one in order-state; false: none, or forgotten */
bool world_note_is_tombstone(int k);
void world_commit(const int64_t *positions, size_t n);
void world_lose_row_schema(bool lost);
bool world_ledger_is_held(void); /* a row waits for its schema in vain */
struct publisher *world_publisher(void);
struct writer_schemas *world_schemas(void);

void world_xsale_reset(void);
struct xsale_client *world_xsale(void);
bool world_xsale_serve(void);       /* one request reaches xSale, or its answer the producer */

void world_rest_reset(void);
bool world_consume(void);
bool world_update(void);
/* The ERP's document: 0 none, 1 live, -1 withdrawn; its content's number. */
int world_document(int k, int wh, int *rev);

/* ---- told by the parts above */

void world_order_stored(const struct rec *r);
void world_loaded(const struct rec *r);

#endif
