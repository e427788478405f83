/* The command line of a program: the common options and its own, from tables. Pure but for memory. */
#ifndef BRIDGE_PROGRAM_PROGRAM_OPTIONS_H
#define BRIDGE_PROGRAM_PROGRAM_OPTIONS_H

#include "common/program/program.h"

struct program_options { /* texts borrowed from argv */
    const char *file;       /* -c; NULL: none */
    const char **overrides; /* overrides_n of -X, owned */
    size_t overrides_n;
    const struct program_command *command;    /* NULL: none was named */
    const struct program_option *own_options; /* own_n: the command's, or those of a program without commands */
    size_t own_n;
    const char **own;        /* own_n values, owned; NULL: not given; the last one of an option that was given several times */
    struct program_given {
        const struct program_option *option;
        const char *value;
    } *given;                /* given_n, owned: every one of them, in the order of the command line */
    size_t given_n;
    const char **arguments;  /* arguments_n, owned */
    size_t arguments_n;
    bool check_config, print_config, version, help;
};

/* The options that every program has, program_common_options_n rows. */
extern const struct program_option program_common_options[];
extern const size_t program_common_options_n;

/* RC_REJECT: wrong usage, words in e. RC_FATAL: memory. The caller releases in every case. */
enum rc program_options_parse(struct program_options *o, const struct program_desc *d, int argc, char **argv, struct err *e);
void program_options_release(struct program_options *o);

#endif
