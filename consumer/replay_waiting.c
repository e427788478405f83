#include "consumer/replay_waiting.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "consumer/option_moment.h"
#include "consumer/pipeline_scan.h"
#include "consumer/report.h"
#include "consumer/scan_time.h"
#include "consumer/waiting.h"

enum { SHOWN = 50 };

static const struct program_option options[] = {
    {"--warehouse", "NAME", "Only this warehouse's orders; \"\": only statuses that are still to be set."},
    {"--limit", "N", "Show at most the N oldest orders, 1 to 10000; the sums count all. Otherwise: 50."},
    {"--from", "MOMENT", "Look at orders published since then only, which is quicker: 3h (ago; s, m, h, d), 2026-11-24T10:00, beginning. Otherwise: beginning."},
    {"--at", "HOST:PORT[,HOST:PORT...]", "Ask the programs at these HTTP ports too, besides those of the configuration."},
    {"--json", NULL, "Print one JSON object."},
};

struct command {
    struct program *program;
    struct in_hand_ask *ask;
    struct in_hand *hand;
    struct pipeline_scan *scan;
    struct pipeline_span span;
    const char *warehouse; /* NULL: all */
    int64_t limit;
    bool json;
};

static void show(struct command *c, const struct pipeline *p, const char *words)
{
    struct waiting w;
    struct err e;
    struct buf out;
    int64_t now = clock_wall(loop_clock(program_loop(c->program)));
    if (waiting_make(p, c->hand, c->warehouse, (size_t)c->limit, &w, &e) != RC_OK) {
        program_finish(c->program, 1, e.text);
        return;
    }
    buf_init(&out, REPORT_MAX);
    (c->json ? waiting_json : waiting_text)(&w, now, &out);
    for (size_t i = 0; i < c->hand->programs_n; i++)
        if (c->hand->programs[i].words[0] != '\0' && w.total > 0)
            (void)fprintf(stderr, "%s was not asked: %s\n", c->hand->programs[i].at, c->hand->programs[i].words);
    (void)words; /* about groups, which do not matter here */
    waiting_release(&w);
    report_end(c->program, &out, 0);
}

static void on_scanned(void *arg, enum rc rc, struct pipeline *p, const char *words)
{
    struct command *c = arg;
    if (rc != RC_OK)
        program_finish(c->program, 1, words);
    else
        show(c, p, words);
}

/* The programs are asked first: what they have in hand then and is not answered at the end of the pass waits. */
static void on_hand(void *arg, struct in_hand *h)
{
    struct command *c = arg;
    struct err e;
    c->hand = h;
    if (pipeline_scan_create(c->program, &c->span, on_scanned, c, &c->scan, &e) != RC_OK)
        program_finish(c->program, 1, e.text);
}

static enum rc parse_options(struct command *c, struct err *e)
{
    struct program *p = c->program;
    const char *limit = program_option_value(p, "--limit");
    char *end = NULL;
    c->warehouse = program_option_value(p, "--warehouse");
    c->json = program_option_value(p, "--json") != NULL;
    c->limit = SHOWN;
    c->span = (struct pipeline_span){.to = SCAN_TIME_END, .restored = INT64_MIN};
    errno = 0;
    if (limit != NULL)
        c->limit = strtoll(limit, &end, 10);
    if (limit != NULL && (errno != 0 || *end != '\0' || c->limit < 1 || c->limit > WAITING_ROWS_MAX)) {
        err_set(e, "--limit: %.40s is no number from 1 to %d", limit, WAITING_ROWS_MAX);
        return RC_REJECT;
    }
    return option_moment(p, "--from", "beginning", &c->span.from, e);
}

static enum rc start_command(struct program *p, void **state, struct err *e)
{
    struct command *c = calloc(1, sizeof *c);
    if (c == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    c->program = p;
    *state = c;
    enum rc rc = parse_options(c, e);
    if (rc == RC_OK && (rc = in_hand_ask_create(p, program_option_value(p, "--at"), NULL, on_hand, c, &c->ask, e)) != RC_OK)
        err_prefix(e, "--at");
    return rc;
}

static void stop_command(void *state)
{
    struct command *c = state;
    program_finish(c->program, 1, NULL);
}

static void release_command(void *state)
{
    struct command *c = state;
    if (c == NULL)
        return;
    in_hand_ask_destroy(c->ask);
    pipeline_scan_destroy(c->scan);
    in_hand_release(c->hand);
    free(c);
}

const struct program_command replay_waiting_command = {
    .name = "waiting",
    .summary = "show what is not finished, by warehouse and reason",
    .description = "Shows the orders that a warehouse has not answered yet and the statuses that are still to be set in xSale, oldest first, with the reason as the running "
                   "programs tell it at their HTTP ports. A rejected order whose manual status is set is finished. Reads only.",
    .options = options,
    .options_n = sizeof options / sizeof *options,
    .start = start_command,
    .stop = stop_command,
    .release = release_command
};
