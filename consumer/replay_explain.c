#include "consumer/replay_explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consumer/in_hand_print.h"
#include "consumer/option_moment.h"
#include "consumer/order_search.h"
#include "consumer/report.h"
#include "consumer/scan_time.h"

static const struct program_option options[] = {
    {"--from", "MOMENT", "Look at records since then only, which is quicker: 3h (ago; s, m, h, d), 2026-11-24T10:00, beginning. Otherwise: beginning."},
    {"--at", "HOST:PORT[,HOST:PORT...]", "Ask the programs at these HTTP ports too, besides those of the configuration."},
    {"--json", NULL, "Print one JSON object."},
};

struct explain {
    struct program *program;
    struct order_search *search;
    struct in_hand_ask *ask;
    struct in_hand *hand;
    const struct order_search_result *found; /* the search's */
    const char *asked, *at;
    int64_t from;
    bool json;
};

static void finish(struct explain *x, int code, const char *words)
{
    program_finish(x->program, code, words);
}

/* The life as one JSON object, with what the programs say before its end. */
static void put_json(const struct explain *x, int64_t now, struct buf *out)
{
    order_life_json(x->found->life, x->found->keys[0], now, out);
    while (out->n > 0 && (out->p[out->n - 1] == '\n' || out->p[out->n - 1] == '}'))
        out->n--;
    buf_put_text(out, ",\"inHand\":");
    in_hand_json(x->hand, out);
    buf_put_text(out, "}\n");
}

/* The programs have answered, or were given up. */
static void show(void *arg, struct in_hand *h)
{
    struct explain *x = arg;
    struct buf out;
    int64_t now = clock_wall(loop_clock(program_loop(x->program)));
    x->hand = h;
    buf_init(&out, REPORT_MAX);
    if (x->json) {
        put_json(x, now, &out);
    } else {
        order_life_text(x->found->life, x->found->keys[0], now, &out);
        in_hand_text(h, &out);
    }
    report_end(x->program, &out, 0);
}

static void tell_several(struct explain *x)
{
    (void)fprintf(stderr, "several orders are meant by %s; give the id of one, and xsale.organization where there are several:\n", x->asked);
    for (size_t i = 0; i < x->found->keys_n; i++)
        (void)fprintf(stderr, "  %s\n", x->found->keys[i]);
    finish(x, 3, NULL);
}

static void on_found(void *arg, const struct order_search_result *r)
{
    struct explain *x = arg;
    struct err e;
    x->found = r;
    if (r->rc != RC_OK) {
        finish(x, 1, r->words);
    } else if (r->life != NULL) {
        if (in_hand_ask_create(x->program, x->at, r->keys[0], show, x, &x->ask, &e) != RC_OK)
            finish(x, 1, e.text);
    } else if (r->keys_n > 1) {
        tell_several(x);
    } else {
        (void)fprintf(stderr, "no record of order %s: neither as its id nor as its number or foreign number%s\n", x->asked,
                      x->from != SCAN_TIME_BEGINNING ? " since then" : "");
        finish(x, 3, NULL);
    }
}

static enum rc parse_options(struct explain *x, struct err *e)
{
    struct program *p = x->program;
    x->json = program_option_value(p, "--json") != NULL;
    x->at = program_option_value(p, "--at");
    x->asked = program_argument(p, 0);
    enum rc rc = option_moment(p, "--from", "beginning", &x->from, e);
    if (rc == RC_OK && (rc = in_hand_places_check(x->at, e)) != RC_OK)
        err_prefix(e, "--at");
    return rc;
}

static enum rc start_command(struct program *p, void **state, struct err *e)
{
    struct explain *x = calloc(1, sizeof *x);
    if (x == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    x->program = p;
    *state = x;
    enum rc rc = parse_options(x, e);
    return rc == RC_OK ? order_search_create(p, x->asked, x->from, on_found, x, &x->search, e) : rc;
}

static void stop_command(void *state)
{
    finish(state, 1, NULL);
}

static void release_command(void *state)
{
    struct explain *x = state;
    if (x == NULL)
        return;
    in_hand_ask_destroy(x->ask);
    in_hand_release(x->hand);
    order_search_destroy(x->search);
    free(x);
}

const struct program_command replay_explain_command = {
    .name = "explain",
    .arguments = "ORDER",
    .arguments_min = 1,
    .arguments_max = 1,
    .summary = "tell the life of one order",
    .description = "Tells what happened to one order: when it was published and what changed from one publication to the next, what each warehouse's ERP answered, which status "
                   "was set or why it was left alone, and what it waits for now, as the running programs tell it at their HTTP ports. ORDER is its id, its number or the shop's "
                   "own (foreign) number. By the id one partition of each topic is read (with xsale.organization in the configuration), by a number all of the orders.\n\n"
                   "Shows the order's content where it changed, which may be personal data. Exit code 3: no such order, or several.",
    .options = options,
    .options_n = sizeof options / sizeof *options,
    .start = start_command,
    .stop = stop_command,
    .release = release_command
};
