#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/config_parts.h"
#include "common/base/utf8.h"

enum { NAME_ROOM = 256 };

/* One "section.key = value" and where it comes from. */
struct given {
    const char *section;
    const char *key;
    const char *value;
    enum config_origin origin;
    unsigned line;
    char place[NAME_ROOM]; /* for problems: "bridge.ini:12", "-X", "environment" */
};

static const struct config_key *free_row(const char *section)
{
    for (size_t i = 0; i < config_table_count; i++)
        if (strcmp(config_table[i].section, section) == 0 && strcmp(config_table[i].key, "*") == 0)
            return &config_table[i];
    return NULL;
}

static bool is_section(const char *section)
{
    for (size_t i = 0; i < config_table_count; i++)
        if (strcmp(config_table[i].section, section) == 0)
            return true;
    return false;
}

static void unknown_section(const char *place, const char *section, struct config_problems *problems)
{
    struct config_suggest suggest;
    char words[288];
    config_suggest_init(&suggest, section);
    for (size_t i = 0; i < config_table_count; i++)
        config_suggest_offer(&suggest, config_table[i].section);
    config_suggest_words(&suggest, words, sizeof words);
    config_problem_add(problems, "%s: [%s]: no such section%s", place, section, words);
}

/* A near key of the same section first; else the same key in another section; else the nearest name of all. */
static void unknown_key(const struct given *g, struct config_problems *problems)
{
    struct config_suggest here, anywhere;
    char full[NAME_ROOM], name[NAME_ROOM], words[288];
    (void)snprintf(full, sizeof full, "%s.%s", g->section, g->key);
    config_suggest_init(&here, g->key);
    config_suggest_init(&anywhere, full);
    for (size_t i = 0; i < config_table_count; i++) {
        const struct config_key *k = &config_table[i];
        if (strcmp(k->key, "*") == 0)
            continue;
        if (strcmp(k->section, g->section) == 0)
            config_suggest_offer(&here, k->key);
        (void)snprintf(name, sizeof name, "%s.%s", k->section, k->key);
        if (strcmp(k->key, g->key) == 0 && anywhere.distance > 0) {
            (void)snprintf(anywhere.nearest, sizeof anywhere.nearest, "%s", name);
            anywhere.distance = 0;
        }
        config_suggest_offer(&anywhere, name);
    }
    config_suggest_words(here.nearest[0] != '\0' ? &here : &anywhere, words, sizeof words);
    config_problem_add(problems, "%s: %s: no such key%s", g->place, full, words);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

static enum rc new_entry(struct config *c, const struct config_key *key, const char *name, struct config_entry **out)
{
    if (c->entries_n >= CONFIG_ENTRIES_MAX)
        return RC_REJECT;
    if (c->entries_n == c->entries_room) {
        size_t room = c->entries_room == 0 ? 256 : c->entries_room * 2;
        struct config_entry *entries = realloc(c->entries, room * sizeof *entries);
        if (entries == NULL)
            return RC_FATAL;
        c->entries = entries;
        c->entries_room = room;
    }
    struct config_entry *e = &c->entries[c->entries_n];
    *e = (struct config_entry){.key = key, .name = name, .value = ""};
    c->entries_n++;
    *out = e;
    return RC_OK;
}

static enum rc add_defaults(struct config *c)
{
    for (size_t i = 0; i < config_table_count; i++) {
        const struct config_key *k = &config_table[i];
        struct config_entry *e = NULL;
        if (strcmp(k->key, "*") == 0)
            continue;
        if (new_entry(c, k, k->key, &e) != RC_OK)
            return RC_FATAL;
        e->value = k->initial == NULL ? "" : k->initial;
    }
    return RC_OK;
}

/* The weaker source gives way; the same source may not give both the value and the file that holds it. */
static enum rc put_value(struct config *c, struct config_entry *e, const struct given *g, bool is_file,
                         struct config_problems *problems)
{
    if (e->origin == g->origin && g->origin != FROM_DEFAULT && is_file != (e->path != NULL)) {
        config_problem_add(problems, "%s: %s.%s: given together with %s.%s_file; one of the two", g->place, g->section, e->name,
                           g->section, e->name);
        return RC_OK;
    }
    if (utf8_check(g->value, strlen(g->value)) != strlen(g->value)) { /* of a file all of it was checked */
        config_problem_add(problems, "%s: %s.%s: not valid UTF-8", g->place, g->section, e->name);
        return RC_OK;
    }
    char *own = arena_text(&c->arena, g->value, strlen(g->value));
    if (own == NULL)
        return RC_FATAL;
    if (g->origin != FROM_FILE && strpbrk(own, "\r\n") != NULL)
        config_fold(own);
    const char *value = own;
    if (config_credential(c, e->key, is_file ? NULL : e->name, value, &value) != RC_OK)
        return RC_FATAL;
    e->value = is_file ? "" : value;
    e->path = is_file ? value : NULL;
    e->origin = g->origin;
    e->line = g->line;
    return RC_OK;
}

static bool is_whole_number(const char *text)
{
    size_t n = strspn(text + (*text == '-'), "0123456789");
    return n > 0 && n < 19 && text[n + (*text == '-')] == '\0';
}

/* What every property of librdkafka is made of; anything else is a slip of the keyboard that no list of names is needed for. */
static bool is_property_name(const char *text)
{
    return *text != '\0' && text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] == '\0';
}

