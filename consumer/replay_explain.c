#include "consumer/replay_explain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/order_key.h"
#include "common/kafka/kafka_conf.h"
#include "common/kafka/topics.h"
#include "consumer/order_life.h"
#include "consumer/record_field.h"
#include "consumer/scan_time.h"
#include "consumer/topic_scan.h"

enum { TEXT_MAX = 64 * 1024 * 1024, FOUND_MAX = 20 };

static const struct program_option options[] = {
    {"--from", "MOMENT", "Look at records since then only, which is quicker: 3h (ago; s, m, h, d), 2026-11-24T10:00, beginning. Otherwise: beginning."},
    {"--json", NULL, "Print one JSON object."},
};

struct explain {
    struct program *program;
    struct topic_scan *scan;
    struct order_life *life;
    struct loop_timer next;
    const char *organization; /* "": any */
    const char *asked;        /* id, or the shop's own number */
    int64_t from;
    int64_t order;            /* 0: still looked for by its number */
    char key[ORDER_KEY_BYTES]; /* of the order; "": not known yet */
    char found[FOUND_MAX][ORDER_KEY_BYTES]; /* orders with that number */
    size_t found_n;
    bool json;
};

static void finish(struct explain *x, int code, const char *words)
{
    program_finish(x->program, code, words);
}

static bool ours(const struct explain *x, const struct kafka_record *r, int64_t *id)
{
    const char *organization;
    size_t n;
    if (!order_key_parse(r->key, r->key_n, &organization, &n, id))
        return false;
    return *x->organization == '\0' || (strlen(x->organization) == n && memcmp(organization, x->organization, n) == 0);
}

static bool wanted(void *arg, const struct kafka_record *r)
{
    const struct explain *x = arg;
    int64_t id;
    return ours(x, r, &id) && (x->order == 0 || id == x->order);
}

static void note_key(char out[ORDER_KEY_BYTES], const struct kafka_record *r)
{
    size_t n = r->key_n < ORDER_KEY_BYTES ? r->key_n : ORDER_KEY_BYTES - 1;
    memcpy(out, r->key, n);
    out[n] = '\0';
}

static void look_for_number(struct explain *x, const struct scan_record *r)
{
    if (!record_field_equals(r, "number", x->asked) && !record_field_equals(r, "foreignNumber", x->asked))
        return;
    char key[ORDER_KEY_BYTES];
    note_key(key, r->record);
    for (size_t i = 0; i < x->found_n; i++)
        if (strcmp(x->found[i], key) == 0)
            return;
    if (x->found_n < FOUND_MAX)
        memcpy(x->found[x->found_n++], key, sizeof key);
}

static void on_record(void *arg, const struct scan_record *r)
{
    struct explain *x = arg;
    struct err e;
    if (x->order == 0) {
        look_for_number(x, r);
        return;
    }
    if (x->key[0] == '\0')
        note_key(x->key, r->record);
    if (strlen(x->key) != r->record->key_n || memcmp(x->key, r->record->key, r->record->key_n) != 0) {
        finish(x, 2, "the topics hold several organizations with that order: set xsale.organization");
        return;
    }
    if (order_life_add(x->life, r, &e) != RC_OK)
        finish(x, 1, e.text);
}

static void on_failed(void *arg, const char *words)
{
    finish(arg, 1, words);
}

static void show(struct explain *x)
{
    struct buf out;
    int64_t now = clock_wall(loop_clock(program_loop(x->program)));
    buf_init(&out, TEXT_MAX);
    (x->json ? order_life_json : order_life_text)(x->life, x->key, now, &out);
    bool ok = !buf_failed(&out) && fwrite(out.p, 1, out.n, stdout) == out.n && fflush(stdout) == 0;
    buf_release(&out);
    finish(x, ok ? 0 : 1, NULL);
}

static void begin(void *arg);

/* No record has that id as its key: it may still be the shop's own number. */
static void begin_again(struct explain *x, int64_t order)
{
    x->order = order;
    loop_timer_in(program_loop(x->program), &x->next, 0, begin, x);
}

