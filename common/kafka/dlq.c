#include "common/kafka/dlq.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <xxhash.h>

enum { REASON_BYTES = 1000, OWN_HEADERS = 9, NUMBER_TEXT = 24, KEY_HASH = 18 };
enum leave_out { NOTHING, VALUE, ALL };

struct headers {
    struct kafka_header all[DLQ_HEADERS];
    size_t n;
    char numbers[5][NUMBER_TEXT]; /* texts of the numeric headers */
    size_t numbers_n;
};

static const char *kind_name(enum dlq_kind kind)
{
    static const char *const names[] = {[DLQ_ORDER] = "order", [DLQ_XSALE_ORDER] = "xsale-order", [DLQ_OUTCOME] = "outcome"};
    return names[kind];
}

static void add(struct headers *h, const char *name, const void *value, size_t n)
{
    h->all[h->n++] = (struct kafka_header){name, value, n};
}

static void add_number(struct headers *h, const char *name, int64_t number)
{
    char *text = h->numbers[h->numbers_n++];
    int n = snprintf(text, NUMBER_TEXT, "%" PRId64, number);
    add(h, name, text, n > 0 ? (size_t)n : 0);
}

static void add_foreign(struct headers *h, const struct kafka_header *from, size_t n)
{
    for (size_t i = 0; i < n && h->n < DLQ_HEADERS - OWN_HEADERS; i++)
        h->all[h->n++] = from[i];
}

/* Longest start of a text within the limit that does not cut a UTF-8 character. */
static size_t cut(const char *text, size_t limit)
{
    size_t n = strlen(text);
    if (n <= limit)
        return n;
    n = limit;
    while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80)
        n--;
    return n;
}

static void fill(struct headers *h, const struct dlq_entry *entry, enum leave_out out)
{
    const char *reason = entry->reason != NULL ? entry->reason : "";
    h->n = h->numbers_n = 0;
    if (entry->source != NULL && out != ALL)
        add_foreign(h, entry->source->headers, entry->source->headers_n);
    add_foreign(h, entry->extra, entry->extra_n);
    add(h, "kind", kind_name(entry->kind), strlen(kind_name(entry->kind)));
    add(h, "reason", reason, cut(reason, REASON_BYTES));
    add(h, "program", entry->program, strlen(entry->program));
    add_number(h, "at", entry->at);
    if (entry->source != NULL) {
        add(h, "source-topic", entry->source->topic, strlen(entry->source->topic));
        add_number(h, "source-partition", entry->source->partition);
        add_number(h, "source-offset", entry->source->offset);
    }
    if (out != NOTHING)
        add_number(h, "omitted", (int64_t)entry->value_n);
    if (out == ALL)
        add_number(h, "omitted-key", (int64_t)entry->key_n);
}

static enum rc send_entry(struct publisher *p, const char *topic, const struct dlq_entry *entry, enum leave_out out, publisher_done_fn *done,
                          void *arg, struct err *e)
{
    struct headers h;
    char hash[KEY_HASH];
    fill(&h, entry, out);
    struct kafka_record r = {.topic = topic, .partition = -1, .key = entry->key, .key_n = entry->key_n, .headers = h.all, .headers_n = h.n};
    r.value = out != NOTHING ? "" : entry->value;
    r.value_n = out != NOTHING ? 0 : entry->value_n;
    if (out == ALL) {
        (void)snprintf(hash, sizeof hash, "?%016" PRIx64, (uint64_t)XXH64(entry->key != NULL ? entry->key : "", entry->key_n, 0)); /* fits */
        r.key = hash;
        r.key_n = strlen(hash);
    }
    return publisher_send(p, &r, done, arg, e);
}

enum rc dlq_publish(struct publisher *p, const char *topic, const struct dlq_entry *entry, publisher_done_fn *done, void *arg, struct err *e)
{
    enum leave_out out = entry->bare ? ALL : entry->omit_value ? VALUE : NOTHING;
    enum rc rc = send_entry(p, topic, entry, out, done, arg, e);
    while (rc == RC_REJECT && out != ALL)
        rc = send_entry(p, topic, entry, ++out, done, arg, e);
    if (rc == RC_REJECT || rc == RC_FATAL)
        err_prefix(e, "dead letter");
    return rc;
}
