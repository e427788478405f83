#include "common/base/config_man.h"

#include <string.h>

#include "common/base/config.h"
#include "common/base/roff.h"

enum { SENTENCE_MAX = 4096 };

/* In the order of the alphabet, as SEE ALSO wants them. */
static const struct {
    unsigned bit;
    const char *name;
} readers[] = {
    {CONFIG_CONSUMER, "erp-consumer"},
    {CONFIG_REPLAY, "order-replay"},
    {CONFIG_UPDATER, "status-updater"},
    {CONFIG_PRODUCER, "xsale-producer"},
};
enum { READERS = sizeof readers / sizeof *readers };

static const char rules[] =
    "One file may serve all programs of a host; each reads what it needs and checks all of it. An unknown section or key is an error.\n\n"
    "The file has sections, [name], and below them lines key = value. A comment is a line of its own that begins with a semicolon or a hash sign; nothing after a "
    "value is cut. A value goes on in lines that begin with a blank. A file's name is absolute or counts from the directory where the program is started.\n\n"
    "Durations are written 500ms, 30s, 5m, 12h or 7d, sizes 64k or 16m, lists with commas.\n\n"
    "Every key is also an environment variable, BRIDGE_SECTION_KEY in capitals with dots as underscores (BRIDGE_XSALE_CLIENT_SECRET; in librdkafka properties "
    "a real underscore is doubled), and an option, -X section.key=value. An option counts before the environment, the environment before the file, the file "
    "before the default.\n\n"
    "A secret also exists with _file appended to its key: the name of a file that holds it, read again when it changes. Each program's --check-config tells "
    "everything that is wrong, and --print-config what is in force and where it comes from.";

static void put_choices(struct buf *words, const char *choices)
{
    buf_put_text(words, " One of: ");
    for (const char *p = choices; *p != '\0'; p++)
        if (*p == '|')
            buf_put_text(words, ", ");
        else
            buf_put_byte(words, (unsigned char)*p);
    buf_put_byte(words, '.');
}

static void put_readers(struct buf *words, unsigned programs)
{
    const char *comma = "";
    buf_put_text(words, " Read by: ");
    if (programs == CONFIG_EVERY)
        buf_put_text(words, "every program");
    for (size_t i = 0; i < READERS && programs != CONFIG_EVERY; i++)
        if ((programs & readers[i].bit) != 0) {
            buf_printf(words, "%s%s", comma, readers[i].name);
            comma = ", ";
        }
    buf_put_byte(words, '.');
}

/* What the row says besides its doc. */
static void put_facts(struct buf *words, const struct config_key *k)
{
    if (k->choices != NULL)
        put_choices(words, k->choices);
    if (k->initial != NULL)
        buf_printf(words, " Default: %s.", k->initial);
    if (k->required != 0)
        buf_put_text(words, " Required.");
    if (k->secret)
        buf_printf(words, " Secret: %s_file = FILE instead names a file that holds it.", k->key);
    if (k->reload)
        buf_put_text(words, " SIGHUP takes it over.");
    put_readers(words, k->programs);
}

static void put_key(struct buf *out, const struct config_key *k)
{
    struct buf words;
    buf_init(&words, SENTENCE_MAX);
    buf_put_text(out, ".It Cm ");
    roff_arguments(out, strcmp(k->key, "*") == 0 ? "any other key" : k->key);
    buf_put_byte(out, '\n');
    buf_put_text(&words, k->doc);
    put_facts(&words, k);
    if (buf_failed(&words))
        out->failed = true;
    else
        roff_text(out, (const char *)words.p, words.n);
    if (k->example != NULL) {
        buf_put_text(out, ".Dl ");
        if (strcmp(k->key, "*") != 0)
            buf_printf(out, "%s = ", k->key);
        roff_arguments(out, k->example);
        buf_put_byte(out, '\n');
    }
    buf_release(&words);
}

static void put_sections(struct buf *out)
{
    const char *section = "";
    for (size_t i = 0; i < config_table_count; i++) {
        const struct config_key *k = &config_table[i];
        if (strcmp(k->section, section) != 0) {
            buf_printf(out, "%s.Ss [%s]\\&\n.Bl -tag -width Ds\n", *section != '\0' ? ".El\n" : "", k->section);
            section = k->section;
        }
        put_key(out, k);
    }
    buf_put_text(out, ".El\n");
}

void config_man(struct buf *out, const char *date)
{
    buf_printf(out, ".Dd %s\n.Dt BRIDGE.INI 5\n.Os\n.nh\n.Sh NAME\n.Nm bridge.ini\n.Nd configuration of the programs of xsale\\-bridge\n.Sh DESCRIPTION\n", date);
    roff_paragraphs(out, rules);
    buf_put_text(out, ".Sh SECTIONS\n");
    put_sections(out);
    buf_put_text(out, ".Sh SEE ALSO\n");
    for (size_t i = 0; i < READERS; i++)
        buf_printf(out, ".Xr %s 1%s\n", readers[i].name, i + 1 < READERS ? " ," : "");
}
