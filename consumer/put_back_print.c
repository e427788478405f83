#include "consumer/put_back_print.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/utf8.h"
#include "common/contract/avro_json.h"
#include "consumer/record_line.h"

enum { NAMED_MAX = 20, WAREHOUSES_SHOWN = 256, PARTITIONS_SHOWN = 1024 };

static const struct fate_words {
    const char *name, *redrive, *resend;
} fates[PUT_BACK_FATES] = {
    [PUT_BACK_YES] = {"back", "to be put back", "to be put back"},
    [PUT_BACK_SUPERSEDED] = {"superseded", "superseded: a newer publication stands behind the rejected one", "superseded: a newer publication is known, but its record is not there"},
    [PUT_BACK_DONE] = {"done", "put back before, nothing to do", "put back before"},
    [PUT_BACK_WITHDRAWN] = {"withdrawn", "withdrawn since then: the order is no longer wanted",
                            "withdrawn: xSale no longer shows it in a new status; to load it after all, set it to the new status there"},
    [PUT_BACK_IMPORTED] = {"imported", "no longer rejected: every warehouse has taken it since", ""},
    [PUT_BACK_IN_FLIGHT] = {"in-flight", "still under way: no warehouse's last answer is a rejection, and one has not answered",
                            "still under way: a warehouse has not answered the newest publication; it is tried without this, or use --force"},
    [PUT_BACK_TOO_OFTEN] = {"too-often", "put back 3 times already and rejected each time: correct the cause, then use --force", ""},
    [PUT_BACK_UNREADABLE] = {"unreadable", "the record cannot be read", "the record cannot be read"},
    [PUT_BACK_UNKNOWN] = {"unknown", "no record of it is there", "no record of it is on orders"},
};

size_t put_back_count(const struct put_back *b, enum put_back_fate fate)
{
    size_t n = 0;
    for (const struct put_back_order *o = b->orders; o != NULL; o = o->hh.next)
        n += o->fate == fate;
    return n;
}

/* How many of the chosen go where. */
struct spread {
    size_t partitions[PARTITIONS_SHOWN], unknown; /* unknown: the key decides, no record is there to show it */
    struct {
        const char *name;
        size_t name_n, orders;
    } warehouses[WAREHOUSES_SHOWN];
    size_t warehouses_n;
    const struct put_back_order *first, *last;
};

static void count_warehouse(struct spread *s, const char *name, size_t n)
{
    size_t i = 0;
    while (i < s->warehouses_n && (s->warehouses[i].name_n != n || memcmp(s->warehouses[i].name, name, n) != 0))
        i++;
    if (i == WAREHOUSES_SHOWN)
        return;
    if (i == s->warehouses_n) {
        s->warehouses[i].name = name;
        s->warehouses[i].name_n = n;
        s->warehouses[s->warehouses_n++].orders = 0;
    }
    s->warehouses[i].orders++;
}

static void spread_of(const struct put_back *b, struct spread *s)
{
    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < b->chosen_n; i++) {
        const struct put_back_order *o = b->chosen[i];
        if (o->home >= 0 && o->home < PARTITIONS_SHOWN)
            s->partitions[o->home]++;
        else
            s->unknown++;
        for (const char *p = o->warehouses; *p != '\0'; p += *p == ',') {
            size_t n = strcspn(p, ",");
            count_warehouse(s, p, n);
            p += n;
        }
        if (s->first == NULL || o->at < s->first->at)
            s->first = o;
        if (s->last == NULL || o->at >= s->last->at)
            s->last = o;
    }
}

static void put_end(struct buf *out, const char *name, const struct put_back_order *o)
{
    buf_printf(out, "  %-6s %s, %s ", name, o->key, o->source == PUT_BACK_LETTER ? "rejected" : "published");
    record_line_time(o->at, out);
    buf_put_byte(out, '\n');
}

static void put_spread(const struct put_back *b, struct buf *out)
{
    struct spread s;
    if (b->chosen_n == 0)
        return;
    spread_of(b, &s);
    buf_printf(out, "%9s %9s\n", "partition", "orders");
    for (int i = 0; i < PARTITIONS_SHOWN; i++)
        if (s.partitions[i] > 0)
            buf_printf(out, "%9d %9zu\n", i, s.partitions[i]);
    if (s.unknown > 0)
        buf_printf(out, "%9s %9zu\n", "by key", s.unknown);
    for (size_t i = 0; i < s.warehouses_n; i++)
        buf_printf(out, "  for %.*s: %zu\n", (int)s.warehouses[i].name_n, s.warehouses[i].name, s.warehouses[i].orders);
    put_end(out, "first:", s.first);
    put_end(out, "last:", s.last);
}

static void put_left(const struct put_back *b, enum put_back_fate fate, struct buf *out)
{
    size_t n = put_back_count(b, fate), named = 0;
    if (n == 0)
        return;
    buf_printf(out, "left alone: %zu %s, %s\n", n, n == 1 ? "order" : "orders", b->redrive ? fates[fate].redrive : fates[fate].resend);
    for (const struct put_back_order *o = b->orders; o != NULL && named < NAMED_MAX; o = o->hh.next) {
        if (o->fate != fate)
            continue;
        named++;
        buf_printf(out, "  %s%s%s\n", o->key, o->fault != NULL ? ": " : "", o->fault != NULL ? o->fault : "");
    }
    if (n > named)
        buf_printf(out, "  and %zu more (--json names all)\n", n - named);
}

