#include <string.h>

#include "common/program/program_options.h"

enum { HELP_WIDTH = 96, HELP_INDENT = 4 };

/* Words broken at blanks into lines of HELP_WIDTH, each after `indent` blanks. */
static void put_wrapped(struct buf *out, const char *words, size_t n, int indent)
{
    size_t column = 0;
    for (size_t at = 0; at < n;) {
        while (at < n && (words[at] == ' ' || words[at] == '\n'))
            at++;
        size_t length = 0;
        while (at + length < n && words[at + length] != ' ' && words[at + length] != '\n')
            length++;
        if (length == 0)
            break;
        if (column > 0 && column + 1 + length > HELP_WIDTH) {
            buf_put_byte(out, '\n');
            column = 0;
        }
        if (column == 0) {
            buf_printf(out, "%*s", indent, "");
            column = (size_t)indent;
        } else {
            buf_put_byte(out, ' ');
            column++;
        }
        buf_put(out, words + at, length);
        column += length;
        at += length;
    }
    buf_put_byte(out, '\n');
}

/* Calls for each paragraph of a text; paragraphs are separated by an empty line. */
static void each_paragraph(const char *text, struct buf *out, void (*put)(struct buf *out, const char *p, size_t n))
{
    while (*text != '\0') {
        const char *end = strstr(text, "\n\n");
        size_t n = end == NULL ? strlen(text) : (size_t)(end - text);
        put(out, text, n);
        text += n;
        text += strspn(text, "\n");
    }
}

static void put_help_paragraph(struct buf *out, const char *p, size_t n)
{
    buf_put_byte(out, '\n');
    put_wrapped(out, p, n, 0);
}

static void put_help_options(struct buf *out, const struct program_option *options, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_printf(out, "  %s%s%s\n", options[i].name, options[i].argument != NULL ? " " : "",
                   options[i].argument != NULL ? options[i].argument : "");
        put_wrapped(out, options[i].doc, strlen(options[i].doc), HELP_INDENT + 4);
    }
}

static void put_help_lines(struct buf *out, const char *p, size_t n)
{
    put_wrapped(out, p, n, 0);
}

/* From the table, so that it cannot be wrong. */
static void put_reload(const struct program_desc *d, struct buf *out, void (*put)(struct buf *out, const char *p, size_t n))
{
    struct buf words;
    const char *comma = "";
    buf_init(&words, 16384);
    buf_put_text(&words, "HUP reads the configuration again. Taken over without a restart, unless something in it is wrong: ");
    for (size_t i = 0; i < config_table_count; i++)
        if (config_table[i].reload && (config_table[i].programs & d->config_bit) != 0) {
            buf_printf(&words, "%s%s.%s", comma, config_table[i].section, config_table[i].key);
            comma = ", ";
        }
    buf_put_text(&words, ". What else has changed is named in the log and needs a restart.");
    const char *text = buf_text(&words);
    if (text != NULL)
        put(out, text, words.n);
    buf_release(&words);
}

static void put_help_commands(const struct program_desc *d, struct buf *out)
{
    if (d->commands_n > 0)
        buf_put_text(out, "\nCommands:\n");
    for (size_t i = 0; i < d->commands_n; i++) {
        const struct program_command *c = &d->commands[i];
        buf_printf(out, "  %s%s%s\n", c->name, c->arguments != NULL ? " " : "", c->arguments != NULL ? c->arguments : "");
        put_wrapped(out, c->summary, strlen(c->summary), HELP_INDENT + 4);
    }
}

void program_help(const struct program_desc *d, const struct program_command *command, struct buf *out)
{
    bool one = d->commands_n == 0;
    if (command != NULL) {
        buf_printf(out, "%s %s: %s\n\nUsage: %s %s [options] -c FILE%s%s\n", d->name, command->name, command->summary, d->name, command->name,
                   command->arguments != NULL ? " " : "", command->arguments != NULL ? command->arguments : "");
        each_paragraph(command->description, out, put_help_paragraph);
    } else {
        buf_printf(out, "%s: %s\n\nUsage: %s %s[options] -c FILE%s\n", d->name, d->summary, d->name, one ? "" : "COMMAND ", one ? "" : " [arguments]");
        each_paragraph(d->description, out, put_help_paragraph);
        put_help_commands(d, out);
    }
    buf_put_text(out, "\nOptions:\n");
    put_help_options(out, command != NULL ? command->options : d->options, command != NULL ? command->options_n : d->options_n);
    put_help_options(out, program_common_options, program_common_options_n);
    if (one) {
        buf_put_text(out, "\nSignals: TERM and INT end the program in order, a second one at once.\n");
        put_reload(d, out, put_help_lines);
        buf_put_text(out, "Exit codes: 0 done, 1 a failure at work, 2 wrong configuration or usage.\n");
    } else {
        buf_printf(out, "\nExit codes: 0 done, 1 a failure at work, 2 wrong configuration or usage, 3 the answer is no.%s%s%s\n",
                   command == NULL ? "\n" : "", command == NULL ? d->name : "", command == NULL ? " COMMAND --help tells more of a command." : "");
    }
}

