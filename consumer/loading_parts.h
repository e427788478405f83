/* What the parts of loading share: loading.c holds the lanes and gives turns, loading_record.c makes loads of records, loading_held.c keeps those that cannot be read yet,
 * loading_try.c offers loads to the ERP, loading_outcome.c has their outcomes published. Nobody else includes it. Thread rule: the loop's thread. */
#ifndef BRIDGE_CONSUMER_LOADING_PARTS_H
#define BRIDGE_CONSUMER_LOADING_PARTS_H

#include "consumer/erp_sink.h"
#include "consumer/load.h"
#include "consumer/load_lag.h"
#include "consumer/loading.h"
#include "consumer/order_views.h"

struct loading {
    struct loading_env env;
    struct loop *loop;
    struct log *log;
    const char *warehouse; /* ours; "": every one */
    bool own_lines;
    int64_t unknown_schema_ms;
    struct lanes *lanes;
    struct erp_sink *sink;
    struct outbox *outbox;
    struct schema *view; /* what the ERP sees; NULL: everything */
    struct order_views *views;
    struct load *all;
    struct load_lag lag;
    struct load *turn; /* the first one held for which there was no room when what is held was looked at; the next look begins there. NULL: none */
    unsigned look;
    size_t records, bytes, held, uncommitted;
    size_t document_about; /* bytes that the next document may be expected to take */
    size_t strangers, stranger_bytes, strangers_most, stranger_bytes_most; /* held records that nothing says to be ours */
    struct loop_timer timer, glance;
    bool stopped, failed;
    char pause_words[300]; /* of the last try while the ERP is down */
};

/* loading.c */
/* Out of memory: nothing goes on. */
void loading_fail(struct loading *l);
/* The load is over, and with its last load the record. done: its outcomes are acknowledged, not just forgotten. */
void loading_release(struct loading *l, struct load *load, bool done);
/* arg: struct loading. Gives every turn that may be given now. */
void loading_pump(void *arg);

/* loading_record.c */
/* NULL: out of memory, which was told. */
struct load *loading_add(struct loading *l, struct order_record *r, const char *warehouse);
/* Puts a described load into its lane: a former place where it stands, another one behind the last, the first one at the end. */
void loading_enter(struct loading *l, struct load *load, struct load *last);
/* Makes the record's loads, or holds it. place: NULL for a new record, or the load that is held for it. */
void loading_read(struct loading *l, struct order_record *r, struct load *place);
/* The record can never be loaded: rejected, or, when it does not say which order it is, only copied to the dead-letter topic. place: as for loading_read. */
void loading_refuse(struct loading *l, struct order_record *r, const char *code, const char *words, struct load *place);

/* loading_held.c */
void loading_held_init(struct loading *l);
void loading_hold(struct loading *l, struct order_record *r);
/* Looked at again and still not to be read: waits on, or is refused in the end. */
void loading_still_held(struct loading *l, struct order_record *r, const char *words, struct load *place);
/* The load is not held any more. */
void loading_held_over(struct loading *l, struct load *load);
/* arg: struct loading. Reads again what is held: the registry has answered, or time has passed. */
void loading_read_held(void *arg);
/* Sees to it that what is held is looked at in a while. */
void loading_held_glance(struct loading *l);

/* loading_try.c */
void loading_begin(struct loading *l, struct load *load);
/* The sink's word before any order: is the ERP there? */
void loading_reached(void *arg, bool reached, const char *words, int64_t again_ms);

/* loading_outcome.c */
/* The load ends so: its outcome, and what else entry asks for, goes to the outbox. */
void loading_settle(struct loading *l, struct load *load, enum outcome_result result);
void loading_reject(struct loading *l, struct load *load, const char *code, const char *reason);
/* There is nothing more to do about it. */
void loading_over(struct loading *l, struct load *load);
/* The outbox's word: everything of the entry is acknowledged. arg: struct loading. */
void loading_published(void *arg, struct outbox_entry *en);

#endif
