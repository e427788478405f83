#include <string.h>

#include "common/base/roff.h"
#include "common/program/program_options.h"
#include "common/program/program_words.h"

enum { WORDS_MAX = 16384 };

/* mdoc's Fl writes the first hyphen itself. */
static void put_flag(struct buf *out, const char *macro, const struct program_option *o)
{
    buf_printf(out, "%s Fl ", macro);
    roff_arguments(out, o->name + 1);
    if (o->argument != NULL) {
        buf_put_text(out, " Ar ");
        roff_arguments(out, o->argument);
    }
    buf_put_byte(out, '\n');
}

static void put_synopsis_flags(struct buf *out, const struct program_option *options, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put_flag(out, ".Op", &options[i]);
}

static void put_options(struct buf *out, const struct program_option *options, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        put_flag(out, ".It", &options[i]);
        roff_text(out, options[i].doc, strlen(options[i].doc));
    }
}

static void put_command(const struct program_desc *d, const struct program_command *c, struct buf *out)
{
    buf_put_text(out, ".Ss ");
    roff_arguments(out, c->name);
    buf_put_text(out, "\n.Nm ");
    roff_arguments(out, d->name);
    buf_put_text(out, "\n.Cm ");
    roff_arguments(out, c->name);
    buf_put_byte(out, '\n');
    put_synopsis_flags(out, c->options, c->options_n);
    buf_put_text(out, ".Fl c Ar FILE\n");
    if (c->arguments != NULL) {
        buf_put_text(out, ".Ar ");
        roff_arguments(out, c->arguments);
        buf_put_byte(out, '\n');
    }
    buf_put_text(out, ".Pp\n");
    roff_paragraphs(out, c->description);
    if (c->options_n == 0)
        return;
    buf_put_text(out, ".Bl -tag -width Ds\n");
    put_options(out, c->options, c->options_n);
    buf_put_text(out, ".El\n");
}

/* For each command a subsection with its synopsis and options. */
static void put_commands(const struct program_desc *d, struct buf *out)
{
    if (d->commands_n > 0)
        buf_put_text(out, ".Sh COMMANDS\n");
    for (size_t i = 0; i < d->commands_n; i++)
        put_command(d, &d->commands[i], out);
}

static void put_head(const struct program_desc *d, const char *date, struct buf *out)
{
    buf_printf(out, ".Dd %s\n.Dt ", date);
    for (const char *p = d->name; *p != '\0'; p++)
        buf_put_byte(out, (unsigned char)(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p));
    buf_put_text(out, " 1\n.Os\n.nh\n.Sh NAME\n.Nm ");
    roff_arguments(out, d->name);
    buf_put_text(out, "\n.Nd ");
    roff_arguments(out, d->summary);
    buf_put_text(out, "\n.Sh SYNOPSIS\n.Nm\n");
    if (d->commands_n > 0)
        buf_put_text(out, ".Ar command\n");
    put_synopsis_flags(out, d->options, d->options_n);
    put_synopsis_flags(out, program_common_options, program_common_options_n);
    if (d->commands_n > 0)
        buf_put_text(out, ".Op Ar argument ...\n");
}

static void put_signals(const struct program_desc *d, struct buf *out)
{
    struct buf words;
    buf_init(&words, WORDS_MAX);
    buf_put_text(&words, "TERM and INT end the program in order, a second one at once. ");
    program_words_reload(d, &words);
    buf_put_text(out, ".Sh SIGNALS\n");
    if (buf_failed(&words))
        out->failed = true;
    else
        roff_text(out, (const char *)words.p, words.n);
    buf_release(&words);
}

static void put_metrics(const struct program_desc *d, struct buf *out)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    if (d->metrics_n == 0)
        return;
    buf_put_text(out, ".Sh METRICS\nServed for Prometheus under /metrics, beside those of the process.\n.Bl -tag -width Ds\n");
    for (size_t i = 0; i < d->metrics_n; i++) {
        const struct metric_row *row = &d->metrics[i];
        buf_printf(out, ".It Va %s%s%s\n", row->name, row->label != NULL ? " Pq " : "", row->label != NULL ? row->label : "");
        roff_text(out, row->help, strlen(row->help));
        buf_printf(out, "A %s.\n", types[row->type]);
    }
    buf_put_text(out, ".El\n");
}

static void put_exits(const struct program_desc *d, struct buf *out)
{
    buf_put_text(out, ".Sh EXIT STATUS\n.Bl -tag -width Ds\n");
    for (size_t i = 0; i < program_exits(d); i++)
        buf_printf(out, ".It %d\n%s\n", program_exit_codes[i].code, program_exit_codes[i].words);
    buf_put_text(out, ".El\n");
}

void program_man(const struct program_desc *d, const char *date, struct buf *out)
{
    put_head(d, date, out);
    buf_put_text(out, ".Sh DESCRIPTION\n");
    roff_paragraphs(out, d->description);
    buf_put_text(out, ".Pp\nThe options are as follows:\n.Bl -tag -width Ds\n");
    put_options(out, d->options, d->options_n);
    put_options(out, program_common_options, program_common_options_n);
    buf_put_text(out, ".El\n");
    put_commands(d, out);
    if (d->commands_n == 0)
        put_signals(d, out);
    buf_put_text(out, ".Sh ENVIRONMENT\nEvery setting is also a variable,\n.Ev BRIDGE_SECTION_KEY ;\nsee\n.Xr bridge.ini 5 .\n");
    put_exits(d, out);
    put_metrics(d, out);
    buf_put_text(out, ".Sh SEE ALSO\n.Xr bridge.ini 5\n");
}
