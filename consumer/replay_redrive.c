#include "consumer/replay_redrive.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/contract/order_key.h"
#include "common/kafka/kafka_conf.h"
#include "consumer/option_moment.h"
#include "consumer/option_number.h"
#include "consumer/put_back_run.h"
#include "consumer/scan_time.h"

static const struct program_option options[] = {
    {"--reason-code", "CODE", "Only dead letters with this code: refused, given-up, unreadable, schema-unknown, too-large. May be given several times."},
    {"--reason", "TEXT", "Only those whose reason holds this text, in capital or small letters. May be given several times: one of them."},
    {"--warehouse", "NAME", "Only those that this warehouse's ERP refused. May be given several times. The order goes back to all its warehouses."},
    {"--order", "ID", "Only this order. May be given several times."},
    {"--from", "MOMENT", "Only those refused since then: 3h (ago; s, m, h, d), 2026-11-24T10:00 (local time), 2026-11-24T10:00Z, beginning. Otherwise: beginning."},
    {"--until", "MOMENT", "Only those refused before. Otherwise: end."},
    {"--force", NULL, "Put orders back that were put back 3 times and refused each time, too."},
    PUT_BACK_OPTIONS,
};

struct redrive {
    struct put_back_run run;
    struct topic_scan *scan; /* of the dead letters */
    struct loop_timer next;
    const char *organization; /* "": any */
    int64_t from, until;
};

static struct program *program(const struct redrive *x)
{
    return x->run.program;
}

static void failed(void *arg, const char *words)
{
    struct redrive *x = arg;
    program_finish(program(x), 1, words);
}

/* ---- which dead letters */

static bool equals(const char *p, size_t n, const char *word)
{
    return n == strlen(word) && memcmp(p, word, n) == 0;
}

static bool holds(const char *p, size_t n, const char *word)
{
    size_t m = strlen(word);
    for (size_t i = 0; i + m <= n; i++)
        if (strncasecmp(p + i, word, m) == 0)
            return true;
    return false;
}

/* One of the option's arguments fits the header, or there is none. */
static bool fits(const struct redrive *x, const char *option, const struct kafka_record *r, const char *header, bool (*same)(const char *, size_t, const char *))
{
    const struct kafka_header *h = kafka_record_header(r, header);
    const char *word = program_option_again(program(x), option, 0);
    if (word == NULL)
        return true;
    for (size_t i = 0; h != NULL && h->value != NULL && (word = program_option_again(program(x), option, i)) != NULL; i++)
        if (same(h->value, h->n, word))
            return true;
    return false;
}

static bool key_fits(const struct redrive *x, const struct kafka_record *r)
{
    const char *organization, *word = program_option_again(program(x), "--order", 0);
    size_t n;
    int64_t id, wanted = 0;
    if (!order_key_parse(r->key, r->key_n, &organization, &n, &id))
        return word == NULL; /* counted, no more */
    if (*x->organization != '\0' && !equals(organization, n, x->organization))
        return false;
    for (size_t i = 0; (word = program_option_again(program(x), "--order", i)) != NULL; i++)
        if (option_number("--order", word, 1, INT64_MAX, &wanted, NULL) == RC_OK && wanted == id)
            return true;
    return program_option_again(program(x), "--order", 0) == NULL;
}

static bool chosen(void *arg, const struct kafka_record *r)
{
    const struct redrive *x = arg;
    bool in_time = r->timestamp < 0 || (r->timestamp >= x->from && r->timestamp < x->until);
    return in_time && key_fits(x, r) && fits(x, "--reason-code", r, "reason-code", equals) && fits(x, "--warehouse", r, "warehouse", equals) &&
           fits(x, "--reason", r, "reason", holds);
}

static void on_letter(void *arg, const struct scan_record *r)
{
    struct redrive *x = arg;
    struct err e;
    enum rc rc = put_back_letter(&x->run.list, r, &e);
    if (rc != RC_OK)
        program_finish(program(x), rc == RC_REJECT ? 2 : 1, e.text);
}

static void go_on(void *arg)
{
    struct redrive *x = arg;
    put_back_run_begin(&x->run);
    topic_scan_destroy(x->scan);
    x->scan = NULL;
}

static void on_end(void *arg)
{
    struct redrive *x = arg;
    loop_timer_in(x->run.loop, &x->next, 0, go_on, x);
}

/* ---- the command */

static enum rc parse_options(struct redrive *x, struct err *e)
{
    const char *word;
    int64_t number;
    enum rc rc = option_moment(program(x), "--from", "beginning", &x->from, e);
    if (rc == RC_OK)
        rc = option_moment(program(x), "--until", "end", &x->until, e);
    for (size_t i = 0; rc == RC_OK && (word = program_option_again(program(x), "--order", i)) != NULL; i++)
        rc = option_number("--order", word, 1, INT64_MAX, &number, e);
    if (rc == RC_OK && x->from >= x->until) {
        err_set(e, "--from is not before --until");
        rc = RC_REJECT;
    }
    return rc;
}

static enum rc start_command(struct program *p, void **state, struct err *e)
{
    static const struct topic_scan_ops ops = {chosen, on_letter, on_end, failed, false};
    struct redrive *x = calloc(1, sizeof *x);
    if (x == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    *state = x;
    x->organization = config_text(program_config(p), "xsale.organization");
    enum rc rc = put_back_run_init(&x->run, p, true, e);
    if (rc == RC_OK)
        rc = parse_options(x, e);
    if (rc != RC_OK)
        return rc;
    struct reader_start start = {x->run.list.topics[TOPIC_DLQ], -1, x->from == SCAN_TIME_BEGINNING ? READER_BEGINNING : READER_TIME, x->from};
    rc = topic_scan_create(p, &start, 1, &ops, x, &x->scan, e);
    if (rc == RC_OK)
        topic_scan_open_letters(x->scan);
    return rc;
}

static void stop_command(void *state)
{
    struct redrive *x = state;
    put_back_run_stop(&x->run);
}

static void release_command(void *state)
{
    struct redrive *x = state;
    if (x == NULL)
        return;
    if (x->run.program != NULL)
        loop_timer_clear(x->run.loop, &x->next);
    put_back_run_release(&x->run);
    topic_scan_destroy(x->scan);
    free(x);
}

const struct program_command replay_redrive_command = {
    .name = "redrive",
    .summary = "put rejected orders back, so that they are loaded once more",
    .description = "For what the ERP refused and would take now: a wrong tax code that was corrected, an article that was missing. Takes the orders' records from the "
                   "dead letters and puts them back as they were, each as a new publication for all its warehouses; a warehouse that has the order already keeps its "
                   "document. The status in xSale follows the new answers. What was edited in xSale since goes through xSale: set the order to the new status "
                   "there.\n\n"
                   "Only the newest publication of an order is put back. What was published anew, withdrawn, loaded or put back meanwhile is named and left alone, so the "
                   "command can be repeated, also after it was interrupted or killed, and two people may run it at once. Not known here is a status that a person set in "
                   "xSale after the rejection: an order that was cancelled by hand there is to be left out.\n\n"
                   "An order that was put back 3 times and refused each time is left alone unless forced. Shows first what would happen. Exit code 1: interrupted, or not "
                   "all could be put back.",
    .options = options,
    .options_n = sizeof options / sizeof *options,
    .start = start_command,
    .stop = stop_command,
    .release = release_command
};
