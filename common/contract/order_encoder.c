#include "common/contract/order_encoder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "common/contract/order_put.h"

struct order_encoder {
    struct order_walk walk;
    XXH64_state_t *hash;
    bool ready; /* the order read last may be written */
    char revision[ORDER_REVISION_BYTES];
    const char *text; /* of the order, borrowed */
    size_t text_n;
};

enum rc order_encoder_create(const struct schema *s, const struct zone *z, const struct warehouse_rules *rules, struct order_encoder **out,
                             struct err *e)
{
    struct order_plan *plan = NULL;
    enum rc rc = order_plan_create(s, &plan, e);
    if (rc != RC_OK)
        return rc;
    struct order_encoder *enc = calloc(1, sizeof *enc);
    if (enc == NULL) {
        order_plan_destroy(plan);
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    rc = order_walk_init(&enc->walk, plan, e);
    if (rc == RC_OK && (enc->hash = XXH64_createState()) == NULL) {
        err_set(e, "out of memory");
        rc = RC_FATAL;
    }
    if (rc != RC_OK) {
        order_encoder_destroy(enc);
        return rc;
    }
    enc->walk.zone = z;
    enc->walk.rules = rules;
    *out = enc;
    return RC_OK;
}

void order_encoder_destroy(struct order_encoder *enc)
{
    if (enc == NULL)
        return;
    (void)XXH64_freeState(enc->hash); /* always XXH_OK; takes NULL */
    order_walk_release(&enc->walk);
    free(enc);
}

static void print_revision(uint64_t hash, char out[ORDER_REVISION_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 15; i >= 0; i--, hash >>= 4)
        out[i] = digits[hash & 15];
    out[16] = '\0';
}

/* The fields that do not change by themselves, in the schema's order; neighbours are hashed together. */
static uint64_t content_hash(struct order_encoder *enc)
{
    const struct order_record *r = enc->walk.plan->order;
    const unsigned char *body = enc->walk.body.p;
    (void)XXH64_reset(enc->hash, 0); /* fails for NULL only, as the next one does */
    size_t begin = 0;
    for (size_t i = 0; i < r->fields_n; i++) {
        size_t end = enc->walk.ends[i];
        if (r->fields[i].changing) {
            size_t before = i > 0 ? enc->walk.ends[i - 1] : 0;
            if (before > begin)
                (void)XXH64_update(enc->hash, body + begin, before - begin);
            begin = end;
        } else if (i + 1 == r->fields_n && end > begin) {
            (void)XXH64_update(enc->hash, body + begin, end - begin);
        }
    }
    return XXH64_digest(enc->hash);
}

static void note_text(const struct json_tape *t, uint32_t order, struct order_facts *facts)
{
    facts->has_id = facts->has_status = false;
    facts->order_id = facts->status_id = 0;
    facts->revision[0] = '\0';
    facts->warehouses.n = 0;
    facts->text = t->text + t->nodes[order].start;
    facts->text_n = t->nodes[order].end - t->nodes[order].start;
}

/* Id and status also of an order that is rejected for something else; not from a key that is there twice. */
static void note_numbers(const struct order_walk *w, struct order_facts *facts)
{
    facts->has_id = order_walk_integer(w, w->plan->id, &facts->order_id) && facts->order_id > 0;
    facts->has_status = w->plan->status != NULL && order_walk_integer(w, w->plan->status, &facts->status_id);
    if (!facts->has_id)
        facts->order_id = 0;
    if (!facts->has_status)
        facts->status_id = 0;
}

enum rc order_encoder_read(struct order_encoder *enc, const struct json_tape *t, uint32_t order, struct order_facts *facts, struct err *e)
{
    struct order_walk *w = &enc->walk;
    note_text(t, order, facts);
    enc->ready = false;
    enum rc rc = order_walk_begin(w, t, order, e);
    if (t->nodes[order].type == JSON_TAPE_OBJECT)
        note_numbers(w, facts);
    if (rc == RC_OK && !facts->has_id)
        rc = order_put_reject(w, w->plan->id->sources[0].pointer, "no usable id: an integer from 1 to 2^63-1");
    if (rc == RC_OK && t->nodes[order].height > ORDER_DEPTH)
        rc = order_put_reject(w, "", "nested more than 512 deep");
    if (rc == RC_OK)
        rc = order_walk_encode(w, facts->order_id);
    if (rc == RC_REJECT)
        print_revision(XXH64(facts->text, facts->text_n, 0), facts->revision);
    if (rc != RC_OK)
        return rc;
    print_revision(content_hash(enc), enc->revision);
    memcpy(facts->revision, enc->revision, sizeof facts->revision);
    facts->warehouses.n = w->warehouses.n;
    memcpy(facts->warehouses.names, w->warehouses.names, w->warehouses.n * sizeof w->warehouses.names[0]);
    enc->text = facts->text;
    enc->text_n = facts->text_n;
    enc->ready = true;
    return RC_OK;
}

static void put_default(struct order_walk *w, const struct order_field *f);

static void put_least(struct order_walk *w, const struct order_value *v)
{
    if (v->nullable) {
        order_put_byte(w, v->null_branch);
        return;
    }
    switch (v->kind) {
    case ORDER_RECORD:
        for (size_t i = 0; i < v->record->fields_n; i++)
            put_default(w, &v->record->fields[i]);
        break;
    case ORDER_DECIMAL:
        order_put_bytes(w, "", 1); /* one byte, 0 */
        break;
    case ORDER_BOOLEAN:
    case ORDER_INT:
    case ORDER_LONG:
    case ORDER_DATE:
    case ORDER_MOMENT:
    case ORDER_TEXT:
    case ORDER_ENUM:
    case ORDER_ARRAY:
        order_put_byte(w, 0);
        break;
    }
}

static void put_default(struct order_walk *w, const struct order_field *f)
{
    if (f->initial == NULL) {
        put_least(w, &f->value);
        return;
    }
    for (size_t i = 0; i < f->initial_n; i++)
        order_put_byte(w, f->initial[i]);
}

enum rc order_encoder_vanished(struct order_encoder *enc, int64_t order_id, const char *revision, struct err *e)
{
    struct order_walk *w = &enc->walk;
    const struct order_record *r = w->plan->order;
    enc->ready = false;
    buf_reset(&w->body);
    w->warehouses.n = 0;
    for (size_t i = 0; i < r->fields_n; i++) {
        const struct order_field *f = &r->fields[i];
        if (f == w->plan->id)
            order_put_long(w, order_id);
        else if (f->bridge == ORDER_BRIDGE_NONE)
            put_default(w, f);
        w->ends[i] = w->body.n;
    }
    if (buf_failed(&w->body)) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    (void)snprintf(enc->revision, sizeof enc->revision, "%s", revision); /* 16 digits */
    enc->text = "";
    enc->text_n = 0;
    enc->ready = true;
    return RC_OK;
}

static void put_long(struct buf *out, int64_t v)
{
    uint64_t z = ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0);
    unsigned char bytes[10];
    size_t n = 0;
    for (; z >= 0x80; z >>= 7)
        bytes[n++] = (unsigned char)(z | 0x80);
    bytes[n++] = (unsigned char)z;
    buf_put(out, bytes, n);
}