static enum rc put_free(struct config *c, const struct config_key *row, const struct given *g, struct config_problems *problems)
{
    char name[NAME_ROOM];
    (void)snprintf(name, sizeof name, "%s", g->key);
    bool is_file = !row->numbered && ends_with(name, "_file"); /* no librdkafka property ends so */
    if (is_file)
        name[strlen(name) - strlen("_file")] = '\0';
    if (row->numbered && !is_whole_number(name)) {
        struct config_suggest suggest;
        char words[288];
        config_suggest_init(&suggest, name);
        for (size_t i = 0; i < config_table_count; i++)
            if (strcmp(config_table[i].section, g->section) == 0)
                config_suggest_offer(&suggest, config_table[i].key);
        config_suggest_words(&suggest, words, sizeof words);
        config_problem_add(problems, "%s: %s.%s: neither a key of this section nor a whole number%s", g->place, g->section, name,
                           words);
        return RC_OK;
    }
    if (!row->numbered && !is_property_name(name)) {
        config_problem_add(problems, "%s: [%s]: the name of a property has letters, digits, dots, dashes and underscores only: %s",
                           g->place, g->section, name);
        return RC_OK;
    }
    struct config_entry *e = config_entry_find(c, g->section, strlen(g->section), name);
    if (e == NULL) {
        const char *own = arena_text(&c->arena, name, strlen(name));
        enum rc rc = own == NULL ? RC_FATAL : new_entry(c, row, own, &e);
        if (rc == RC_REJECT)
            config_problem_add(problems, "%s: %s.%s: more than %d keys in all", g->place, g->section, name, CONFIG_ENTRIES_MAX);
        if (rc != RC_OK)
            return rc == RC_REJECT ? RC_OK : rc;
    }
    return put_value(c, e, g, is_file, problems);
}

static enum rc put_given(struct config *c, const struct given *g, struct config_problems *problems)
{
    if (strlen(g->key) >= NAME_ROOM / 2) {
        config_problem_add(problems, "%s: [%s]: a key is too long", g->place, g->section);
        return RC_OK;
    }
    struct config_entry *e = config_entry_find(c, g->section, strlen(g->section), g->key);
    if (e != NULL)
        return put_value(c, e, g, false, problems);
    if (ends_with(g->key, "_file")) {
        char name[NAME_ROOM];
        (void)snprintf(name, sizeof name, "%.*s", (int)(strlen(g->key) - strlen("_file")), g->key);
        e = config_entry_find(c, g->section, strlen(g->section), name);
        if (e != NULL && e->key->secret)
            return put_value(c, e, g, true, problems);
    }
    const struct config_key *row = free_row(g->section);
    if (row != NULL)
        return put_free(c, row, g, problems);
    unknown_key(g, problems);
    return RC_OK;
}

