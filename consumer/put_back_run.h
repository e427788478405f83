/* The way that redrive and resend share once it is known which orders are meant: look at the topics, show the plan, ask, put back, tell. From the look on, the
 * topics are followed, so that what is published meanwhile counts. Thread rule: the loop's thread. */
#ifndef BRIDGE_CONSUMER_PUT_BACK_RUN_H
#define BRIDGE_CONSUMER_PUT_BACK_RUN_H

#include "consumer/ask.h"
#include "consumer/progress.h"
#include "consumer/put_back_send.h"

enum { PUT_BACK_RATE = 200, PUT_BACK_RATE_MAX = 100000 };

/* The options of both, for their tables. */
#define PUT_BACK_OPTIONS                                                                                                                             \
    {"--rate", "N", "At most N orders a second. Otherwise: 200."}, {"--dry-run", NULL, "Show what would happen and change nothing."},               \
        {"--yes", NULL, "Do not ask."}, {"--json", NULL, "Print one JSON object, which names every order."}

struct put_back_run { /* embedded */
    struct program *program;
    struct loop *loop;
    struct put_back list;
    struct topic_scan *look;
    struct put_back_send *send;
    struct ask ask;
    struct progress progress;
    struct loop_timer tick, first;
    int64_t rate;
    bool dry, yes, json, planned, stopped;
};

/* Reads the options. RC_REJECT: wrong usage. Released in every case. */
enum rc put_back_run_init(struct put_back_run *r, struct program *p, bool redrive, struct err *e);
void put_back_run_release(struct put_back_run *r);
/* The list is fed: goes on by itself and ends the program. */
void put_back_run_begin(struct put_back_run *r);
/* The first signal. */
void put_back_run_stop(struct put_back_run *r);

#endif
