#include "common/program/program_options.h"

#include <stdlib.h>
#include <string.h>

const struct program_option program_common_options[] = {
    {"-c", "FILE", "Read the configuration from FILE."},
    {"-X", "section.key=value", "Override a value of the configuration; may be given several times."},
    {"--check-config", NULL, "Check the configuration, tell everything that is wrong with it, and end."},
    {"--print-config", NULL, "Print the configuration in effect with the origin of each value, secrets masked, and end."},
    {"--version", NULL, "Print the version and end."},
    {"--help", NULL, "Print this help and end."},
};
const size_t program_common_options_n = sizeof program_common_options / sizeof program_common_options[0];

/* The option that the word at argv[*i] is, with its argument from the same word or the next one. */
static enum rc match(const struct program_option *o, int argc, char **argv, int *i, const char **value, struct err *e)
{
    const char *word = argv[*i], *rest = NULL;
    size_t n = strlen(o->name);
    if (strncmp(word, o->name, n) != 0)
        return RC_RETRY;
    bool is_long = o->name[1] == '-';
    if (word[n] != '\0') {
        if (is_long ? word[n] != '=' : o->argument == NULL)
            return RC_RETRY;
        rest = word + n + is_long;
    }
    if (o->argument == NULL) {
        if (rest != NULL) {
            err_set(e, "%s takes no argument", o->name);
            return RC_REJECT;
        }
        *value = "";
        return RC_OK;
    }
    if (rest == NULL && *i + 1 < argc)
        rest = argv[++*i];
    if (rest == NULL) {
        err_set(e, "%s needs an argument: %s", o->name, o->argument);
        return RC_REJECT;
    }
    *value = rest;
    return RC_OK;
}

static enum rc take_common(struct program_options *o, const char *name, const char *value, struct err *e)
{
    if (strcmp(name, "-X") == 0) {
        o->overrides[o->overrides_n++] = value;
    } else if (strcmp(name, "-c") == 0) {
        if (o->file != NULL) {
            err_set(e, "-c is given twice");
            return RC_REJECT;
        }
        o->file = value;
    } else if (strcmp(name, "--check-config") == 0) {
        o->check_config = true;
    } else if (strcmp(name, "--print-config") == 0) {
        o->print_config = true;
    } else if (strcmp(name, "--version") == 0) {
        o->version = true;
    } else {
        o->help = true;
    }
    return RC_OK;
}

static enum rc take_command(struct program_options *o, const struct program_desc *d, const char *word, struct err *e)
{
    for (size_t i = 0; i < d->commands_n; i++) {
        if (strcmp(d->commands[i].name, word) != 0)
            continue;
        o->command = &d->commands[i];
        o->own_options = o->command->options;
        o->own_n = o->command->options_n;
        return RC_OK;
    }
    err_set(e, "no such command: %s", word);
    return RC_REJECT;
}

static enum rc take_plain(struct program_options *o, const struct program_desc *d, const char *word, struct err *e)
{
    if (d->commands_n > 0 && o->command == NULL)
        return take_command(o, d, word, e);
    if (o->command == NULL || o->arguments_n == o->command->arguments_max) {
        err_set(e, "%s: %s", o->command == NULL || o->arguments_n == 0 ? "takes no arguments" : "too many arguments", word);
        return RC_REJECT;
    }
    o->arguments[o->arguments_n++] = word;
    return RC_OK;
}

static enum rc take_word(struct program_options *o, const struct program_desc *d, int argc, char **argv, int *i, struct err *e)
{
    const char *value = NULL;
    if (argv[*i][0] != '-')
        return take_plain(o, d, argv[*i], e);
    for (size_t k = 0; k < program_common_options_n; k++) {
        enum rc rc = match(&program_common_options[k], argc, argv, i, &value, e);
        if (rc != RC_RETRY)
            return rc == RC_OK ? take_common(o, program_common_options[k].name, value, e) : rc;
    }
    for (size_t k = 0; k < o->own_n; k++) {
        enum rc rc = match(&o->own_options[k], argc, argv, i, &value, e);
        if (rc == RC_OK) {
            o->own[k] = value;
            o->given[o->given_n++] = (struct program_given){&o->own_options[k], value};
        }
        if (rc != RC_RETRY)
            return rc;
    }
    err_set(e, "no such option: %.*s%s", (int)strcspn(argv[*i], "="), argv[*i],
            d->commands_n > 0 && o->command == NULL ? " (a command's options stand behind it)" : "");
    return RC_REJECT;
}

static size_t most_options(const struct program_desc *d)
{
    size_t most = d->options_n;
    for (size_t i = 0; i < d->commands_n; i++)
        if (d->commands[i].options_n > most)
            most = d->commands[i].options_n;
    return most;
}

/* Whether all that is needed was said; --help and the like need nothing. */
static enum rc complete(const struct program_options *o, const struct program_desc *d, struct err *e)
{
    if (d->commands_n == 0 || o->help || o->version || o->check_config || o->print_config)
        return RC_OK;
    if (o->command == NULL)
        err_set(e, "needs a command");
    else if (o->arguments_n < o->command->arguments_min)
        err_set(e, "%s needs %s", o->command->name, o->command->arguments);
    else
        return RC_OK;
    return RC_REJECT;
}

enum rc program_options_parse(struct program_options *o, const struct program_desc *d, int argc, char **argv, struct err *e)
{
    *o = (struct program_options){.own_options = d->options, .own_n = d->options_n};
    o->overrides = calloc((size_t)argc + 1, sizeof *o->overrides);
    o->arguments = calloc((size_t)argc + 1, sizeof *o->arguments);
    o->own = calloc(most_options(d) + 1, sizeof *o->own);
    o->given = calloc((size_t)argc + 1, sizeof *o->given);
    if (o->overrides == NULL || o->own == NULL || o->arguments == NULL || o->given == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    enum rc rc = RC_OK;
    for (int i = 1; i < argc && rc == RC_OK; i++)
        rc = take_word(o, d, argc, argv, &i, e);
    return rc == RC_OK ? complete(o, d, e) : rc;
}

void program_options_release(struct program_options *o)
{
    free(o->overrides);
    free(o->arguments);
    free(o->own);
    free(o->given);
    *o = (struct program_options){0};
}
