#include "consumer/replay_tail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/order_key.h"
#include "common/kafka/kafka_conf.h"
#include "common/kafka/topics.h"
#include "consumer/option_number.h"
#include "consumer/order_record.h"
#include "consumer/record_field.h"
#include "consumer/record_line.h"
#include "consumer/scan_time.h"
#include "consumer/topic_scan.h"

enum { LINE_MAX_BYTES = 64 * 1024 * 1024 };

static const struct program_option options[] = {
    {"--topic", "NAME[,NAME...]", "Only these topics: orders, order-state, order-outcomes, order-status, orders-dlq. Otherwise all five."},
    {"--from", "MOMENT", "Begin with records of that moment: 3h (ago; s, m, h, d), 2026-11-24T10:00 (local time), 2026-11-24T10:00Z, beginning, end. Otherwise: 1h."},
    {"--follow", NULL, "Go on with what comes, until interrupted."},
    {"--order", "ID", "Only records of this order."},
    {"--warehouse", "NAME", "Only publications that name this warehouse, and its outcomes."},
    {"--result", "RESULT", "Only outcomes with this result: IMPORTED, REJECTED, SUPERSEDED, WITHDRAWN."},
    {"--limit", "N", "End after N records."},
    {"--json", NULL, "One JSON object a line, with the whole value; without it one line of text that holds nothing personal."},
};

struct tail {
    struct program *program;
    struct topic_scan *scan;
    struct buf line;
    int64_t from, order, limit, shown;
    const char *warehouse, *result; /* NULL: any */
    const char *organization;       /* "": any */
    bool json, follow;
};

static bool key_fits(const struct tail *t, const struct kafka_record *r)
{
    const char *organization;
    size_t n;
    int64_t id;
    if (t->order == 0 && *t->organization == '\0')
        return true;
    if (!order_key_parse(r->key, r->key_n, &organization, &n, &id))
        return t->order == 0; /* a dead letter without a usable id belongs to nobody */
    bool ours = *t->organization == '\0' || (strlen(t->organization) == n && memcmp(t->organization, organization, n) == 0);
    return ours && (t->order == 0 || id == t->order);
}

static bool wanted(void *arg, const struct kafka_record *r)
{
    const struct tail *t = arg;
    return (r->timestamp < 0 || r->timestamp >= t->from) && key_fits(t, r);
}

/* Is the word in a comma list of n bytes? */
static bool lists(const char *list, size_t n, const char *word)
{
    size_t m = strlen(word);
    for (size_t i = 0; i <= n;) {
        const char *comma = i < n ? memchr(list + i, ',', n - i) : NULL;
        size_t length = comma != NULL ? (size_t)(comma - list) - i : n - i;
        if (length == m && memcmp(list + i, word, m) == 0)
            return true;
        i += length + 1;
    }
    return false;
}

static bool value_fits(const struct tail *t, const struct scan_record *r)
{
    if (t->result != NULL && !record_field_equals(r, "result", t->result))
        return false;
    if (t->warehouse == NULL)
        return true;
    const struct kafka_header *h = kafka_record_header(r->record, "warehouses");
    if (h != NULL && h->value != NULL)
        return order_record_names(r->record, t->warehouse);
    return record_field_equals(r, "warehouse", t->warehouse);
}

static void on_record(void *arg, const struct scan_record *r)
{
    struct tail *t = arg;
    if (!value_fits(t, r) || (t->limit > 0 && t->shown >= t->limit))
        return;
    buf_reset(&t->line);
    (t->json ? record_line_json : record_line_text)(r, &t->line);
    if (buf_failed(&t->line)) {
        program_finish(t->program, 1, "out of memory");
        return;
    }
    errno = 0;
    bool written = fwrite(t->line.p, 1, t->line.n, stdout) == t->line.n && (!t->follow || fflush(stdout) == 0);
    t->shown++;
    if (!written) /* whoever read this has seen enough */
        program_finish(t->program, errno == EPIPE ? 0 : 1, errno == EPIPE ? NULL : "cannot write to standard output");
    else if (t->limit > 0 && t->shown >= t->limit)
        program_finish(t->program, 0, NULL);
}

static void on_end(void *arg)
{
    struct tail *t = arg;
    if (!t->follow || fflush(stdout) != 0)
        program_finish(t->program, 0, NULL);
}

