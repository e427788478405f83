#include "consumer/record_line.h"

#include <jansson.h>
#include <string.h>

#include "common/base/utf8.h"
#include "common/contract/avro_json.h"
#include "common/contract/zone.h"
#include "consumer/order_record.h"

enum { SMALL_MAX = 1024 * 1024 };

void record_line_time(int64_t ms, struct buf *out)
{
    char text[32] = "-";
    if (ms > 0)
        zone_print_moment(ms, text);
    buf_put_text(out, text);
}

static bool is_text(const void *p, size_t n)
{
    return p != NULL && utf8_check(p, n) == n;
}

static void put_bytes(struct buf *out, const void *p, size_t n)
{
    if (p == NULL) {
        buf_put_text(out, "null");
    } else if (is_text(p, n)) {
        avro_json_text(out, p, n);
    } else {
        buf_put_text(out, "{\"bytes\":");
        avro_json_base64(out, p, n);
        buf_put_byte(out, '}');
    }
}

static void put_member(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, ",\"%s\":", name);
    put_bytes(out, text, strlen(text));
}

static void put_headers(struct buf *out, const struct kafka_record *r)
{
    buf_put_text(out, ",\"headers\":{");
    for (size_t i = 0; i < r->headers_n; i++) {
        if (kafka_record_header(r, r->headers[i].name) != &r->headers[i])
            continue; /* the last of a name is the one that counts */
        put_bytes(out, r->headers[i].name, strlen(r->headers[i].name));
        buf_put_byte(out, ':');
        put_bytes(out, r->headers[i].value, r->headers[i].n);
        buf_put_byte(out, ',');
    }
    if (!buf_failed(out) && out->p[out->n - 1] == ',')
        out->n--;
    buf_put_byte(out, '}');
}

static void put_value(struct buf *out, const struct scan_record *r, struct err *e)
{
    struct avro_cursor c = {r->avro, r->avro + r->avro_n};
    size_t begin = out->n;
    if (r->writer != NULL && avro_json_value(schema_root(r->writer), NULL, &c, out, e) == RC_OK)
        return;
    if (r->writer != NULL && !buf_failed(out))
        out->n = begin;
    if (r->writer != NULL || r->fault[0] != '\0')
        put_bytes(out, NULL, 0);
    else
        put_bytes(out, r->record->value, r->record->value_n);
}

void record_line_json(const struct scan_record *r, struct buf *out)
{
    struct err e = {""};
    const struct kafka_record *k = r->record;
    buf_put_text(out, "{\"topic\":");
    put_bytes(out, k->topic, strlen(k->topic));
    buf_printf(out, ",\"partition\":%d,\"offset\":%lld,\"time\":\"", (int)k->partition, (long long)k->offset);
    record_line_time(k->timestamp, out);
    buf_put_text(out, "\",\"key\":");
    put_bytes(out, k->key, k->key_n);
    put_headers(out, k);
    buf_put_text(out, ",\"value\":");
    put_value(out, r, &e);
    if (r->fault[0] != '\0' || e.text[0] != '\0')
        put_member(out, "fault", r->fault[0] != '\0' ? r->fault : e.text);
    buf_put_text(out, "}\n");
}

/* What is told of each topic's records: members of the value, or headers. */
struct told {
    const char *topic; /* end of its name */
    const char *members[8];
    const char *headers[8];
};
static const struct told told_table[] = {
    {".orders", {NULL}, {"publication", "revision", "warehouses", "replayed"}},
    {".order-state", {"state", "publication", "revision", "withdrawn"}, {NULL}},
    {".order-outcomes", {"result", "warehouse", "documentId", "attempts", "reason", "publication"}, {NULL}},
    {".order-status", {"wanted", "statusFound", "statusSet", "note", "closed", "complete", "publication"}, {NULL}},
    {".orders-dlq", {NULL}, {"kind", "reason", "program"}},
};

