#include "tests/json/json_peer.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/json_tape.h"

enum {
    JANSSON_DEPTH = 2048,
    TWICE_NODES = 2000, /* looking for a key that is there twice costs the square */
    TEXT_MAX = 1 << 26
};

/* Every number as C reads it, for jansson has nothing else. */
static bool number_fits(const struct json_tape *t, uint32_t at)
{
    const struct json_node *node = &t->nodes[at];
    size_t n = node->end - node->start;
    char *text = malloc(n + 1);
    if (text == NULL)
        abort();
    memcpy(text, t->text + node->start, n);
    text[n] = '\0';
    errno = 0;
    bool fits;
    if (strpbrk(text, ".eE") == NULL) {
        (void)strtoll(text, NULL, 10);
        fits = errno != ERANGE;
    } else {
        fits = isfinite(strtod(text, NULL)) != 0;
    }
    free(text);
    return fits;
}

static bool numbers_fit(const struct json_tape *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->nodes[i].type == JSON_TAPE_NUMBER && !number_fits(t, (uint32_t)i))
            return false;
    return true;
}

static bool strings_sound(const struct json_tape *t)
{
    bool sound = true;
    struct buf out;
    buf_init(&out, TEXT_MAX);
    for (size_t i = 0; i < t->n && sound; i++) {
        buf_reset(&out);
        sound = t->nodes[i].type != JSON_TAPE_STRING || json_tape_string(t, (uint32_t)i, &out, NULL) == RC_OK;
    }
    buf_release(&out);
    return sound;
}

static bool member_twice(const struct json_tape *t, uint32_t object)
{
    struct buf key;
    bool twice = false;
    buf_init(&key, TEXT_MAX);
    for (uint32_t at = object + 1; at < t->nodes[object].next && !twice; at = t->nodes[at + 1].next) {
        buf_reset(&key);
        if (json_tape_string(t, at, &key, NULL) != RC_OK)
            abort();
        (void)json_tape_member(t, object, key.n > 0 ? (const char *)key.p : "", key.n, &twice);
    }
    buf_release(&key);
    return twice;
}

static bool any_twice(const struct json_tape *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->nodes[i].type == JSON_TAPE_OBJECT && member_twice(t, (uint32_t)i))
            return true;
    return false;
}

static bool same_string(const struct json_tape *t, uint32_t at, const char *text, size_t n)
{
    struct buf out;
    buf_init(&out, TEXT_MAX);
    bool same = json_tape_string(t, at, &out, NULL) == RC_OK && out.n == n && (n == 0 || memcmp(out.p, text, n) == 0);
    buf_release(&out);
    return same && json_tape_equals(t, at, text, n);
}

static bool same_number(const struct json_tape *t, uint32_t at, const json_t *v)
{
    int64_t number;
    if (!json_is_integer(v))
        return json_is_real(v);
    return json_tape_integer(t, at, &number, NULL) == RC_OK && number == json_integer_value(v);
}

/* No key is there twice, so members stand in the same order. */
static bool same_value(const struct json_tape *t, uint32_t at, json_t *v)
{
    const char *key;
    json_t *member;
    size_t i;
    uint32_t child = at + 1;
    switch ((enum json_type)t->nodes[at].type) {
    case JSON_TAPE_NULL:
        return json_is_null(v);
    case JSON_TAPE_FALSE:
        return json_is_false(v);
    case JSON_TAPE_TRUE:
        return json_is_true(v);
    case JSON_TAPE_NUMBER:
        return same_number(t, at, v);
    case JSON_TAPE_STRING:
        return json_is_string(v) && same_string(t, at, json_string_value(v), json_string_length(v));
    case JSON_TAPE_ARRAY:
        if (!json_is_array(v) || json_array_size(v) != t->nodes[at].count)
            return false;
        json_array_foreach(v, i, member)
        {
            if (!same_value(t, child, member))
                return false;
            child = t->nodes[child].next;
        }
        return child == t->nodes[at].next;
    case JSON_TAPE_OBJECT:
        if (!json_is_object(v) || json_object_size(v) != t->nodes[at].count)
            return false;
        json_object_foreach(v, key, member)
        {
            if (!same_string(t, child, key, strlen(key)) || !same_value(t, child + 1, member))
                return false;
            child = t->nodes[child + 1].next;
        }
        return child == t->nodes[at].next;
    }
    return false;
}

static bool same_document(const struct json_tape *t, const char *text, size_t n)
{
    json_error_t error;
    json_t *root = json_loadb(text, n, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    bool same = root != NULL && same_value(t, 0, root);
    json_decref(root);
    return same;
}

static bool jansson_takes(const char *text, size_t n, size_t flags)
{
    json_error_t error;
    json_t *root = json_loadb(text, n, flags, &error);
    json_decref(root);
    return root != NULL;
}

static enum json_verdict verdict_of(struct json_tape *t, const char *text, size_t n)
{
    if (json_tape_parse(t, text, n, NULL) != RC_OK)
        return JSON_NO_TEXT;
    return strings_sound(t) ? JSON_SOUND : JSON_BAD_STRING;
}

enum json_verdict json_peer_tape(const char *text, size_t n)
{
    struct json_tape t;
    json_tape_init(&t);
    enum json_verdict verdict = verdict_of(&t, text, n);
    json_tape_release(&t);
    return verdict;
}

static const char *compare(struct json_tape *t, const char *text, size_t n)
{
    bool sound = verdict_of(t, text, n) == JSON_SOUND;
    bool peer = jansson_takes(text, n, JSON_DECODE_ANY);
    if (!sound)
        return peer && memchr(text, '\0', n) == NULL ? "jansson takes it, the tape does not" : NULL;
    if (!peer)
        return t->nodes[0].height >= JANSSON_DEPTH || !numbers_fit(t) ? NULL : "the tape takes it, jansson does not";
    if (t->n > TWICE_NODES)
        return NULL;
    bool twice = any_twice(t);
    if (twice == jansson_takes(text, n, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES))
        return "they see other keys twice";
    return twice || same_document(t, text, n) ? NULL : "they see other values";
}

const char *json_peer_compare(const char *text, size_t n)
{
    struct json_tape t;
    json_tape_init(&t);
    const char *wrong = compare(&t, text, n);
    json_tape_release(&t);
    return wrong;
}

void json_peer_check(const char *text, size_t n)
{
    const char *wrong = json_peer_compare(text, n);
    if (wrong != NULL) {
        (void)fprintf(stderr, "json_peer: %s\n", wrong);
        abort();
    }
}
