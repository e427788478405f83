/* The loads in hand and which of them may go: strictly one at a time and in the order of arrival per order key, up to `concurrency` at once over
 * all keys and partitions. The core of the consumer: no network, time comes in as an argument, everything about a load that is
 * not its turn stays with the owner.
 *
 * A load is pushed and then is
 *   QUEUED    waiting for its turn        -> FLYING, SETTLING (superseded)
 *   HELD      not readable yet            -> QUEUED (lanes_unhold); its key waits with it
 *   FLYING    being tried                 -> SETTLING (verdict), QUEUED (the ERP is down), PARKED
 *   PARKED    waiting with back-off       -> QUEUED, SETTLING (superseded); its key waits with it
 *   SETTLING  its outcome is being published: the owner's from here on, until it has left (lanes_done)
 *
 * A load goes when every earlier one of its key and warehouse has its verdict and its outcome is on its way (lanes_sent: it reaches the topic before any that
 * is sent later), but it is done only after they are. Were it otherwise, a crash could leave the newer publication finished and the older one not, and the
 * older would be tried again with nothing behind it that supersedes or follows it. So the loads of one order wait for the ERP and not for the broker, and
 * after a crash both are in hand again, in their order.
 *
 * Superseded: a load behind which, or before which, a newer publication of the same key and warehouse is in hand, or known to the owner when its turn comes
 * (`outdated`), if no try of it is open that may still have loaded it (an ambiguous one stays open until a verdict).
 * The ERP is down (FATE_PAUSE): nothing is tried but one probe at a time, in turn over those tried already; after each of them failed once more, one not
 * tried yet. The first verdict opens again. A load whose tries keep ending in FATE_PAUSE while others get their verdicts is its own trouble and parks.
 * `reject_after` counts the failures that may be the order's own fault (FATE_PARK, and an ambiguous try that parks) with verdicts about others
 * since the load's previous failure, so that an ERP that answers nobody rejects nobody.
 *
 * What a crash repeats at the ERP are the loads FLYING, and those whose end is not committed yet: while there are `uncommitted_most` of both together, none goes.
 * By Little's law an ERP that is to have `concurrency` loads before it all the time needs more than that, by the share that an outcome's and a commit's
 * acknowledgement take of a load's time. (Rejected: to count them into `concurrency`. At 5 ms a load half of the speed is lost, at 50 ms a sixth.)
 * Thread rule: one owner. */
#ifndef BRIDGE_CONSUMER_LANES_H
#define BRIDGE_CONSUMER_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "consumer/fates.h"
#include "consumer/gate.h"
#include "consumer/wait_heap.h"

struct lane;
struct lanes;

enum lane_state { LANE_QUEUED, LANE_HELD, LANE_FLYING, LANE_PARKED, LANE_SETTLING };

/* Embedded in its owner; zeroed before first use. */
struct lane_item {
    /* The owner sets these before the push. */
    const char *key; /* key_n bytes, borrowed while the item is in a lane, SETTLING too */
    size_t key_n;
    const char *warehouse; /* zero-terminated, borrowed likewise; loads of different warehouses do not supersede each other */
    int64_t publication;   /* 0: not known; then it neither supersedes nor is superseded */
    int32_t partition;     /* for lanes_drop */
    bool needs_erp;        /* false: only noted (a withdrawal that is not passed on, a record that cannot be read); goes even when the ERP is down */
    bool held;             /* starts HELD */
    /* Read only for the owner. */
    enum lane_state state;
    unsigned tries;   /* begun */
    bool ambiguous;   /* an ended try may have loaded it */
    bool stale;       /* dropped while FLYING: its end is nobody's */
    unsigned strikes; /* failures that count for reject_after */
    bool sent, durable; /* SETTLING: its outcome is on its way, is acknowledged */
    bool owed;          /* SETTLING, and the ERP was offered it to the end */
    /* The lanes' own. */
    struct lane *lane;
    struct lane_item *prev, *next;
    struct lane_item *settling_next; /* of its lane */
    struct wait_node wait;
    unsigned parks, agains;
    int64_t began_at;
    uint64_t answers_seen; /* verdicts about others up to its last failure, or its first try */
    unsigned probe_round;
    bool paused_once;
};