/* Text of an mdoc line: a backslash is an escape there, and a dot or an apostrophe at the beginning a macro. */
static void put_roff(struct buf *out, const char *p, size_t n)
{
    bool line_begins = true;
    for (size_t i = 0; i < n; i++) {
        if (line_begins && (p[i] == '.' || p[i] == '\''))
            buf_put_text(out, "\\&");
        line_begins = p[i] == '\n';
        if (p[i] == '\\')
            buf_put_text(out, "\\e");
        else if (p[i] == '-')
            buf_put_text(out, "\\-");
        else
            buf_put_byte(out, (unsigned char)p[i]);
    }
    buf_put_byte(out, '\n');
}

static void put_man_paragraph(struct buf *out, const char *p, size_t n)
{
    buf_put_text(out, ".Pp\n");
    put_roff(out, p, n);
}

static void put_man_lines(struct buf *out, const char *p, size_t n)
{
    put_roff(out, p, n);
}

/* mdoc's Fl writes the first hyphen itself. */
static void put_man_flag(struct buf *out, const char *macro, const struct program_option *o)
{
    buf_printf(out, "%s Fl %s%s", macro, o->name[1] == '-' ? "\\-" : "", o->name + (o->name[1] == '-' ? 2 : 1));
    if (o->argument != NULL)
        buf_printf(out, " Ar %s", o->argument);
    buf_put_byte(out, '\n');
}

static void put_man_options(struct buf *out, const struct program_option *options, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        put_man_flag(out, ".It", &options[i]);
        put_roff(out, options[i].doc, strlen(options[i].doc));
    }
}

/* For each command a subsection with its synopsis and options. */
static void put_man_commands(const struct program_desc *d, struct buf *out)
{
    if (d->commands_n > 0)
        buf_put_text(out, ".Sh COMMANDS\n");
    for (size_t i = 0; i < d->commands_n; i++) {
        const struct program_command *c = &d->commands[i];
        buf_printf(out, ".Ss %s%s%s\n", c->name, c->arguments != NULL ? " " : "", c->arguments != NULL ? c->arguments : "");
        each_paragraph(c->description, out, put_man_paragraph);
        if (c->options_n > 0) {
            buf_put_text(out, ".Bl -tag -width Ds\n");
            put_man_options(out, c->options, c->options_n);
            buf_put_text(out, ".El\n");
        }
    }
}

void program_man(const struct program_desc *d, struct buf *out)
{
    /* Without a date: the page is as old as the program that it comes with. */
    buf_put_text(out, ".Dd $Mdocdate$\n.Dt ");
    for (const char *p = d->name; *p != '\0'; p++)
        buf_put_byte(out, (unsigned char)(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p));
    buf_printf(out, " 1\n.Os\n.Sh NAME\n.Nm %s\n.Nd ", d->name);
    put_roff(out, d->summary, strlen(d->summary));
    buf_put_text(out, ".Sh SYNOPSIS\n.Nm\n");
    if (d->commands_n > 0)
        buf_put_text(out, ".Ar command\n");
    for (size_t i = 0; i < d->options_n; i++)
        put_man_flag(out, ".Op", &d->options[i]);
    for (size_t i = 0; i < program_common_options_n; i++)
        put_man_flag(out, ".Op", &program_common_options[i]);
    buf_put_text(out, ".Sh DESCRIPTION\n");
    each_paragraph(d->description, out, put_man_paragraph);
    buf_put_text(out, ".Pp\nThe options are as follows:\n.Bl -tag -width Ds\n");
    put_man_options(out, d->options, d->options_n);
    put_man_options(out, program_common_options, program_common_options_n);
    buf_put_text(out, ".El\n");
    put_man_commands(d, out);
    if (d->commands_n > 0) {
        buf_put_text(out, ".Sh EXIT STATUS\n"
                          ".Bl -tag -width Ds\n.It 0\ndone\n.It 1\na failure at work\n.It 2\nwrong configuration or usage\n.It 3\nthe answer is no\n.El\n");
        return;
    }
    buf_put_text(out, ".Sh SIGNALS\n"
                      "TERM and INT end the program in order, a second one at once.\n");
    put_reload(d, out, put_man_lines);
    buf_put_text(out, ".Sh EXIT STATUS\n"
                      ".Bl -tag -width Ds\n.It 0\ndone\n.It 1\na failure at work\n.It 2\nwrong configuration or usage\n.El\n");
}