static void put_all_left(const struct put_back *b, struct buf *out)
{
    for (int fate = PUT_BACK_YES + 1; fate < PUT_BACK_FATES; fate++)
        put_left(b, (enum put_back_fate)fate, out);
}

void put_back_text(const struct put_back *b, struct buf *out)
{
    if (b->redrive)
        buf_printf(out, "%" PRIu64 " dead letters chosen, of %zu orders\n", b->letters, b->n);
    if (b->others > 0)
        buf_printf(out, "%" PRIu64 " others are no records of orders (what xsale-producer refused, outcomes): what is wrong there is corrected in xSale\n", b->others);
    buf_printf(out, "to be put back onto %s: %zu %s\n", b->topics[TOPIC_ORDERS], b->chosen_n, b->chosen_n == 1 ? "order" : "orders");
    put_spread(b, out);
    put_all_left(b, out);
}

static void count_done(const struct put_back *b, size_t *put, size_t *failed, size_t *late)
{
    *put = *failed = *late = 0;
    for (size_t i = 0; i < b->chosen_n; i++) {
        *put += b->chosen[i]->put;
        *failed += b->chosen[i]->failed;
        *late += b->chosen[i]->fate != PUT_BACK_YES;
    }
}

void put_back_result(const struct put_back *b, struct buf *out)
{
    size_t put, failed, late;
    count_done(b, &put, &failed, &late);
    buf_printf(out, "put back: %zu of %zu orders\n", put, b->chosen_n);
    if (late > 0)
        buf_printf(out, "left alone: %zu that were published anew while this went on\n", late);
    for (size_t i = 0; i < b->chosen_n && failed > 0; i++)
        if (b->chosen[i]->failed)
            buf_printf(out, "not put back: %s: %s\n", b->chosen[i]->key, b->chosen[i]->fault != NULL ? b->chosen[i]->fault : "");
    if (put + late + failed < b->chosen_n)
        buf_printf(out, "%zu were not tried: the same command again goes on with them\n", b->chosen_n - put - late - failed);
}

static void put_json_text(struct buf *out, const char *text, size_t n)
{
    avro_json_text(out, (const unsigned char *)text, utf8_check(text, n));
}

static const char *state_of(const struct put_back_order *o)
{
    return o->put ? "put" : o->failed ? "failed" : fates[o->fate].name;
}

static void put_json_order(struct buf *out, const struct put_back_order *o, bool first)
{
    buf_put_text(out, first ? "{\"order\":" : ",{\"order\":");
    put_json_text(out, o->key, strlen(o->key));
    buf_printf(out, ",\"state\":\"%s\",\"publication\":%" PRId64 ",\"newest\":%" PRId64 ",\"redrives\":%" PRId64, state_of(o), o->publication,
               o->on_orders > o->elsewhere ? o->on_orders : o->elsewhere, o->redrives);
    if (o->fate == PUT_BACK_YES)
        buf_printf(out, ",\"next\":%" PRId64, o->publication + 1);
    if (o->fault != NULL) {
        buf_put_text(out, ",\"fault\":");
        put_json_text(out, o->fault, strlen(o->fault));
    }
    buf_put_byte(out, '}');
}

static void put_json_end(struct buf *out, const char *name, const struct put_back_order *o)
{
    buf_printf(out, ",\"%s\":", name);
    if (o == NULL) {
        buf_put_text(out, "null");
        return;
    }
    buf_put_text(out, "{\"order\":");
    put_json_text(out, o->key, strlen(o->key));
    buf_put_text(out, ",\"time\":\"");
    record_line_time(o->at, out);
    buf_put_text(out, "\"}");
}

static void put_json_spread(const struct put_back *b, struct buf *out)
{
    struct spread s;
    bool first = true;
    spread_of(b, &s);
    buf_put_text(out, ",\"partitions\":[");
    for (int i = 0; i < PARTITIONS_SHOWN; i++) {
        if (s.partitions[i] == 0)
            continue;
        buf_printf(out, "%s{\"partition\":%d,\"orders\":%zu}", first ? "" : ",", i, s.partitions[i]);
        first = false;
    }
    buf_put_text(out, "],\"warehouses\":[");
    for (size_t i = 0; i < s.warehouses_n; i++) {
        buf_put_text(out, i > 0 ? ",{\"warehouse\":" : "{\"warehouse\":");
        put_json_text(out, s.warehouses[i].name, s.warehouses[i].name_n);
        buf_printf(out, ",\"orders\":%zu}", s.warehouses[i].orders);
    }
    buf_put_byte(out, ']');
    put_json_end(out, "first", s.first);
    put_json_end(out, "last", s.last);
}

void put_back_json(const struct put_back *b, bool done, struct buf *out)
{
    size_t put, failed, late;
    bool first = true;
    count_done(b, &put, &failed, &late);
    buf_printf(out, "{\"command\":\"%s\",\"topic\":\"%s\",\"done\":%s,\"letters\":%" PRIu64 ",\"orders\":%zu,\"back\":%zu,\"superseded\":%zu,\"put\":%zu,\"failed\":%zu",
               b->redrive ? "redrive" : "resend", b->topics[TOPIC_ORDERS], done ? "true" : "false", b->letters, b->n, b->chosen_n,
               put_back_count(b, PUT_BACK_SUPERSEDED), put, failed);
    put_json_spread(b, out);
    buf_put_text(out, ",\"each\":[");
    for (const struct put_back_order *o = b->orders; o != NULL; o = o->hh.next) {
        put_json_order(out, o, first);
        first = false;
    }
    buf_put_text(out, "]}\n");
}
