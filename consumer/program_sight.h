/* The running programs as an operator sees them: each is asked for /readyz and /metrics at its HTTP port. Answers are bounded (time, bytes), one round of questions
 * at a time; who does not answer is shown as silent. Thread rule: the loop's thread. */
#ifndef BRIDGE_CONSUMER_PROGRAM_SIGHT_H
#define BRIDGE_CONSUMER_PROGRAM_SIGHT_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/net/loop.h"

enum { PROGRAM_SIGHTS_MAX = 16, PROGRAM_DEPENDENCIES = 16, PROGRAM_ASK_MS = 3000, PROGRAM_ANSWER_BYTES = 1024 * 1024 };

/* The numbers that are looked for in /metrics: rows of one table in the .c. */
enum program_number {
    PROGRAM_PARKED,       /* loads that wait for their next try */
    PROGRAM_PAUSED,       /* 1: the ERP is down and only probed */
    PROGRAM_IN_HAND,      /* order records read and not finished */
    PROGRAM_IN_FLIGHT,    /* loads under way */
    PROGRAM_SCHEMALESS,   /* orders whose schema the registry does not give */
    PROGRAM_OPEN_ORDERS,  /* offered, their status not settled */
    PROGRAM_HELD,         /* retries that the loop guard held back */
    PROGRAM_OWNER,        /* 1: this producer polls, 0: it stands by */
    PROGRAM_LAST_POLL,    /* when the last complete poll ended, seconds since 1970 */
    PROGRAM_STATUSES,     /* orders whose status is still to be set */
    PROGRAM_QUOTA_WAITING, /* requests that wait for xSale's quota */
    PROGRAM_NUMBERS
};

enum program_state { PROGRAM_UNASKED, PROGRAM_SILENT, PROGRAM_TROUBLED, PROGRAM_READY };

struct program_dependency {
    char name[48];
    char state[16];  /* "up", "down", "unknown" */
    char since[40];  /* as the program tells it */
    char why[320];   /* "": nothing */
    char doing[320]; /* what the program does about it; "": nothing */
};

struct program_sight {
    char at[128];          /* host:port */
    const char *expected;  /* the program that should be there; "": any */
    char name[32];         /* the program that is there; "": not known */
    enum program_state state;
    char words[256];       /* why it is silent */
    int64_t answered_at;   /* ms since 1970 of the last answer; 0: none yet */
    struct program_dependency dependencies[PROGRAM_DEPENDENCIES];
    size_t dependencies_n;
    double numbers[PROGRAM_NUMBERS]; /* NAN: not told */
};

struct program_sights;

/* NULL: memory, words in e. */
struct program_sights *program_sights_create(struct loop *l, struct err *e);
void program_sights_destroy(struct program_sights *s); /* NULL is a no-op */
/* at: "HOST:PORT", "[ADDRESS]:PORT"; expected: a literal. The same address once more: nothing happens. RC_REJECT: not of that form, or too many. */
enum rc program_sights_add(struct program_sights *s, const char *at, const char *expected, struct err *e);
/* Asks all; while a round is under way: nothing happens. */
void program_sights_ask(struct program_sights *s);
size_t program_sights_count(const struct program_sights *s);
const struct program_sight *program_sights_get(const struct program_sights *s, size_t i);

/* Reading of the two answers; n bytes. What is not of the wanted form changes nothing. */
void program_sight_ready(struct program_sight *p, int status, const char *json, size_t n);
void program_sight_metrics(struct program_sight *p, const char *text, size_t n);

#endif
