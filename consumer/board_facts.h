/* What the operator's page shows, copied out of the passes over the topics and of the programs' answers: plain bounded values (some 200 KB), no content of any order. */
#ifndef BRIDGE_CONSUMER_BOARD_FACTS_H
#define BRIDGE_CONSUMER_BOARD_FACTS_H

#include "consumer/group_lag.h"
#include "consumer/letter_count.h"
#include "consumer/program_sight.h"
#include "consumer/reconcile.h"
#include "consumer/waiting.h"

enum { BOARD_SUMS = 256, BOARD_ROWS = 20, BOARD_LINES = 64, BOARD_FAULTS = 50, BOARD_NAME = 128 };

struct board_sum { /* what waits at a warehouse for one reason */
    char warehouse[BOARD_NAME]; /* "": the status-updater's */
    enum waiting_reason reason;
    uint64_t orders;
    int64_t oldest; /* ms since 1970 */
};

struct board_row {
    char order[ORDER_KEY_BYTES], warehouse[BOARD_NAME], words[300];
    enum waiting_reason reason;
    int64_t since, next_in;
};

struct board_line {
    char warehouse[BOARD_NAME];
    uint64_t published, imported, rejected, superseded, withdrawn, in_flight, lost;
};

struct board_fault {
    enum reconcile_kind kind;
    char order[ORDER_KEY_BYTES], warehouse[BOARD_NAME], words[300];
};

struct board_consumer { /* an erp-consumer that answered */
    char at[280], warehouse[64]; /* "": all */
    char paused[300];            /* why it tries nothing; "": it does */
};

struct board_totals { /* does a span add up? */
    struct board_line lines[BOARD_LINES], all;
    size_t lines_n;
    struct board_fault faults[BOARD_FAULTS];
    size_t faults_n;
    uint64_t faults_total, orders, unreadable, status_set, status_pending, status_open;
};

struct board_facts {
    int64_t now;         /* ms since 1970, of the page */
    int64_t from;        /* the span's beginning; SCAN_TIME_BEGINNING: everything that is kept */
    int64_t scanned_at;  /* when the figures were whole last; 0: never yet */
    int64_t took_ms;
    bool scanning;
    char words[512];     /* why the last pass gave none; "": it did */
    char notes[512];     /* what it could not ask; "": nothing */
    struct board_sum sums[BOARD_SUMS];
    size_t sums_n;
    struct board_row rows[BOARD_ROWS]; /* oldest first */
    size_t rows_n;
    uint64_t waiting;    /* all rows */
    struct board_totals totals;
    struct letter_kinds letters;
    bool letters_known;  /* counted at least once */
    char letters_words[200]; /* why they could not be counted */
    struct group_lag lags[GROUP_LAGS_MAX];
    size_t lags_n;
    char lags_words[200];
    struct board_consumer consumers[PROGRAM_SIGHTS_MAX];
    size_t consumers_n;
    const struct program_sights *programs; /* borrowed */
};

void board_copy_waiting(const struct waiting *w, struct board_facts *out);
void board_copy_hands(const struct in_hand *h, struct board_facts *out);
void board_copy_totals(const struct reconcile *r, struct board_totals *out);

#endif
