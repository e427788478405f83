#include "common/contract/order_scope.h"

#include <string.h>

static enum rc no_memory(struct err *e)
{
    err_set(e, "out of memory");
    return RC_FATAL;
}

/* The step at *at (which stands at its '/'), unescaped; *at moves behind it. NULL: *rc says why. */
static char *take_step(struct arena *a, const char **at, size_t *n, enum rc *rc, struct err *e)
{
    const char *p = *at + 1;
    size_t length = strcspn(p, "/"), made = 0;
    char *name = arena_take(a, length + 1);
    if (name == NULL) {
        *rc = no_memory(e);
        return NULL;
    }
    for (size_t i = 0; i < length; i++) {
        if (p[i] == '~' && p[i + 1] != '0' && p[i + 1] != '1') {
            err_set(e, "a '~' in a JSON Pointer must be ~0 or ~1");
            *rc = RC_REJECT;
            return NULL;
        }
        name[made++] = p[i] != '~' ? p[i] : p[++i] == '0' ? '~' : '/';
    }
    *at = p + length;
    *n = made;
    return name;
}

static int64_t array_index(const char *name, size_t n)
{
    int64_t v = 0;
    if (n == 0 || n > 9 || (n > 1 && name[0] == '0'))
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (name[i] < '0' || name[i] > '9')
            return -1;
        v = v * 10 + (name[i] - '0');
    }
    return v;
}

static struct order_key *find_or_add(struct order_scope *s, struct order_keys *in, struct arena *a, const char *name, size_t n)
{
    struct order_key **at = &in->first;
    for (; *at != NULL; at = &(*at)->next)
        if ((*at)->n == n && memcmp((*at)->name, name, n) == 0)
            return *at;
    struct order_key *key = *at = arena_take(a, sizeof *key);
    if (key == NULL)
        return NULL;
    *key = (struct order_key){.name = name, .n = n, .slot = s->slots++, .index = array_index(name, n)};
    return key;
}

enum rc order_scope_add(struct order_scope *s, struct arena *a, const char *pointer, uint32_t *slot, struct err *e)
{
    struct order_keys *in = &s->top;
    struct order_key *key = NULL;
    enum rc rc = RC_OK;
    if (pointer[0] != '/') {
        err_set(e, "a JSON Pointer begins with '/'");
        return RC_REJECT;
    }
    for (const char *at = pointer; *at == '/';) {
        size_t n;
        char *name = take_step(a, &at, &n, &rc, e);
        if (name == NULL)
            return rc;
        if (key != NULL && key->below == NULL)
            key->below = arena_take(a, sizeof *key->below);
        if (key != NULL)
            in = key->below;
        key = in != NULL ? find_or_add(s, in, a, name, n) : NULL;
        if (key == NULL)
            return no_memory(e);
        if (key->pointer == NULL)
            key->pointer = arena_text(a, pointer, (size_t)(at - pointer));
        if (key->pointer == NULL)
            return no_memory(e);
    }
    *slot = key->slot;
    return RC_OK;
}

/* Length and three bytes tell the keys of one object apart well enough. */
static inline uint32_t hash(const char *p, size_t n)
{
    if (n == 0)
        return 0;
    uint32_t h = (uint32_t)n | (uint32_t)(unsigned char)p[0] << 8 | (uint32_t)(unsigned char)p[n / 2] << 16 |
                 (uint32_t)(unsigned char)p[n - 1] << 24;
    return (h * 0x9E3779B1u) >> 16;
}

static bool build_tables(struct order_keys *in, struct arena *a)
{
    uint32_t count = 0, places = 4;
    for (struct order_key *k = in->first; k != NULL; k = k->next)
        count++;
    while (places < count * 4)
        places *= 2;
    in->mask = places - 1;
    in->table = arena_take_array(a, places, sizeof in->table[0]);
    if (in->table == NULL)
        return false;
    for (struct order_key *k = in->first; k != NULL; k = k->next) {
        uint32_t at = hash(k->name, k->n) & in->mask;
        while (in->table[at] != NULL)
            at = (at + 1) & in->mask;
        in->table[at] = k;
        if (k->below != NULL && !build_tables(k->below, a)) /* as deep as the longest pointer of the schema */
            return false;
    }
    return true;
}

enum rc order_scope_finish(struct order_scope *s, struct arena *a, struct err *e)
{
    s->values = arena_take_array(a, s->slots, sizeof s->values[0]);
    return s->values != NULL && build_tables(&s->top, a) ? RC_OK : no_memory(e);
}

static inline struct order_key *look_up(const struct order_keys *in, const char *p, size_t n)
{
    for (uint32_t at = hash(p, n) & in->mask;; at = (at + 1) & in->mask) {
        struct order_key *k = in->table[at];
        if (k == NULL || (k->n == n && memcmp(k->name, p, n) == 0))
            return k;
    }
}

/* Keys with escapes are rare: compared one by one. */
static struct order_key *look_up_escaped(const struct order_keys *in, const struct json_tape *t, uint32_t node)
{
    for (struct order_key *k = in->first; k != NULL; k = k->next)
        if (json_tape_equals(t, node, k->name, k->n))
            return k;
    return NULL;
}

static void find(struct order_scope *s, const struct order_keys *in, const struct json_tape *t, uint32_t node, struct order_twice *twice);

static void find_in_array(struct order_scope *s, const struct order_keys *in, const struct json_tape *t, uint32_t array,
                          struct order_twice *twice)
{
    for (struct order_key *k = in->first; k != NULL; k = k->next) {
        if (k->index < 0 || k->index >= t->nodes[array].count)
            continue;
        uint32_t at = array + 1;
        for (int64_t i = 0; i < k->index; i++)
            at = t->nodes[at].next;
        s->values[k->slot] = at;
        if (k->below != NULL)
            find(s, k->below, t, at, twice);
    }
}

static void note(struct order_scope *s, const struct order_key *k, const struct json_tape *t, uint32_t key, struct order_twice *twice)
{
    uint32_t *value = &s->values[k->slot];
    if (*value != ORDER_SCOPE_NONE) {
        if (twice->pointer == NULL && *value != ORDER_SCOPE_TWICE)
            *twice = (struct order_twice){k->pointer, t->nodes[*value - 1].start, t->nodes[key].start};
        *value = ORDER_SCOPE_TWICE;
        return;
    }
    *value = key + 1;
    if (k->below != NULL)
        find(s, k->below, t, key + 1, twice);
}

/* Recursion is as deep as the longest pointer of the schema. */
static void find(struct order_scope *s, const struct order_keys *in, const struct json_tape *t, uint32_t node, struct order_twice *twice)
{
    const struct json_node *nodes = t->nodes;
    if (nodes[node].type == JSON_TAPE_ARRAY)
        find_in_array(s, in, t, node, twice);
    if (nodes[node].type != JSON_TAPE_OBJECT)
        return;
    uint32_t end = nodes[node].next;
    for (uint32_t key = node + 1; key < end; key = nodes[key + 1].next) {
        const struct json_node *at = &nodes[key];
        const struct order_key *k = at->escaped ? look_up_escaped(in, t, key)
                                                : look_up(in, t->text + at->start + 1, at->end - at->start - 2);
        if (k != NULL)
            note(s, k, t, key, twice);
    }
}

void order_scope_find(struct order_scope *s, const struct json_tape *t, uint32_t node, struct order_twice *twice)
{
    memset(s->values, 0xff, s->slots * sizeof s->values[0]); /* ORDER_SCOPE_NONE */
    *twice = (struct order_twice){0};
    find(s, &s->top, t, node, twice);
}