static const struct told *told_of(const char *topic)
{
    size_t n = strlen(topic);
    for (size_t i = 0; i < sizeof told_table / sizeof *told_table; i++) {
        size_t m = strlen(told_table[i].topic);
        if (n >= m && strcmp(topic + n - m, told_table[i].topic) == 0)
            return &told_table[i];
    }
    return NULL;
}

/* DEL, and U+0080 to U+009F, which JSON leaves as they are and a terminal may obey. */
static bool steers_terminal(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] == 0x7f || (p[i] == 0xC2 && i + 1 < n && p[i + 1] < 0xA0))
            return true;
    return false;
}

/* Quoted where it is not one word. Other writers' bytes come by here: nothing that a terminal would take for a command. */
static void put_word(struct buf *out, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    bool shown = is_text(p, n) && !steers_terminal(p, n), word = shown && n > 0;
    for (size_t i = 0; word && i < n; i++)
        word = p[i] > ' ' && p[i] != '"' && p[i] != '=';
    if (word)
        buf_put(out, p, n);
    else if (shown || p == NULL)
        put_bytes(out, p, n);
    else {
        buf_put_text(out, "{\"bytes\":");
        avro_json_base64(out, p, n);
        buf_put_byte(out, '}');
    }
}

static void put_pair(struct buf *out, const char *name, const char *p, size_t n)
{
    buf_printf(out, " %s=", name);
    put_word(out, p, n);
}

static void put_json_pair(struct buf *out, const char *name, const json_t *value)
{
    if (json_is_string(value))
        put_pair(out, name, json_string_value(value), json_string_length(value));
    else if (json_is_integer(value))
        buf_printf(out, " %s=%lld", name, (long long)json_integer_value(value));
    else if (json_is_boolean(value))
        buf_printf(out, " %s=%s", name, json_is_true(value) ? "true" : "false");
}

static void put_members(struct buf *out, const struct scan_record *r, const struct told *told)
{
    struct avro_cursor c = {r->avro, r->avro + r->avro_n};
    struct err e;
    struct buf text;
    buf_init(&text, SMALL_MAX);
    json_t *value = NULL;
    if (avro_json_value(schema_root(r->writer), NULL, &c, &text, &e) == RC_OK && !buf_failed(&text))
        value = json_loadb((const char *)text.p, text.n, JSON_ALLOW_NUL, NULL);
    for (size_t i = 0; told->members[i] != NULL; i++)
        put_json_pair(out, told->members[i], json_object_get(value, told->members[i]));
    json_decref(value);
    buf_release(&text);
}

static void put_moment(struct buf *out, const char *name, int64_t ms)
{
    buf_printf(out, " %s=", name);
    record_line_time(ms, out);
}

void record_line_text(const struct scan_record *r, struct buf *out)
{
    const struct kafka_record *k = r->record;
    const struct told *told = told_of(k->topic);
    record_line_time(k->timestamp, out);
    buf_printf(out, " %s[%d]@%lld ", k->topic, (int)k->partition, (long long)k->offset);
    if (is_text(k->key, k->key_n))
        put_word(out, k->key, k->key_n);
    else
        buf_put_text(out, "?");
    for (size_t i = 0; told != NULL && told->headers[i] != NULL; i++) {
        const struct kafka_header *h = kafka_record_header(k, told->headers[i]);
        int64_t publication = h != NULL && strcmp(h->name, "publication") == 0 ? order_record_publication(k) : 0;
        if (publication > 0) /* milliseconds in a header, a moment in a value: shown alike */
            put_moment(out, h->name, publication);
        else if (h != NULL && h->value != NULL)
            put_pair(out, h->name, h->value, h->n);
    }
    if (told != NULL && told->members[0] != NULL && r->writer != NULL)
        put_members(out, r, told);
    if (k->value == NULL)
        buf_put_text(out, " null");
    if (r->fault[0] != '\0')
        put_pair(out, "fault", r->fault, strlen(r->fault));
    buf_put_byte(out, '\n');
}