static void on_end(void *arg)
{
    struct explain *x = arg;
    const char *organization;
    size_t n;
    int64_t id;
    if (x->order > 0 && !order_life_empty(x->life)) {
        show(x);
    } else if (x->order > 0) {
        begin_again(x, 0);
    } else if (x->found_n == 1 && order_key_parse(x->found[0], strlen(x->found[0]), &organization, &n, &id)) {
        memcpy(x->key, x->found[0], sizeof x->key);
        begin_again(x, id);
    } else if (x->found_n > 1) {
        (void)fprintf(stderr, "several orders have the number %s:\n", x->asked);
        for (size_t i = 0; i < x->found_n; i++)
            (void)fprintf(stderr, "  %s\n", x->found[i]);
        finish(x, 3, NULL);
    } else {
        (void)fprintf(stderr, "no record of order %s: neither as its id nor as its number or foreign number%s\n", x->asked,
                      x->from != SCAN_TIME_BEGINNING ? " since then" : "");
        finish(x, 3, NULL);
    }
}

/* A number is looked for on orders alone; the life of an order stands on all topics. */
static void begin(void *arg)
{
    static const struct topic_scan_ops ops = {wanted, on_record, on_end, on_failed};
    struct explain *x = arg;
    struct err e;
    char names[TOPIC_COUNT][250];
    struct reader_start starts[TOPIC_COUNT];
    size_t n = 0;
    for (int i = 0; i < TOPIC_COUNT; i++) {
        if (x->order == 0 && i != TOPIC_ORDERS)
            continue;
        kafka_topic_name(program_config(x->program), topic_table[i].name, names[n]);
        starts[n] = (struct reader_start){names[n], -1, x->from == SCAN_TIME_BEGINNING ? READER_BEGINNING : READER_TIME, x->from};
        n++;
    }
    topic_scan_destroy(x->scan);
    x->scan = NULL;
    if (topic_scan_create(x->program, starts, n, &ops, x, &x->scan, &e) != RC_OK)
        finish(x, 1, e.text);
}

static enum rc parse_options(struct explain *x, struct err *e)
{
    struct program *p = x->program;
    const char *from = program_option_value(p, "--from");
    char *end;
    x->organization = config_text(program_config(p), "xsale.organization");
    x->json = program_option_value(p, "--json") != NULL;
    x->asked = program_argument(p, 0);
    errno = 0;
    x->order = strtoll(x->asked, &end, 10);
    if (errno != 0 || *end != '\0' || x->asked[0] < '1' || x->asked[0] > '9')
        x->order = 0;
    enum rc rc = scan_time_parse(from != NULL ? from : "beginning", clock_wall(loop_clock(program_loop(p))), &x->from, e);
    if (rc != RC_OK)
        err_prefix(e, "--from");
    return rc;
}

static enum rc start_command(struct program *p, void **state, struct err *e)
{
    struct explain *x = calloc(1, sizeof *x);
    if (x == NULL || (x->life = order_life_create()) == NULL) {
        free(x);
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    x->program = p;
    *state = x;
    enum rc rc = parse_options(x, e);
    if (rc == RC_OK)
        begin(x);
    return rc;
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
    loop_timer_clear(program_loop(x->program), &x->next);
    topic_scan_destroy(x->scan);
    order_life_destroy(x->life);
    free(x);
}

const struct program_command replay_explain_command = {
    .name = "explain",
    .arguments = "ORDER",
    .arguments_min = 1,
    .arguments_max = 1,
    .summary = "tell the life of one order",
    .description = "Reads every topic and tells what happened to one order: when it was published and what changed from one publication to the next, what each "
                   "warehouse's ERP answered, which status was set or why it was left alone, and what it waits for now. ORDER is its id, its number or the shop's own "
                   "(foreign) number.\n\n"
                   "Shows the order's content where it changed, which may be personal data. Exit code 3: no such order, or several.",
    .options = options,
    .options_n = sizeof options / sizeof *options,
    .start = start_command,
    .stop = stop_command,
    .release = release_command
};
