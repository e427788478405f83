#include "common/base/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/config_parts.h"

struct config_entry *config_entry_find(const struct config *c, const char *section, size_t section_n, const char *name)
{
    for (size_t i = 0; i < c->entries_n; i++) {
        struct config_entry *e = &c->entries[i];
        if (strncmp(e->key->section, section, section_n) == 0 && e->key->section[section_n] == '\0' && strcmp(e->name, name) == 0)
            return e;
    }
    return NULL;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* Of librdkafka's properties those that may hold a secret, as far as a name can tell: better one too many. */
static bool is_secret(const struct config_key *key, const char *name)
{
    static const char *const signs[] = {"password", "secret", "key", "token", "oauthbearer.config", "credentials"};
    if (key->secret)
        return true;
    if (strcmp(key->key, "*") != 0 || key->numbered || ends_with(name, ".location"))
        return false;
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
        if (strstr(name, signs[i]) != NULL)
            return true;
    return false;
}

bool config_entry_secret(const struct config_entry *e)
{
    return e->path != NULL || is_secret(e->key, e->name);
}

bool config_name_secret(const char *name)
{
    const char *section = config_section_of(name);
    if (section == NULL)
        return true;
    const char *key = name + strlen(section) + 1;
    for (size_t i = 0; i < config_table_count; i++) {
        const struct config_key *k = &config_table[i];
        if (strcmp(k->section, section) == 0 && (strcmp(k->key, key) == 0 || strcmp(k->key, "*") == 0))
            return is_secret(k, key);
    }
    return true;
}

void config_entry_place(const struct config *c, const struct config_entry *e, char *out, size_t room)
{
    static const char *const names[] = {"default", "", "environment", "-X"};
    if (e->origin == FROM_FILE)
        (void)snprintf(out, room, "%s:%u", c->file, e->line);
    else
        (void)snprintf(out, room, "%s", names[e->origin]);
}

__attribute__((format(printf, 3, 0)))
static void add_problem(struct config_problems *problems, const char *front, const char *format, va_list args)
{
    char words[512];
    if (vsnprintf(words, sizeof words, format, args) < 0)
        words[0] = '\0';
    for (char *p = words; *p != '\0'; p++) /* one problem a line, whatever was written in the file */
        if ((unsigned char)*p < 0x20 || *p == 0x7F)
            *p = '?';
    buf_printf(&problems->text, "%s%s\n", front, words);
    problems->count++;
}

void config_problem_add(struct config_problems *problems, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_problem(problems, "", format, args);
    va_end(args);
}

void config_problem(const struct config *c, struct config_problems *problems, const char *name, const char *words, ...)
{
    char place[256] = "configuration", front[512];
    for (size_t i = 0; i < c->entries_n; i++) {
        const struct config_entry *e = &c->entries[i];
        size_t n = strlen(e->key->section);
        if (strncmp(name, e->key->section, n) == 0 && name[n] == '.' && strcmp(name + n + 1, e->name) == 0) {
            config_entry_place(c, e, place, sizeof place);
            if (e->origin == FROM_DEFAULT && c->file != NULL)
                (void)snprintf(place, sizeof place, "%s", c->file);
        }
    }
    (void)snprintf(front, sizeof front, "%s: %s: ", strcmp(place, "default") == 0 ? "configuration" : place, name);
    va_list args;
    va_start(args, words);
    add_problem(problems, front, words, args);
    va_end(args);
}

void config_problem_unreadable(const struct config *c, struct config_problems *problems, const char *name)
{
    const char *file = config_text(c, name);
    if (*file != '\0' && access(file, R_OK) != 0)
        config_problem(c, problems, name, "cannot read %s: %s", file, strerror(errno));
}

/* So that what is asked of a number's or choice's key is always a possible value, also while a wrong configuration is checked. */
static void take_default(struct config *c, struct config_entry *entry)
{
    if (entry->key->type == CONFIG_TEXT || entry->key->type == CONFIG_URL || entry->key->type == CONFIG_LIST)
        return;
    entry->value = entry->key->initial == NULL ? "" : entry->key->initial;
    (void)config_value_read(entry, &c->arena, NULL); /* the table's defaults are right: a test reads them all */
}

bool config_entry_ours(const struct config *c, const struct config_entry *e)
{
    return c->program == 0 || (e->key->programs & c->program) != 0;
}

static enum rc check_entry(struct config *c, struct config_entry *entry, struct config_problems *problems)
{
    char name[256];
    struct err e = {0};
    (void)snprintf(name, sizeof name, "%s.%s", entry->key->section, entry->name);
    enum rc rc = entry->path == NULL || !config_entry_ours(c, entry) ? RC_OK : config_secret_read(entry, &e);
    bool unread = rc != RC_OK;
    if (rc == RC_OK)
        rc = config_value_read(entry, &c->arena, &e);
    if (rc == RC_FATAL)
        return rc;
    if (rc == RC_REJECT) {
        config_problem(c, problems, name, "%s", e.text);
        take_default(c, entry);
    }
    bool free_row = strcmp(entry->key->key, "*") == 0;
    if ((entry->key->required & c->program) != 0 && !unread && !free_row && entry->value[0] == '\0') {
        const char *example = entry->key->example;
        config_problem(c, problems, name, "must be set%s%s", example == NULL ? "" : ", for example ",
                       example == NULL ? "" : example);
    }
    return RC_OK;
}

enum rc config_load_anyway(const struct config_source *source, struct config **out, struct config_problems *problems)
{
    enum rc rc = RC_FATAL;
    unsigned before = problems->count;
    struct config *c = calloc(1, sizeof *c);
    if (c == NULL)
        return RC_FATAL;
    arena_init(&c->arena);
    c->program = source->program;
    if (source->file != NULL && (c->file = arena_text(&c->arena, source->file, strlen(source->file))) == NULL)
        goto out;
    rc = config_source_apply(c, source, problems);
    for (size_t i = 0; i < c->entries_n && rc == RC_OK; i++)
        rc = check_entry(c, &c->entries[i], problems);
    if (rc != RC_OK)
        goto out;
    if (problems->count > before || buf_failed(&problems->text))
        rc = RC_REJECT;
    *out = c;
    c = NULL;
out:
    config_destroy(c);
    return rc;
}

enum rc config_load(const struct config_source *source, struct config **out, struct config_problems *problems)
{
    struct config *c = NULL;
    enum rc rc = config_load_anyway(source, &c, problems);
    if (rc != RC_OK)
        config_destroy(c);
    else
        *out = c;
    return rc;
}

void config_destroy(struct config *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->entries_n; i++)
        config_secret_release(&c->entries[i]);
    free(c->entries);
    arena_release(&c->arena);
    free(c);
}

