#include <string.h>

#include "common/program/program_options.h"
#include "common/program/program_words.h"

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

static void put_help_reload(const struct program_desc *d, struct buf *out)
{
    struct buf words;
    buf_init(&words, 16384);
    program_words_reload(d, &words);
    if (buf_failed(&words))
        out->failed = true;
    else
        put_wrapped(out, (const char *)words.p, words.n, 0);
    buf_release(&words);
}

static void put_help_exits(const struct program_desc *d, struct buf *out)
{
    buf_put_text(out, "Exit codes:");
    for (size_t i = 0; i < program_exits(d); i++)
        buf_printf(out, "%s %d %s", i > 0 ? "," : "", program_exit_codes[i].code, program_exit_codes[i].words);
    buf_put_text(out, ".\n");
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
        put_help_reload(d, out);
    } else {
        buf_put_byte(out, '\n');
    }
    put_help_exits(d, out);
    if (!one && command == NULL)
        buf_printf(out, "\n%s COMMAND --help tells more of a command.\n", d->name);
}