struct lanes_settings {
    unsigned concurrency;              /* >= 1 */
    size_t uncommitted_most;           /* loads that a crash repeats; 0: any number */
    unsigned reject_after;             /* >= 1 */
    int64_t park_min_ms, park_max_ms;  /* back-off of a parked load */
    int64_t probe_min_ms, probe_max_ms;
    uint64_t seed;                     /* of the jitter */
    bool (*outdated)(void *arg, const struct lane_item *item); /* NULL: nothing is known of what is not in hand */
    void *arg;
};

/* NULL: out of memory. */
struct lanes *lanes_create(const struct lanes_settings *s);
/* Items still inside are forgotten, not touched. */
void lanes_destroy(struct lanes *l);

/* Behind everything of its key. RC_FATAL: out of memory, nothing changed. */
enum rc lanes_push(struct lanes *l, struct lane_item *item);
/* Right behind `front`, which is in a lane of the same key: one record that turned out to be several loads. */
enum rc lanes_push_behind(struct lanes *l, struct lane_item *front, struct lane_item *item);
/* A HELD item became readable: the owner has filled in what was missing. */
void lanes_unhold(struct lanes *l, struct lane_item *item);

enum lanes_turn {
    LANES_NOTHING,   /* until lanes_deadline, or something ends */
    LANES_TRY,       /* *item is FLYING: offer it to the ERP, then lanes_end, or lanes_refused */
    LANES_NOTE,      /* *item is SETTLING and needs no ERP: note its outcome */
    LANES_SUPERSEDED /* *item is SETTLING: note that it is superseded, or outdated */
};
enum lanes_turn lanes_next(struct lanes *l, int64_t now, struct lane_item **item);

struct lanes_result {
    enum fate fate;
    bool ambiguous;
    int64_t retry_after_ms; /* -1: none */
};
enum lanes_end {
    LANES_VERDICT,  /* *item is SETTLING: publish loaded or rejected as the fate says */
    LANES_GIVEN_UP, /* *item is SETTLING: rejected after too many tries */
    LANES_STAYS,    /* QUEUED or PARKED: it comes again */
    LANES_STALE     /* dropped meanwhile, out of its lane: the owner frees it */
};
/* A try ended. */
enum lanes_end lanes_end(struct lanes *l, struct lane_item *item, const struct lanes_result *r, int64_t now);
/* LANES_TRY cannot be made of this item, nor ever: it is SETTLING, and nothing was tried. Right after lanes_next. */
void lanes_refused(struct lanes *l, struct lane_item *item);

/* A QUEUED, HELD or PARKED item is SETTLING (the owner settles it another way). */
void lanes_remove(struct lanes *l, struct lane_item *item);
/* No outcome that is sent from now on can stand before this SETTLING item's: the next load of its key need not wait. May never be said. */
void lanes_sent(struct lanes *l, struct lane_item *item);
/* The outcome of a SETTLING item is durable, or there is none. left: called for it, once all that settled before it for its key and warehouse have left,
 * and then for those that waited for it only; each is out of its lane and free to go. */
void lanes_done(struct lanes *l, struct lane_item *item, void (*left)(void *arg, struct lane_item *item), void *arg);
/* The partition is not ours any more: fn gets every item of it that is neither FLYING nor told to be settled, out of its lane and free to go. A FLYING one becomes
 * stale, one whose outcome is under way ends with lanes_done as ever. fn also gets those, `durable`, that waited only for what is dropped: they are done. */
void lanes_drop(struct lanes *l, int32_t partition, void (*fn)(void *arg, struct lane_item *item), void *arg);

/* So many loads that the ERP was offered have left and are not known to be committed. Of those that have not left the lanes know themselves. */
void lanes_uncommitted(struct lanes *l, size_t n);

/* Monotonic ms at which lanes_next may have something that it has not now; INT64_MAX: only after another call. */
int64_t lanes_deadline(const struct lanes *l, int64_t now);
const struct gate *lanes_gate(const struct lanes *l);
unsigned lanes_flying(const struct lanes *l);
unsigned lanes_flying_of(const struct lanes *l, int32_t partition);
size_t lanes_parked(const struct lanes *l);
size_t lanes_items(const struct lanes *l); /* all but SETTLING */
/* Calls fn for each of them, FLYING ones too. */
void lanes_each(const struct lanes *l, void (*fn)(void *arg, const struct lane_item *item), void *arg);

#endif
