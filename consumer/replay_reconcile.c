#include "consumer/replay_reconcile.h"

#include <stdio.h>
#include <stdlib.h>

#include "consumer/option_moment.h"
#include "consumer/pipeline_scan.h"
#include "consumer/reconcile.h"
#include "consumer/report.h"
#include "consumer/scan_time.h"

static const struct program_option options[] = {
    {"--from", "MOMENT", "Orders published since then: 3h (ago; s, m, h, d), 2026-11-24T10:00 (local time), 2026-11-24T10:00Z, beginning. Otherwise: 24h."},
    {"--to", "MOMENT", "And before then. Otherwise: end."},
    {"--grace", "TIME", "What is younger may still be under way, a status above all: 15m, 2h. Otherwise: 15m."},
    {"--restored", "MOMENT", "An ERP was restored from a backup then: answers after it replace those before it, and are no second documents."},
    {"--groups", "WAREHOUSE=GROUP[,WAREHOUSE=GROUP...]", "The consumer groups of programs that do not use the usual names."},
    {"--json", NULL, "Print one JSON object."},
};

struct command {
    struct program *program;
    struct pipeline_scan *scan;
    struct pipeline_span span;
    int64_t grace;
    bool json;
};

static void on_scanned(void *arg, enum rc rc, struct pipeline *p, const char *words)
{
    struct command *c = arg;
    struct reconcile r;
    struct err e;
    struct buf out;
    if (rc != RC_OK) {
        program_finish(c->program, 1, words);
        return;
    }
    if (reconcile_make(p, c->grace, clock_wall(loop_clock(program_loop(c->program))), &r, &e) != RC_OK) {
        program_finish(c->program, 1, e.text);
        return;
    }
    if (*words != '\0')
        (void)fprintf(stderr, "%s\n", words);
    buf_init(&out, REPORT_MAX);
    (c->json ? reconcile_json : reconcile_text)(&r, &out);
    bool clean = r.faults_total == 0;
    reconcile_release(&r);
    report_end(c->program, &out, clean ? 0 : 3);
}

static enum rc parse_options(struct command *c, struct err *e)
{
    int64_t ago = 0;
    enum rc rc = option_moment(c->program, "--from", "24h", &c->span.from, e);
    if (rc == RC_OK)
        rc = option_moment(c->program, "--to", "end", &c->span.to, e);
    if (rc == RC_OK && program_option_value(c->program, "--restored") != NULL)
        rc = option_moment(c->program, "--restored", "", &c->span.restored, e);
    if (rc == RC_OK)
        rc = option_moment(c->program, "--grace", "15m", &ago, e);
    int64_t now = clock_wall(loop_clock(program_loop(c->program))); /* after it: "0s" is the present moment */
    if (rc == RC_OK && (ago == SCAN_TIME_BEGINNING || ago > now)) {
        err_set(e, "--grace: a time as 15m or 2h is wanted");
        rc = RC_REJECT;
    }
    c->grace = now - ago;
    return rc;
}

static enum rc start_command(struct program *p, void **state, struct err *e)
{
    struct command *c = calloc(1, sizeof *c);
    if (c == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    c->program = p;
    c->json = program_option_value(p, "--json") != NULL;
    c->span.restored = INT64_MIN;
    c->span.groups = program_option_value(p, "--groups");
    *state = c;
    enum rc rc = parse_options(c, e);
    return rc == RC_OK ? pipeline_scan_create(p, &c->span, on_scanned, c, &c->scan, e) : rc;
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
    pipeline_scan_destroy(c->scan);
    free(c);
}

const struct program_command replay_reconcile_command = {
    .name = "reconcile",
    .summary = "check that every order of a time span adds up",
    .description = "For each warehouse: published = imported + rejected + superseded + withdrawn + in flight, counted in publications. Names every order that breaks the sum or "
                   "contradicts itself: a record that its group has passed without an outcome, an outcome or a ledger row without a record, two documents of one order, results "
                   "that exclude each other, a status not set though every warehouse has answered. Reads only.\n\n"
                   "An ERP that was restored from a backup gives orders new documents: say when with --restored. Exit code 3: something does not add up.",
    .options = options,
    .options_n = sizeof options / sizeof *options,
    .start = start_command,
    .stop = stop_command,
    .release = release_command
};
