#include <string.h>

#include "common/program/program_options.h"

/* The script needs bash 4 and nothing else: not the functions of the package bash-completion, which may not be there. */

/* Calls for each option of the program and of its commands, the common ones too; one may come more than once. */
static void each_option(const struct program_desc *d, struct buf *out, void (*put)(struct buf *out, const struct program_option *o))
{
    for (size_t i = 0; i < program_common_options_n; i++)
        put(out, &program_common_options[i]);
    for (size_t i = 0; i < d->options_n; i++)
        put(out, &d->options[i]);
    for (size_t i = 0; i < d->commands_n; i++)
        for (size_t k = 0; k < d->commands[i].options_n; k++)
            put(out, &d->commands[i].options[k]);
}

/* Patterns of a case: every option that takes an argument. One that comes twice does no harm. */
static void put_with_argument(struct buf *out, const struct program_option *o)
{
    if (o->argument != NULL)
        buf_printf(out, " | %s", o->name);
}

static bool names_file(const struct program_option *o)
{
    return o->argument != NULL && strcmp(o->argument, "FILE") == 0;
}

static void put_with_file(struct buf *out, const struct program_option *o)
{
    if (names_file(o) && strcmp(o->name, "-c") != 0)
        buf_printf(out, " | %s", o->name);
}

static void put_words(struct buf *out, const struct program_option *options, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s%s", i > 0 ? " " : "", options[i].name);
}

/* section.key= of every setting that the program reads; of free keys the section. */
static void put_settings(const struct program_desc *d, struct buf *out)
{
    for (size_t i = 0; i < config_table_count; i++) {
        const struct config_key *k = &config_table[i];
        if ((k->programs & d->config_bit) == 0)
            continue;
        if (strcmp(k->key, "*") == 0)
            buf_printf(out, " %s.", k->section);
        else
            buf_printf(out, " %s.%s=", k->section, k->key);
        if (k->secret)
            buf_printf(out, " %s.%s_file=", k->section, k->key);
    }
}

static void put_name(struct buf *out, const char *name)
{
    for (const char *p = name; *p != '\0'; p++)
        buf_put_byte(out, (unsigned char)(*p == '-' ? '_' : *p));
}

/* Finds which command stands on the line already. */
static void put_command_search(const struct program_desc *d, struct buf *out)
{
    if (d->commands_n == 0)
        return;
    buf_put_text(out, "    for ((i = 1; i < COMP_CWORD; i++)); do\n        case ${COMP_WORDS[i]} in\n            -X");
    each_option(d, out, put_with_argument);
    buf_put_text(out, ") ((i++)) ;;\n            ");
    for (size_t i = 0; i < d->commands_n; i++)
        buf_printf(out, "%s%s", i > 0 ? " | " : "", d->commands[i].name);
    buf_put_text(out, ") command=${COMP_WORDS[i]} && break ;;\n        esac\n    done\n");
}

/* The options of the command, or the names of the commands; without commands the program's own options. */
static void put_candidates(const struct program_desc *d, struct buf *out)
{
    buf_put_text(out, "            case $command in\n");
    for (size_t i = 0; i < d->commands_n; i++) {
        buf_printf(out, "                %s) words='", d->commands[i].name);
        put_words(out, d->commands[i].options, d->commands[i].options_n);
        buf_put_text(out, "' ;;\n");
    }
    buf_put_text(out, "                *) words='");
    for (size_t i = 0; i < d->commands_n; i++)
        buf_printf(out, "%s%s", i > 0 ? " " : "", d->commands[i].name);
    put_words(out, d->options, d->options_n);
    buf_put_text(out, "' ;;\n            esac\n            words+=' ");
    put_words(out, program_common_options, program_common_options_n);
    buf_put_text(out, "'\n");
}

void program_completion(const struct program_desc *d, struct buf *out)
{
    buf_printf(out, "# bash completion of %s, made from the tables of its --help.\n_", d->name);
    put_name(out, d->name);
    buf_put_text(out, "()\n{\n    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command= words= i\n    COMPREPLY=()\n");
    put_command_search(d, out);
    buf_put_text(out, "    case $before in\n        -c");
    each_option(d, out, put_with_file);
    buf_put_text(out, ")\n            compopt -o default\n            return ;;\n        -X)\n            compopt -o nospace\n            words='");
    put_settings(d, out);
    buf_put_text(out, "' ;;\n        -X");
    each_option(d, out, put_with_argument);
    buf_put_text(out, ") ;;\n        *)\n");
    put_candidates(d, out);
    buf_put_text(out, "    esac\n    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n}\ncomplete -F _");
    put_name(out, d->name);
    buf_printf(out, " %s\n", d->name);
}
