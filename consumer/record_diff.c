#include "consumer/record_diff.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/avro_json.h"
#include "common/contract/avro_peek.h"
#include "common/contract/avro_walk.h"

enum { PATH_MAX_BYTES = 1024 };

struct walk {
    struct record_leaves *out;
    char path[PATH_MAX_BYTES];
    size_t path_n;
    struct err *e;
};

static enum rc value(struct walk *w, const struct schema_node *type, const struct schema_field *f, struct avro_cursor *c, int depth);

static enum rc reject(struct walk *w, const char *words)
{
    err_set(w->e, "%s", words);
    return RC_REJECT;
}

/* Offsets instead of pointers while the texts' buffer may still move. */
static enum rc add_leaf(struct walk *w, const struct schema_node *type, const struct schema_field *f, struct avro_cursor *c)
{
    struct record_leaves *l = w->out;
    if (l->n == RECORD_LEAVES_MAX)
        return reject(w, "too many values to compare");
    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 128 : l->cap * 2;
        struct record_leaf *more = realloc(l->all, cap * sizeof *more);
        if (more == NULL) {
            err_set(w->e, "out of memory");
            return RC_FATAL;
        }
        l->all = more;
        l->cap = cap;
    }
    size_t path_at = l->texts.n;
    buf_put(&l->texts, w->path, w->path_n);
    buf_put_byte(&l->texts, 0);
    size_t text_at = l->texts.n;
    enum rc rc = avro_json_value(type, f, c, &l->texts, w->e);
    buf_put_byte(&l->texts, 0);
    if (rc == RC_OK && buf_failed(&l->texts))
        rc = reject(w, "too large to compare");
    l->all[l->n++] = (struct record_leaf){(const char *)(uintptr_t)path_at, (const char *)(uintptr_t)text_at};
    return rc;
}

static bool push(struct walk *w, const char *name, size_t *mark)
{
    *mark = w->path_n;
    int n = snprintf(w->path + w->path_n, sizeof w->path - w->path_n, "/%s", name);
    if (n < 0 || (size_t)n >= sizeof w->path - w->path_n)
        return false;
    w->path_n += (size_t)n;
    return true;
}

static enum rc record(struct walk *w, const struct schema_node *type, struct avro_cursor *c, int depth)
{
    for (size_t i = 0; i < type->count; i++) {
        const struct schema_field *f = &type->fields[i];
        size_t mark;
        if (json_is_true(json_object_get(f->json, "volatile"))) {
            if (!avro_walk_skip(f->type, c))
                return reject(w, "bytes that do not fit the schema");
            continue;
        }
        if (!push(w, f->name, &mark))
            return reject(w, "a path too long to compare");
        enum rc rc = value(w, f->type, f, c, depth + 1);
        w->path_n = mark;
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

static enum rc array(struct walk *w, const struct schema_node *type, const struct schema_field *f, struct avro_cursor *c, int depth)
{
    struct avro_list l;
    char index[24];
    size_t i = 0, mark;
    for (avro_list_begin(&l, type, c); avro_list_more(&l, c); i++) {
        (void)snprintf(index, sizeof index, "%zu", i);
        if (!push(w, index, &mark))
            return reject(w, "a path too long to compare");
        enum rc rc = value(w, type->branches[0], f, c, depth + 1);
        w->path_n = mark;
        if (rc != RC_OK)
            return rc;
    }
    return l.broken ? reject(w, "bytes that do not fit the schema") : RC_OK;
}

static enum rc value(struct walk *w, const struct schema_node *type, const struct schema_field *f, struct avro_cursor *c, int depth)
{
    struct avro_cursor at = *c;
    const struct schema_node *inner = type;
    if (depth > AVRO_WALK_DEPTH)
        return reject(w, "nested too deeply to compare");
    if (!avro_peek_enter(&inner, &at))
        return reject(w, "bytes that do not fit the schema");
    if (inner->kind != SCHEMA_RECORD && inner->kind != SCHEMA_ARRAY)
        return add_leaf(w, type, f, c);
    *c = at;
    return inner->kind == SCHEMA_RECORD ? record(w, inner, c, depth) : array(w, inner, f, c, depth);
}

enum rc record_leaves_read(const struct schema_node *root, const unsigned char *avro, size_t n, struct record_leaves *out, struct err *e)
{
    struct record_leaves made = {NULL, 0, 0, {0}};
    struct walk w = {.out = &made, .e = e};
    struct avro_cursor c = {avro, avro + n};
    buf_init(&made.texts, RECORD_LEAVES_BYTES);
    enum rc rc = value(&w, root, NULL, &c, 0);
    if (rc != RC_OK) {
        record_leaves_release(&made);
        return rc;
    }
    for (size_t i = 0; i < made.n; i++) {
        made.all[i].path = (const char *)made.texts.p + (uintptr_t)made.all[i].path;
        made.all[i].text = (const char *)made.texts.p + (uintptr_t)made.all[i].text;
    }
    *out = made;
    return RC_OK;
}

void record_leaves_release(struct record_leaves *l)
{
    free(l->all);
    buf_release(&l->texts);
    l->all = NULL;
    l->n = l->cap = 0;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct record_leaf *)a)->path, ((const struct record_leaf *)b)->path);
}

static void sort(struct record_leaves *l)
{
    if (l->n > 1)
        qsort(l->all, l->n, sizeof *l->all, by_path);
}

size_t record_diff(struct record_leaves *before, struct record_leaves *after, record_diff_fn *fn, void *arg)
{
    size_t i = 0, k = 0, found = 0;
    sort(before);
    sort(after);
    while (i < before->n || k < after->n) {
        int order = i == before->n ? 1 : k == after->n ? -1 : strcmp(before->all[i].path, after->all[k].path);
        const struct record_leaf *old = order <= 0 ? &before->all[i++] : NULL, *new = order >= 0 ? &after->all[k++] : NULL;
        if (old != NULL && new != NULL && strcmp(old->text, new->text) == 0)
            continue;
        fn(arg, old != NULL ? old->path : new->path, old != NULL ? old->text : NULL, new != NULL ? new->text : NULL);
        found++;
    }
    return found;
}
