/* What the files of the configuration share; nobody else includes it. Everything a configuration holds lives in its arena,
 * except the texts of secrets that were read from files, which come and go. */
#ifndef BRIDGE_BASE_CONFIG_PARTS_H
#define BRIDGE_BASE_CONFIG_PARTS_H

#include <sys/stat.h>

#include "common/base/arena.h"
#include "common/base/config.h"

enum { CONFIG_FILE_MAX = 256 * 1024, CONFIG_SECRET_MAX = 64 * 1024, CONFIG_ENTRIES_MAX = 4096, CONFIG_MEMO = 1024 };

enum config_origin { FROM_DEFAULT, FROM_FILE, FROM_ENVIRONMENT, FROM_OVERRIDE }; /* weakest first */

struct config_entry { /* a key and what it was given */
    const struct config_key *key; /* its row; the section's "*" for a free key */
    const char *name;             /* within the section */
    const char *value;            /* never NULL */
    int64_t number;               /* of CONFIG_BOOL too */
    const char **items;           /* items_n, of CONFIG_LIST */
    size_t items_n;
    enum config_origin origin;
    unsigned line;                /* FROM_FILE */
    const char *path;             /* given as <key>_file; NULL: not */
    char *secret;                 /* that file's content, owned; value points here */
    char *former;                 /* what it was before, kept for those who still hold it, owned */
    struct timespec modified;
    ino_t inode;
};

struct config {
    struct arena arena;
    const char *file; /* as it was given; NULL: none */
    const char *credentials; /* CREDENTIALS_DIRECTORY, absolute; NULL: none */
    unsigned program;
    struct config_entry *entries; /* entries_n of entries_room, owned: the table's rows first, then free keys as they came */
    size_t entries_n, entries_room;
    _Atomic uint16_t memo[CONFIG_MEMO]; /* of the getters: settings are asked for with every order, among more than a hundred */
};

/* config.c */
struct config_entry *config_entry_find(const struct config *c, const char *section, size_t section_n, const char *name);
bool config_entry_secret(const struct config_entry *e);
/* Does the program that loads the configuration read this key? A secret's file that it does not need is not even opened. */
bool config_entry_ours(const struct config *c, const struct config_entry *e);
/* "file:line", "environment", "-X" or "default" into out. */
void config_entry_place(const struct config *c, const struct config_entry *e, char *out, size_t room);
void config_problem_add(struct config_problems *problems, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* config_file.c: one value of the file, or a section's head (key NULL). */
struct config_line {
    const char *section, *key, *value;
    unsigned line;
};
/* Lines in the order of the file, from the arena. RC_REJECT: the file cannot be read at all; what is wrong inside it is added to the
 * problems and the rest is given. RC_FATAL: memory. */
enum rc config_file_read(const char *file, struct arena *a, struct config_line **out, size_t *n, struct config_problems *problems);
/* A value of several lines, in place: without blanks at the ends of its lines, and no empty line. */
void config_fold(char *text);

/* config_credential.c: the credential that a value stands for by its name, from the arena; *out is value itself when there is none. name: of a key that may name a file; NULL: the value does. RC_FATAL: memory. */
enum rc config_credential(struct config *c, const struct config_key *key, const char *name, const char *value, const char **out);

/* config_value.c: reads e->value by its row into number and items. RC_REJECT with words. */
enum rc config_value_read(struct config_entry *entry, struct arena *a, struct err *e);

/* config_source.c: puts what the sources give into the entries; wrong names are added to the problems. RC_REJECT: the file cannot be
 * read. RC_FATAL: memory. */
enum rc config_source_apply(struct config *c, const struct config_source *source, struct config_problems *problems);

/* config_source.c: the longest known section that "section.key" begins with, so that kafka.producer.linger.ms is not kafka's. NULL: none. */
const char *config_section_of(const char *name);

/* config_suggest.c: keeps the candidate nearest to what was written. */
struct config_suggest {
    const char *written;
    char nearest[256]; /* "" : none is near enough */
    size_t distance;
};
void config_suggest_init(struct config_suggest *s, const char *written);
void config_suggest_offer(struct config_suggest *s, const char *candidate);
/* "; did you mean \"...\"?" or "" into out. */
void config_suggest_words(const struct config_suggest *s, char *out, size_t room);

/* config_secret.c: reads the entry's path. RC_REJECT with words. */
enum rc config_secret_read(struct config_entry *entry, struct err *e);
/* What was read for `from` becomes e's. */
void config_secret_move(struct config_entry *e, struct config_entry *from);
void config_secret_release(struct config_entry *entry);

#endif