static enum rc apply_file(struct config *c, struct config_problems *problems)
{
    struct config_line *lines = NULL;
    size_t n = 0;
    enum rc rc = config_file_read(c->file, &c->arena, &lines, &n, problems);
    if (rc != RC_OK)
        return rc; /* told; whatever else would be said follows from it */
    for (size_t i = 0; i < n && rc == RC_OK; i++) {
        if (lines[i].section[0] == '?') /* a broken head: nobody knows what its keys are */
            continue;
        struct given g = {lines[i].section, lines[i].key, lines[i].value, FROM_FILE, lines[i].line, ""};
        (void)snprintf(g.place, sizeof g.place, "%s:%u", c->file, g.line);
        if (!is_section(g.section)) {
            if (g.key == NULL)
                unknown_section(g.place, g.section, problems);
        } else if (g.key != NULL) {
            rc = put_given(c, &g, problems);
        }
    }
    return rc;
}

static void upper_name(char *out, size_t room, const char *section, const char *key)
{
    (void)snprintf(out, room, "BRIDGE_%s_%s", section, key);
    for (char *p = out; *p != '\0'; p++)
        *p = *p == '.' ? '_' : (char)toupper((unsigned char)*p);
}

/* SASL_PASSWORD -> sasl.password, SOME__NAME -> some_name; _FILE at the end stays what it is everywhere else. */
static void property_name(const char *env, size_t n, char *out, size_t room)
{
    size_t at = 0, stop = n;
    bool is_file = n > 5 && strncmp(env + n - 5, "_FILE", 5) == 0 && env[n - 6] != '_';
    if (is_file)
        stop = n - 5;
    for (size_t i = 0; i < stop && at + 6 < room; i++) {
        bool doubled = env[i] == '_' && i + 1 < stop && env[i + 1] == '_';
        out[at++] = env[i] != '_' ? (char)tolower((unsigned char)env[i]) : doubled ? '_' : '.';
        i += doubled;
    }
    (void)snprintf(out + at, room - at, "%s", is_file ? "_file" : "");
}

/* Finds the row that a variable (n bytes of name) means; *is_file: through a file. NULL: none. */
static const struct config_key *environment_row(const char *variable, size_t n, bool *is_file)
{
    char name[NAME_ROOM];
    for (size_t i = 0; i < config_table_count; i++) {
        const struct config_key *k = &config_table[i];
        upper_name(name, sizeof name, k->section, k->key);
        size_t m = strlen(name);
        *is_file = k->secret && n == m + 5 && strncmp(variable + m, "_FILE", 5) == 0;
        if (strncmp(variable, name, m) == 0 && (n == m || *is_file))
            return k;
    }
    return NULL;
}

/* Of the sections with free keys the one with the longest name that the variable begins with. */
static const struct config_key *environment_free(const char *variable, size_t n, size_t *head)
{
    const struct config_key *best = NULL;
    char name[NAME_ROOM];
    *head = 0;
    for (size_t i = 0; i < config_table_count; i++) {
        if (strcmp(config_table[i].key, "*") != 0)
            continue;
        upper_name(name, sizeof name, config_table[i].section, "");
        size_t m = strlen(name);
        if (m < n && m > *head && strncmp(variable, name, m) == 0) {
            best = &config_table[i];
            *head = m;
        }
    }
    return best;
}

static void unknown_variable(const char *variable, size_t n, struct config_problems *problems)
{
    struct config_suggest suggest;
    char written[NAME_ROOM], name[NAME_ROOM], words[288];
    (void)snprintf(written, sizeof written, "%.*s", (int)(n < NAME_ROOM ? n : NAME_ROOM - 1), variable);
    config_suggest_init(&suggest, written);
    for (size_t i = 0; i < config_table_count; i++) {
        upper_name(name, sizeof name, config_table[i].section, config_table[i].key);
        if (strcmp(config_table[i].key, "*") != 0)
            config_suggest_offer(&suggest, name);
    }
    config_suggest_words(&suggest, words, sizeof words);
    config_problem_add(problems, "environment: %s: no such key%s", written, words);
}

