#include "common/contract/order_scope.h"

#include <string.h>

enum { FACTORS = 2000 }; /* tried in a moment, once a schema */

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

/* Where a key belongs, its first 8 bytes, its length and its last byte (of an empty one the quote in front), which tell the keys of one object apart well enough. */
static inline uint32_t place(const struct order_keys *in, uint64_t first, size_t n, char last)
{
    static const unsigned char own[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    uint64_t mask;
    memcpy(&mask, own + (n < 8 ? 8 - n : 0), sizeof mask);
    return (uint32_t)((((first & mask) ^ ((uint64_t)n << 32 | (unsigned char)last)) * in->factor) >> 48) & in->mask;
}

/* How many keys do not stand where their hash says. */
static uint32_t fill_table(struct order_keys *in)
{
    uint32_t moved = 0;
    memset(in->table, 0, (in->mask + 1) * sizeof(struct order_key *));
    for (struct order_key *k = in->first; k != NULL; k = k->next) {
        uint32_t at = place(in, k->begin[0], k->n, k->n > 0 ? k->name[k->n - 1] : '"');
        moved += in->table[at] != NULL;
        while (in->table[at] != NULL)
            at = (at + 1) & in->mask;
        in->table[at] = k;
    }
    return moved;
}

static void note_begin(struct order_key *k)
{
    unsigned char begin[16] = {0}, mask[16] = {0};
    size_t n = k->n < sizeof begin ? k->n : sizeof begin;
    memcpy(begin, k->name, n);
    memset(mask, 0xff, n);
    memcpy(k->begin, begin, sizeof begin);
    memcpy(k->mask, mask, sizeof mask);
}

static bool build_tables(struct order_keys *in, struct arena *a)
{
    uint32_t count = 0, places = 4;
    for (struct order_key *k = in->first; k != NULL; k = k->next, count++)
        note_begin(k);
    while (places < count * 4)
        places *= 2;
    in->mask = places - 1;
    in->table = arena_take_array(a, places, sizeof in->table[0]);
    if (in->table == NULL)
        return false;
    in->factor = 0x9E3779B97F4A7C15u;
    for (int tries = 0; fill_table(in) > 0 && tries < FACTORS; tries++)
        in->factor = in->factor * 0x5851F42D4C957F2Du + 0x14057B7EF767814Eu; /* another one: any sequence of large numbers does */
    for (struct order_key *k = in->first; k != NULL; k = k->next)
        if (k->below != NULL && !build_tables(k->below, a)) /* as deep as the longest pointer of the schema */
            return false;
    return true;
}

enum rc order_scope_finish(struct order_scope *s, struct arena *a, struct err *e)
{
    s->values = arena_take_array(a, s->slots, sizeof s->values[0]);
    return s->values != NULL && build_tables(&s->top, a) ? RC_OK : no_memory(e);
}

/* words: the first 16 bytes at p, as far as the text goes. */
static inline bool is_key(const struct order_key *k, const uint64_t words[2], const char *p, size_t n)
{
    if ((((words[0] ^ k->begin[0]) & k->mask[0]) | ((words[1] ^ k->begin[1]) & k->mask[1]) | (k->n ^ n)) != 0)
        return false;
    return n <= 16 || memcmp(k->name, p, n) == 0;
}

static inline struct order_key *look_up(const struct order_keys *in, const uint64_t words[2], const char *p, size_t n)
{
    for (uint32_t at = place(in, words[0], n, p[(ptrdiff_t)n - 1]);; at = (at + 1) & in->mask) {
        struct order_key *k = in->table[at];
        if (k == NULL || is_key(k, words, p, n))
            return k;
    }
}

/* Keys with escapes and the last bytes of the text are rare: compared one by one. */
static struct order_key *look_up_rare(const struct order_keys *in, const struct json_tape *t, uint32_t node)
{
    for (struct order_key *k = in->first; k != NULL; k = k->next)
        if (json_tape_equals(t, node, k->name, k->n))
            return k;
    return NULL;
}

/* The key of member number i of an object; NULL: not wanted. */
static inline const struct order_key *find_key(struct order_keys *in, const struct json_tape *t, uint32_t node, uint32_t i)
{
    const struct json_node *key = &t->nodes[node];
    const char *p = t->text + key->start + 1;
    size_t n = key->end - key->start - 2;
    uint64_t words[2];
    if (__builtin_expect((key->flags & JSON_TAPE_ESCAPED) != 0 || t->text_n - key->start <= sizeof words, 0))
        return look_up_rare(in, t, node);
    memcpy(words, p, sizeof words);
    struct order_key *k = in->seen[i % ORDER_SCOPE_SEEN];
    if (k == NULL || !is_key(k, words, p, n)) {
        k = look_up(in, words, p, n);
        in->seen[i % ORDER_SCOPE_SEEN] = k;
    }
    return k;
}

static void find(struct order_scope *s, struct order_keys *in, const struct json_tape *t, uint32_t node, struct order_twice *twice);

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
static void find(struct order_scope *s, struct order_keys *in, const struct json_tape *t, uint32_t node, struct order_twice *twice)
{
    const struct json_node *nodes = t->nodes;
    if (nodes[node].type == JSON_TAPE_ARRAY)
        find_in_array(s, in, t, node, twice);
    if (nodes[node].type != JSON_TAPE_OBJECT)
        return;
    uint32_t end = nodes[node].next, i = 0;
    for (uint32_t key = node + 1; key < end; key = nodes[key + 1].next, i++) {
        const struct order_key *k = find_key(in, t, key, i);
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