static void on_failed(void *arg, const char *words)
{
    struct tail *t = arg;
    program_finish(t->program, 1, words);
}

static enum rc parse_result(struct tail *t, struct err *e)
{
    static const char *const results[] = {"IMPORTED", "REJECTED", "SUPERSEDED", "WITHDRAWN"};
    if ((t->result = program_option_value(t->program, "--result")) == NULL)
        return RC_OK;
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        if (strcmp(results[i], t->result) == 0)
            return RC_OK;
    err_set(e, "--result: %.40s is none of IMPORTED, REJECTED, SUPERSEDED, WITHDRAWN", t->result);
    return RC_REJECT;
}

static enum rc parse_options(struct tail *t, struct err *e)
{
    struct program *p = t->program;
    const char *from = program_option_value(p, "--from");
    int64_t now = clock_wall(loop_clock(program_loop(p)));
    t->organization = config_text(program_config(p), "xsale.organization");
    t->warehouse = program_option_value(p, "--warehouse");
    t->json = program_option_value(p, "--json") != NULL;
    t->follow = program_option_value(p, "--follow") != NULL;
    enum rc rc = scan_time_parse(from != NULL ? from : "1h", now, &t->from, e);
    if (rc != RC_OK)
        err_prefix(e, "--from");
    if (rc == RC_OK && t->from == SCAN_TIME_END)
        t->from = now;
    if (rc == RC_OK)
        rc = option_number("--order", program_option_value(p, "--order"), 1, INT64_MAX, &t->order, e);
    if (rc == RC_OK)
        rc = option_number("--limit", program_option_value(p, "--limit"), 1, INT64_MAX, &t->limit, e);
    return rc == RC_OK ? parse_result(t, e) : rc;
}

/* The topics of the list as starts; names: room for their full names. */
static enum rc choose_topics(const struct tail *t, char names[TOPIC_COUNT][250], struct reader_start *starts, size_t *n, struct err *e)
{
    const char *list = program_option_value(t->program, "--topic");
    size_t found = 0, words = list != NULL ? 1 : 0;
    for (const char *c = list; c != NULL && *c != '\0'; c++)
        words += *c == ',';
    for (int i = 0; i < TOPIC_COUNT; i++) {
        bool named = list != NULL ? lists(list, strlen(list), topic_table[i].name) : t->result == NULL || i == TOPIC_OUTCOMES;
        if (!named)
            continue;
        kafka_topic_name(program_config(t->program), topic_table[i].name, names[found]);
        starts[found] = (struct reader_start){names[found], -1, t->from == SCAN_TIME_BEGINNING ? READER_BEGINNING : READER_TIME, t->from};
        found++;
    }
    *n = found;
    if (found > 0 && (list == NULL || found == words))
        return RC_OK;
    err_set(e, "--topic: %.80s: there are orders, order-state, order-outcomes, order-status and orders-dlq", list);
    return RC_REJECT;
}

static enum rc start_command(struct program *p, void **state, struct err *e)
{
    static const struct topic_scan_ops ops = {wanted, on_record, on_end, on_failed, true};
    char names[TOPIC_COUNT][250];
    struct reader_start starts[TOPIC_COUNT];
    size_t n = 0;
    struct tail *t = calloc(1, sizeof *t);
    if (t == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    t->program = p;
    buf_init(&t->line, LINE_MAX_BYTES);
    *state = t;
    enum rc rc = parse_options(t, e);
    if (rc == RC_OK)
        rc = choose_topics(t, names, starts, &n, e);
    return rc == RC_OK ? topic_scan_create(p, starts, n, &ops, t, &t->scan, e) : rc;
}

static void stop_command(void *state)
{
    struct tail *t = state;
    program_finish(t->program, 0, NULL);
}

static void release_command(void *state)
{
    struct tail *t = state;
    if (t == NULL)
        return;
    topic_scan_destroy(t->scan);
    (void)fflush(stdout); /* a reader that is gone has been told of above */
    buf_release(&t->line);
    free(t);
}

const struct program_command replay_tail_command = {
    .name = "tail",
    .summary = "show what is on the topics, decoded",
    .description = "Prints the records of the bridge's topics, oldest first within a partition, one line each. Reads only: nothing is changed or committed.",
    .options = options,
    .options_n = sizeof options / sizeof *options,
    .start = start_command,
    .stop = stop_command,
    .release = release_command
};