static void put_bytes(struct buf *out, const void *p, size_t n)
{
    put_long(out, (int64_t)n);
    buf_put(out, p, n);
}

static void put_warehouses(struct buf *out, const struct warehouse_set *set)
{
    if (set->n > 0)
        put_long(out, (int64_t)set->n);
    for (size_t i = 0; i < set->n; i++)
        put_bytes(out, set->names[i], strlen(set->names[i]));
    put_long(out, 0);
}

static void fill(const struct order_encoder *enc, const struct order_field *f, const struct order_stamp *stamp, struct buf *out)
{
    bool none = f->bridge == ORDER_BRIDGE_RAW && (!stamp->raw || enc->text_n == 0);
    if (f->value.nullable) {
        buf_put_byte(out, none ? f->value.null_branch : f->value.value_branch);
        if (none)
            return;
    }
    switch (f->bridge) {
    case ORDER_BRIDGE_ORGANIZATION:
        put_bytes(out, stamp->organization, strlen(stamp->organization));
        break;
    case ORDER_BRIDGE_REVISION:
        put_bytes(out, enc->revision, strlen(enc->revision));
        break;
    case ORDER_BRIDGE_PUBLICATION:
        put_long(out, stamp->publication);
        break;
    case ORDER_BRIDGE_ROUND:
        put_long(out, stamp->round);
        break;
    case ORDER_BRIDGE_WITHDRAWN:
        buf_put_byte(out, stamp->withdrawn ? 1 : 0);
        break;
    case ORDER_BRIDGE_WAREHOUSES:
        put_warehouses(out, stamp->warehouses != NULL ? stamp->warehouses : &enc->walk.warehouses);
        break;
    case ORDER_BRIDGE_FETCHED_AT:
        put_long(out, stamp->fetched_at);
        break;
    case ORDER_BRIDGE_RAW:
        put_bytes(out, enc->text, none ? 0 : enc->text_n);
        break;
    case ORDER_BRIDGE_NONE:
    case ORDER_BRIDGES:
        break;
    }
}

