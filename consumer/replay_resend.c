#include "consumer/replay_resend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/order_key.h"
#include "consumer/option_number.h"
#include "consumer/put_back_run.h"
#include "consumer/record_field.h"

enum { ORDERS_MAX = 1000 };

static const struct program_option options[] = {
    {"--force", NULL, "Orders that are still under way, too: their present publication is overtaken by the new one."},
    PUT_BACK_OPTIONS,
};

/* One ORDER of the command line. */
struct asked {
    const char *word;
    int64_t id;         /* 0: the word is no id */
    char key[ORDER_KEY_BYTES]; /* "": not found yet */
    bool several;
};

struct resend {
    struct put_back_run run;
    struct topic_scan *scan; /* looks for the orders */
    struct loop_timer next;
    const char *organization; /* "": any */
    struct asked *asked;      /* asked_n */
    size_t asked_n;
    bool by_number;
};

static struct program *program(const struct resend *x)
{
    return x->run.program;
}

static void failed(void *arg, const char *words)
{
    struct resend *x = arg;
    program_finish(program(x), 1, words);
}

static void found(struct asked *a, const struct kafka_record *r)
{
    if (a->key[0] == '\0') {
        memcpy(a->key, r->key, r->key_n); /* parsed, so it fits */
        a->key[r->key_n] = '\0';
    } else if (strlen(a->key) != r->key_n || memcmp(a->key, r->key, r->key_n) != 0) {
        a->several = true;
    }
}

/* By the key alone; *id of it. */
static bool ours(const struct resend *x, const struct kafka_record *r, int64_t *id)
{
    const char *organization;
    size_t n;
    if (!order_key_parse(r->key, r->key_n, &organization, &n, id))
        return false;
    return *x->organization == '\0' || (strlen(x->organization) == n && memcmp(organization, x->organization, n) == 0);
}

/* Ids are told by keys: no record is wanted whole. */
static bool wanted(void *arg, const struct kafka_record *r)
{
    struct resend *x = arg;
    int64_t id;
    if (!ours(x, r, &id))
        return false;
    for (size_t i = 0; i < x->asked_n && !x->by_number; i++)
        if (x->asked[i].id == id)
            found(&x->asked[i], r);
    return x->by_number;
}

static void on_record(void *arg, const struct scan_record *r)
{
    struct resend *x = arg;
    for (size_t i = 0; i < x->asked_n; i++) {
        struct asked *a = &x->asked[i];
        bool open = a->key[0] == '\0' || a->id == 0; /* one that was found as an id is one */
        if (open && (record_field_equals(r, "number", a->word) || record_field_equals(r, "foreignNumber", a->word))) {
            a->id = 0;
            found(a, r->record);
        }
    }
}

static void begin(void *arg);

static bool all_found(const struct resend *x)
{
    for (size_t i = 0; i < x->asked_n; i++)
        if (x->asked[i].key[0] == '\0')
            return false;
    return true;
}

/* Nothing is sent when it is not clear what is meant. */
static bool refuse(const struct resend *x)
{
    bool any = false;
    for (size_t i = 0; i < x->asked_n; i++) {
        const struct asked *a = &x->asked[i];
        if (a->key[0] == '\0')
            (void)fprintf(stderr, "no record of order %s on orders: neither as its id nor as its number or foreign number\n", a->word);
        else if (a->several)
            (void)fprintf(stderr, "several orders go by %s: name one by its id, and set xsale.organization where the topics hold several\n", a->word);
        any = any || a->key[0] == '\0' || a->several;
    }
    return any;
}

static void go_on(void *arg)
{
    struct resend *x = arg;
    struct err e;
    topic_scan_destroy(x->scan);
    x->scan = NULL;
    if (!x->by_number && !all_found(x)) {
        x->by_number = true;
        begin(x);
        return;
    }
    if (refuse(x)) {
        (void)fprintf(stderr, "nothing was changed\n");
        program_finish(program(x), 3, NULL);
        return;
    }
    for (size_t i = 0; i < x->asked_n; i++)
        if (put_back_name(&x->run.list, x->asked[i].key, strlen(x->asked[i].key), &e) != RC_OK) {
            failed(x, e.text);
            return;
        }
    put_back_run_begin(&x->run);
}

static void on_end(void *arg)
{
    struct resend *x = arg;
    loop_timer_in(x->run.loop, &x->next, 0, go_on, x);
}

static void begin(void *arg)
{
    static const struct topic_scan_ops ops = {wanted, on_record, on_end, failed, false};
    struct resend *x = arg;
    struct err e;
    struct reader_start start = {x->run.list.topics[TOPIC_ORDERS], -1, READER_BEGINNING, 0};
    if (topic_scan_create(program(x), &start, 1, &ops, x, &x->scan, &e) != RC_OK)
        failed(x, e.text);
}

static enum rc start_command(struct program *p, void **state, struct err *e)
{
    struct resend *x = calloc(1, sizeof *x);
    *state = x;
    if (x == NULL || (x->asked = calloc(program_arguments(p) + 1, sizeof *x->asked)) == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    x->organization = config_text(program_config(p), "xsale.organization");
    enum rc rc = put_back_run_init(&x->run, p, false, e);
    x->asked_n = program_arguments(p);
    for (size_t i = 0; i < x->asked_n; i++) {
        x->asked[i].word = program_argument(p, i);
        (void)option_number("ORDER", x->asked[i].word, 1, INT64_MAX, &x->asked[i].id, NULL); /* else a number of the shop's */
    }
    if (rc == RC_OK)
        begin(x);
    return rc;
}

static void stop_command(void *state)
{
    struct resend *x = state;
    put_back_run_stop(&x->run);
}

static void release_command(void *state)
{
    struct resend *x = state;
    if (x == NULL)
        return;
    if (x->run.program != NULL)
        loop_timer_clear(x->run.loop, &x->next);
    put_back_run_release(&x->run);
    topic_scan_destroy(x->scan);
    free(x->asked);
    free(x);
}

const struct program_command replay_resend_command = {
    .name = "resend",
    .arguments = "ORDER...",
    .arguments_min = 1,
    .arguments_max = ORDERS_MAX,
    .summary = "publish orders once more to all their warehouses",
    .description = "Takes the newest record of each ORDER (its id, its number or the shop's own number) and puts it back as a new publication: every warehouse of the order is "
                   "asked once more, under a new idempotency key; one that has the order keeps its document. The order is what it was at its last publication, not "
                   "what xSale shows now.\n\n"
                   "Left alone: an order whose newest publication is its withdrawal, and one that is still under way unless forced. When one ORDER cannot be "
                   "found, nothing is sent. Shows first what would happen. Each repetition is a new publication. Exit code 3: an order was not found or left alone; 1: interrupted, or "
                   "not all could be put back.",
    .options = options,
    .options_n = sizeof options / sizeof *options,
    .start = start_command,
    .stop = stop_command,
    .release = release_command
};
