#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/config_parts.h"

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 3600 * 1000}, {"d", 24 * 3600 * 1000}, {NULL, 0},
};
static const struct unit size_units[] = {
    {"", 1}, {"k", 1024}, {"m", 1024 * 1024}, {"g", 1024 * 1024 * 1024}, {NULL, 0},
};
static const struct unit count_units[] = {{"", 1}, {NULL, 0}};

/* A whole number and one of the units, nothing else; false also when it does not fit. */
static bool read_number(const char *text, const struct unit *units, int64_t *out)
{
    if (!isdigit((unsigned char)text[0]) && !(text[0] == '-' && isdigit((unsigned char)text[1])))
        return false;
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno != 0)
        return false;
    for (; units->name != NULL; units++)
        if (strcmp(end, units->name) == 0)
            return !__builtin_mul_overflow((int64_t)number, units->factor, out);
    return false;
}

/* What was written, for a message: short and without control characters. */
static const char *shown(const char *text, char out[48])
{
    size_t n = 0;
    for (; text[n] != '\0' && n < 40; n++)
        out[n] = (unsigned char)text[n] < 0x20 || text[n] == 0x7F ? '?' : text[n];
    out[n] = '\0';
    return out;
}

static void print_bound(char *out, size_t room, int64_t bound, const struct unit *units)
{
    const struct unit *best = units;
    for (const struct unit *u = units; u->name != NULL; u++)
        if (bound != 0 && bound % u->factor == 0 && u->factor > best->factor)
            best = u;
    (void)snprintf(out, room, "%lld%s", (long long)(bound / best->factor), best->name);
}

static enum rc read_bounded(struct config_entry *entry, const struct unit *units, const char *what, struct err *e)
{
    char written[48], low[32], high[32];
    if (!read_number(entry->value, units, &entry->number)) {
        err_set(e, "\"%s\" is not %s", shown(entry->value, written), what);
        return RC_REJECT;
    }
    if (entry->number >= entry->key->min && entry->number <= entry->key->max)
        return RC_OK;
    print_bound(low, sizeof low, entry->key->min, units);
    print_bound(high, sizeof high, entry->key->max, units);
    err_set(e, "%s is not within %s and %s", shown(entry->value, written), low, high);
    return RC_REJECT;
}

static enum rc read_bool(struct config_entry *entry, struct err *e)
{
    char written[48];
    entry->number = strcmp(entry->value, "true") == 0;
    if (entry->number == 1 || strcmp(entry->value, "false") == 0)
        return RC_OK;
    err_set(e, "\"%s\" is neither true nor false", shown(entry->value, written));
    return RC_REJECT;
}

static enum rc read_choice(struct config_entry *entry, struct err *e)
{
    char written[48], choice[64];
    struct config_suggest suggest;
    config_suggest_init(&suggest, entry->value);
    for (const char *p = entry->key->choices; *p != '\0';) {
        size_t n = strcspn(p, "|");
        (void)snprintf(choice, sizeof choice, "%.*s", (int)n, p);
        if (strcmp(choice, entry->value) == 0)
            return RC_OK;
        config_suggest_offer(&suggest, choice);
        p += n + (p[n] == '|');
    }
    char words[288];
    config_suggest_words(&suggest, words, sizeof words);
    err_set(e, "\"%s\" is none of %s%s", shown(entry->value, written), entry->key->choices, words);
    return RC_REJECT;
}

/* The value itself is not shown: whoever writes a password into a URL should not find it in a log. */
static enum rc read_url(const struct config_entry *entry, struct err *e)
{
    const char *p = entry->value;
    size_t scheme = strncmp(p, "https://", 8) == 0 ? 8 : strncmp(p, "http://", 7) == 0 ? 7 : 0;
    if (scheme == 0) {
        err_set(e, "not an absolute URL; write for example https://host/path");
        return RC_REJECT;
    }
    size_t host = strcspn(p + scheme, "/?#");
    if (memchr(p + scheme, '@', host) != NULL) {
        err_set(e, "a URL must not hold a user name or password; there are keys for them");
        return RC_REJECT;
    }
    if (host == 0 || p[scheme] == ':') {
        err_set(e, "the URL names no host");
        return RC_REJECT;
    }
    for (; *p != '\0'; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7F) {
            err_set(e, "a URL must not hold blanks or control characters");
            return RC_REJECT;
        }
    return RC_OK;
}

static enum rc read_list(struct config_entry *entry, struct arena *a, struct err *e)
{
    size_t room = 1;
    for (const char *p = entry->value; *p != '\0'; p++)
        room += *p == ',';
    entry->items_n = 0;
    entry->items = arena_take_array(a, room, sizeof *entry->items);
    if (entry->items == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    for (const char *p = entry->value; *p != '\0';) {
        size_t n = strcspn(p, ",");
        const char *from = p, *to = p + n;
        p = to + (*to == ',');
        while (from < to && isspace((unsigned char)*from))
            from++;
        while (to > from && isspace((unsigned char)to[-1]))
            to--;
        if (from == to)
            continue;
        const char *item = arena_text(a, from, (size_t)(to - from));
        if (item == NULL) {
            err_set(e, "out of memory");
            return RC_FATAL;
        }
        entry->items[entry->items_n++] = item;
    }
    return RC_OK;
}

/* An empty value is right where emptiness is the default, and for texts and lists, where it says "none". */
static enum rc read_empty(struct config_entry *entry, struct err *e)
{
    entry->number = 0;
    entry->items_n = 0;
    if (entry->key->type == CONFIG_TEXT || entry->key->type == CONFIG_LIST || entry->key->initial == NULL)
        return RC_OK;
    err_set(e, "needs a value, for example %s", entry->key->initial);
    return RC_REJECT;
}

enum rc config_value_read(struct config_entry *entry, struct arena *a, struct err *e)
{
    if (entry->value[0] == '\0')
        return read_empty(entry, e);
    switch (entry->key->type) {
    case CONFIG_TEXT:
        return RC_OK;
    case CONFIG_BOOL:
        return read_bool(entry, e);
    case CONFIG_INT:
        return read_bounded(entry, count_units, "a whole number", e);
    case CONFIG_DURATION:
        return read_bounded(entry, duration_units, "a duration; write for example 500ms, 30s, 5m, 12h or 7d", e);
    case CONFIG_SIZE:
        return read_bounded(entry, size_units, "a size; write for example 64k or 16m", e);
    case CONFIG_LIST:
        return read_list(entry, a, e);
    case CONFIG_CHOICE:
        return read_choice(entry, e);
    case CONFIG_URL:
        return read_url(entry, e);
    }
    return RC_OK;
}