enum rc order_encoder_write(const struct order_encoder *enc, const struct order_stamp *stamp, struct buf *out, struct err *e)
{
    const struct order_record *r = enc->walk.plan->order;
    if (!enc->ready) {
        err_set(e, "there is no order to write");
        return RC_REJECT;
    }
    size_t done = 0;
    (void)buf_reserve(out, enc->walk.body.n + (stamp->raw ? enc->text_n : 0) + 256); /* a guess; asked at the end */
    for (size_t i = 0; i < r->fields_n; i++) {
        if (r->fields[i].bridge == ORDER_BRIDGE_NONE)
            continue;
        buf_put(out, enc->walk.body.p + done, enc->walk.ends[i] - done);
        done = enc->walk.ends[i];
        fill(enc, &r->fields[i], stamp, out);
    }
    buf_put(out, enc->walk.body.p + done, enc->walk.body.n - done);
    if (!buf_failed(out))
        return RC_OK;
    err_set(e, out->no_memory ? "out of memory" : "the record is larger than %zu bytes", out->max);
    return out->no_memory ? RC_FATAL : RC_REJECT;
}

/* The first of a field's pointers that says something, without the walk's scratch. A key that is there twice says nothing for sure. */
static bool peek_integer(const struct json_tape *t, uint32_t order, const struct order_field *f, int64_t *out)
{
    for (size_t i = 0; f != NULL && i < f->sources_n; i++) {
        bool twice;
        uint32_t node = json_tape_pointer_once(t, order, f->sources[i].pointer, &twice);
        if (twice)
            return false;
        if (node == UINT32_MAX || json_tape_blank(t, node))
            continue;
        struct err e;
        return json_tape_integer(t, node, out, &e) == RC_OK;
    }
    return false;
}

enum rc order_encoder_peek(const struct order_encoder *enc, const struct json_tape *t, uint32_t order, struct order_facts *facts,
                           struct err *e)
{
    const struct order_plan *p = enc->walk.plan;
    note_text(t, order, facts);
    int64_t number;
    if (peek_integer(t, order, p->id, &number) && number > 0) {
        facts->has_id = true;
        facts->order_id = number;
    }
    if (peek_integer(t, order, p->status, &number)) {
        facts->has_status = true;
        facts->status_id = number;
    }
    if (facts->has_id)
        return RC_OK;
    err_set(e, "%s: no usable id", p->id->sources[0].pointer);
    return RC_REJECT;
}