static bool is_named(const struct config_entry *e, const char *name)
{
    size_t n = strlen(e->key->section);
    return strncmp(name, e->key->section, n) == 0 && name[n] == '.' && strcmp(name + n + 1, e->name) == 0;
}

/* Where `get` found a name of that hash the last time; index + 1, 0: nowhere yet. */
static _Atomic uint16_t *memo_of(const struct config *c, const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return (_Atomic uint16_t *)&c->memo[hash % CONFIG_MEMO];
}

/* The entry behind "section.key". A free key that nobody gave is empty; a key that the table does not have is our own mistake. */
static const struct config_entry *get(const struct config *c, const char *name)
{
    static const struct config_entry nothing = {.value = ""};
    bool free_section = false;
    _Atomic uint16_t *memo = memo_of(c, name);
    unsigned known = atomic_load_explicit(memo, memory_order_relaxed);
    if (known > 0 && known <= c->entries_n && is_named(&c->entries[known - 1], name))
        return &c->entries[known - 1];
    for (const char *dot = strchr(name, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
        const struct config_entry *e = config_entry_find(c, name, (size_t)(dot - name), dot + 1);
        if (e == NULL)
            continue;
        atomic_store_explicit(memo, (uint16_t)(e - c->entries + 1), memory_order_relaxed);
        return e;
    }
    for (size_t i = 0; i < config_table_count; i++) {
        size_t n = strlen(config_table[i].section);
        free_section |= strcmp(config_table[i].key, "*") == 0 && strncmp(name, config_table[i].section, n) == 0 && name[n] == '.';
    }
    if (!free_section)
        abort();
    return &nothing;
}

static const struct config_entry *get_typed(const struct config *c, const char *name, unsigned types)
{
    const struct config_entry *e = get(c, name);
    if (e->key == NULL || (types & 1u << e->key->type) == 0)
        abort();
    return e;
}

const char *config_text(const struct config *c, const char *name)
{
    return get(c, name)->value;
}

bool config_bool(const struct config *c, const char *name)
{
    return get_typed(c, name, 1u << CONFIG_BOOL)->number != 0;
}

int64_t config_int(const struct config *c, const char *name)
{
    return get_typed(c, name, 1u << CONFIG_INT | 1u << CONFIG_SIZE)->number;
}

int64_t config_ms(const struct config *c, const char *name)
{
    return get_typed(c, name, 1u << CONFIG_DURATION)->number;
}

size_t config_list_count(const struct config *c, const char *name)
{
    return get_typed(c, name, 1u << CONFIG_LIST)->items_n;
}

const char *config_list_item(const struct config *c, const char *name, size_t i)
{
    const struct config_entry *e = get_typed(c, name, 1u << CONFIG_LIST);
    if (i >= e->items_n)
        abort();
    return e->items[i];
}

void config_each(const struct config *c, const char *section, void (*fn)(void *arg, const char *key, const char *value), void *arg)
{
    for (size_t i = 0; i < c->entries_n; i++) {
        const struct config_entry *e = &c->entries[i];
        bool is_free = e->key->free || strcmp(e->key->key, "*") == 0;
        if (is_free && strcmp(e->key->section, section) == 0 && e->value[0] != '\0')
            fn(arg, e->name, e->value);
    }
}