static enum rc apply_variable(struct config *c, const char *variable, struct config_problems *problems)
{
    size_t n = strcspn(variable, "="), head = 0;
    if (strncmp(variable, "BRIDGE_", 7) != 0 || variable[n] != '=' || n == 7)
        return RC_OK;
    struct given g = {.value = variable + n + 1, .origin = FROM_ENVIRONMENT, .place = "environment"};
    bool is_file = false;
    const struct config_key *row = n < NAME_ROOM / 2 ? environment_row(variable, n, &is_file) : NULL;
    if (row != NULL && strcmp(row->key, "*") != 0) {
        struct config_entry *e = config_entry_find(c, row->section, strlen(row->section), row->key);
        g.section = row->section;
        return put_value(c, e, &g, is_file, problems);
    }
    row = n < NAME_ROOM / 2 ? environment_free(variable, n, &head) : NULL;
    if (row == NULL || (row->numbered && !isdigit((unsigned char)variable[head]))) {
        unknown_variable(variable, n, problems);
        return RC_OK;
    }
    char key[NAME_ROOM];
    property_name(variable + head, n - head, key, sizeof key);
    g.section = row->section;
    g.key = key;
    return put_free(c, row, &g, problems);
}

const char *config_section_of(const char *name)
{
    const char *best = NULL;
    for (size_t i = 0; i < config_table_count; i++) {
        const char *section = config_table[i].section;
        size_t n = strlen(section);
        if (strncmp(name, section, n) == 0 && name[n] == '.' && name[n + 1] != '\0' && (best == NULL || n > strlen(best)))
            best = section;
    }
    return best;
}

static enum rc apply_override(struct config *c, const char *text, struct config_problems *problems)
{
    const char *equals = strchr(text, '=');
    char name[NAME_ROOM];
    if (equals == NULL || (size_t)(equals - text) >= sizeof name) {
        /* Not shown: it may be a secret whose key was forgotten. */
        config_problem_add(problems, "-X: needs section.key=value");
        return RC_OK;
    }
    (void)snprintf(name, sizeof name, "%.*s", (int)(equals - text), text);
    struct given g = {.section = config_section_of(name), .value = equals + 1, .origin = FROM_OVERRIDE, .place = "-X"};
    if (g.section != NULL) {
        g.key = name + strlen(g.section) + 1;
        return put_given(c, &g, problems);
    }
    char *dot = strrchr(name, '.');
    if (dot == NULL) {
        config_problem_add(problems, "-X: %s: needs a section: section.key=value", name);
        return RC_OK;
    }
    *dot = '\0';
    g.section = name;
    g.key = dot + 1;
    unknown_key(&g, problems);
    return RC_OK;
}

static enum rc take_credentials(struct config *c, const char *const *environment)
{
    static const char name[] = "CREDENTIALS_DIRECTORY=/";
    for (const char *const *v = environment; v != NULL && *v != NULL; v++) {
        if (strncmp(*v, name, sizeof name - 1) != 0)
            continue;
        const char *directory = *v + sizeof name - 2;
        if ((c->credentials = arena_text(&c->arena, directory, strlen(directory))) == NULL)
            return RC_FATAL;
    }
    return RC_OK;
}

enum rc config_source_apply(struct config *c, const struct config_source *source, struct config_problems *problems)
{
    enum rc rc = add_defaults(c);
    if (rc == RC_OK)
        rc = take_credentials(c, source->environ_);
    if (rc == RC_OK && c->file != NULL)
        rc = apply_file(c, problems);
    for (const char *const *v = source->environ_; rc == RC_OK && v != NULL && *v != NULL; v++)
        rc = apply_variable(c, *v, problems);
    for (size_t i = 0; rc == RC_OK && i < source->overrides_n; i++)
        rc = apply_override(c, source->overrides[i], problems);
    return rc;
}
