#include <string.h>

#include "common/base/config_parts.h"

enum { DOC_WIDTH = 110 };

/* A value of several lines is folded, as it is read. */
static void print_value(struct buf *out, const char *value)
{
    for (const char *p = value; *p != '\0'; p++) {
        buf_put_byte(out, (unsigned char)*p);
        if (*p == '\n')
            buf_put_text(out, "    ");
    }
}

static void print_entry(const struct config *c, const struct config_entry *e, struct buf *out)
{
    char place[256];
    config_entry_place(c, e, place, sizeof place);
    buf_printf(out, "; %s%s%s\n%s =", place, e->path != NULL ? ", read from " : "", e->path != NULL ? e->path : "", e->name);
    if (e->value[0] != '\0')
        buf_put_byte(out, ' ');
    if (config_entry_secret(e) && e->value[0] != '\0')
        buf_put_text(out, "********");
    else
        print_value(out, e->value);
    buf_put_byte(out, '\n');
}

static void print_section(const struct config *c, const char *section, struct buf *out)
{
    buf_printf(out, "%s[%s]\n", out->n > 0 ? "\n" : "", section);
    for (size_t i = 0; i < c->entries_n; i++)
        if (strcmp(c->entries[i].key->section, section) == 0)
            print_entry(c, &c->entries[i], out);
}

static bool begins_section(size_t row)
{
    return row == 0 || strcmp(config_table[row].section, config_table[row - 1].section) != 0;
}

void config_print(const struct config *c, struct buf *out)
{
    for (size_t i = 0; i < config_table_count; i++)
        if (begins_section(i))
            print_section(c, config_table[i].section, out);
}

/* Words as comment lines, broken at blanks. */
static void print_comment(struct buf *out, const char *words)
{
    while (*words != '\0') {
        size_t n = strlen(words);
        if (n > DOC_WIDTH) {
            n = DOC_WIDTH;
            while (n > 0 && words[n] != ' ')
                n--;
            if (n == 0)
                n = strcspn(words, " ");
        }
        buf_printf(out, "; %.*s\n", (int)n, words);
        words += n;
        words += strspn(words, " ");
    }
}

static void print_choices(struct buf *out, const char *choices)
{
    buf_put_text(out, "; one of: ");
    for (const char *p = choices; *p != '\0'; p++)
        if (*p == '|')
            buf_put_text(out, " | ");
        else
            buf_put_byte(out, (unsigned char)*p);
    buf_put_byte(out, '\n');
}

static void print_row(struct buf *out, const struct config_key *k)
{
    print_comment(out, k->doc);
    if (k->choices != NULL)
        print_choices(out, k->choices);
    if (k->required != 0)
        buf_put_text(out, "; Required.\n");
    if (k->secret)
        buf_printf(out, "; Secret; %s_file = FILE instead names a file that holds it.\n", k->key);
    if (k->reload)
        buf_put_text(out, "; SIGHUP takes it over.\n");
    if (strcmp(k->key, "*") == 0) {
        if (k->example != NULL)
            buf_printf(out, "; %s\n", k->example);
        return;
    }
    if (k->example != NULL)
        buf_printf(out, "; For example: %s = %s\n", k->key, k->example);
    buf_printf(out, "%s =%s%s\n", k->key, k->initial != NULL ? " " : "", k->initial != NULL ? k->initial : "");
}

void config_example(struct buf *out)
{
    buf_put_text(out, "; Configuration of xsale-bridge. One file may serve all programs of a host; each reads what it needs.\n"
                      "; Comments are whole lines; nothing after a value is cut. A value goes on in lines that begin with a blank.\n"
                      "; A file's name is absolute or counts from the directory where the program is started, not from this file's; under systemd\n"
                      "; secrets/password may be the unit's credential secrets_password.\n"
                      "; Durations: 500ms, 30s, 5m, 12h, 7d. Sizes: 64k, 16m. Lists: comma separated.\n"
                      "; Every key is also an environment variable, BRIDGE_<SECTION>_<KEY> with dots as underscores (in librdkafka\n"
                      "; properties a real underscore is doubled), and an option, -X section.key=value.\n"
                      "; Precedence: -X, environment, file, default. Below stand the defaults.\n");
    for (size_t i = 0; i < config_table_count; i++) {
        if (begins_section(i))
            buf_printf(out, "\n[%s]\n", config_table[i].section);
        print_row(out, &config_table[i]);
    }
}
