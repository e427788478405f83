/* The command line of a program: the common options and its own, from tables. Pure but for memory. */
#ifndef BRIDGE_PROGRAM_PROGRAM_OPTIONS_H
#define BRIDGE_PROGRAM_PROGRAM_OPTIONS_H

#include "common/program/program.h"

struct program_options { /* texts borrowed from argv */
    const char *file;       /* -c; NULL: none */
    const char **overrides; /* overrides_n of -X, owned */
    size_t overrides_n;
    const char **own;       /* desc->options_n values, owned; NULL: not given */
    bool check_config, print_config, version, help;
};

/* The options that every program has, program_common_options_n rows. */
extern const struct program_option program_common_options[];
extern const size_t program_common_options_n;

/* RC_REJECT: wrong usage, words in e. RC_FATAL: memory. The caller releases in every case. */
enum rc program_options_parse(struct program_options *o, const struct program_desc *d, int argc, char **argv, struct err *e);
void program_options_release(struct program_options *o);

#endif
