#include "common/contract/schema_faults.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/utf8.h"

enum { WORDS_BYTES = 400 };

void schema_faults_init(struct schema_faults *f, struct arena *arena)
{
    *f = (struct schema_faults){.arena = arena};
}

static bool is_one(const json_t *value)
{
    return value != NULL && !json_is_null(value) && !json_is_boolean(value);
}

/* Names in them may have been cut inside a character. */
static const char *keep(struct schema_faults *f, const char *words)
{
    return arena_text(f->arena, words, utf8_check(words, strlen(words)));
}

enum rc schema_faults_add(struct schema_faults *f, const json_t *place, const char *format, ...)
{
    char words[WORDS_BYTES];
    va_list list;
    va_start(list, format);
    int n = vsnprintf(words, sizeof words, format, list);
    va_end(list);
    const char *copy = n >= 0 && f->n < SCHEMA_FAULTS_MAX ? keep(f, words) : NULL;
    if (copy != NULL)
        f->list[f->n++] = (struct schema_fault){is_one(place) ? place : NULL, copy};
    else
        f->more++;
    return RC_REJECT;
}

void schema_faults_prefix(struct schema_faults *f, size_t from, const json_t *place, const char *format, ...)
{
    char front[WORDS_BYTES], words[WORDS_BYTES];
    va_list list;
    va_start(list, format);
    int n = vsnprintf(front, sizeof front, format, list);
    va_end(list);
    for (; n >= 0 && from < f->n; from++) {
        (void)snprintf(words, sizeof words, "%.150s%.240s", front, f->list[from].words);
        const char *copy = keep(f, words);
        if (copy != NULL)
            f->list[from].words = copy;
        if (f->list[from].place == NULL)
            f->list[from].place = place;
    }
}

/* How many values begin before this one, itself included; false: it is not in there. jansson keeps members in the order of the text. */
static bool count_values(const json_t *in, const json_t *value, size_t *n)
{
    const char *key;
    json_t *member;
    ++*n;
    if (in == value)
        return true;
    json_object_foreach((json_t *)in, key, member)
        if (count_values(member, value, n))
            return true;
    for (size_t i = 0; i < json_array_size(in); i++)
        if (count_values(json_array_get(in, i), value, n))
            return true;
    return false;
}

/* Behind the string that begins at p. */
static const char *skip_string(const char *p)
{
    for (p++; *p != '"'; p++)
        if (*p == '\\')
            p++;
    return p + 1;
}

/* Behind the value that begins at p, or behind the sign that opens it. */
static const char *skip_front(const char *p)
{
    return *p == '{' || *p == '[' ? p + 1 : *p == '"' ? skip_string(p) : p + strcspn(p, ",]} \t\r\n");
}

static bool is_key(const char *behind)
{
    return behind[strspn(behind, " \t\r\n")] == ':';
}

int schema_faults_line(const json_t *root, const char *text, const json_t *value)
{
    size_t wanted = 0;
    int line = 1;
    if (!is_one(value) || !count_values(root, value, &wanted))
        return 0;
    for (const char *p = text; *p != '\0';) { /* sound JSON: it was parsed */
        if (*p == '\n')
            line++;
        if (strchr(" \t\r\n,:]}", *p) != NULL) {
            p++;
            continue;
        }
        const char *behind = skip_front(p);
        if (!(*p == '"' && is_key(behind)) && --wanted == 0)
            return line;
        p = behind;
    }
    return 0;
}
