/* The configuration: one table of every key of every program (config_table.c) drives parsing, defaults, checks,
 * documentation, --print-config and the example file. Sources, strongest first: -X section.key=value, environment
 * BRIDGE_<SECTION>_<KEY> (dots as underscores; in librdkafka properties a real underscore is doubled), file, default.
 * Read with libini_config (whole-line comments, folded values, line numbers).
 * Files by relative names (secrets, certificates, statements; librdkafka's *.location): where the environment has CREDENTIALS_DIRECTORY (systemd.exec(5),
 * LoadCredential) and a file of that name with its slashes as underscores stands there, it is meant: secrets/password is the credential secrets_password, as
 * `LoadCredential=secrets:DIRECTORY` names it. Else the name counts from the working directory.
 * Values are checked when loaded: the getters below cannot fail. Asking for a key that the table does not have is a
 * programming error and aborts. Thread rule: read-only after config_load except config_refresh_secrets and config_take_over (loop's thread). */
#ifndef BRIDGE_BASE_CONFIG_H
#define BRIDGE_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"

enum config_type {
    CONFIG_TEXT,
    CONFIG_BOOL,     /* true | false */
    CONFIG_INT,      /* within min..max */
    CONFIG_DURATION, /* 500ms, 30s, 5m, 12h, 7d; kept in milliseconds */
    CONFIG_SIZE,     /* 64k, 16m; kept in bytes */
    CONFIG_LIST,     /* comma separated, blanks around items dropped */
    CONFIG_CHOICE,   /* one of `choices` */
    CONFIG_URL       /* absolute http:// or https:// URL, no user info in it */
};

enum { CONFIG_PRODUCER = 1, CONFIG_UPDATER = 2, CONFIG_CONSUMER = 4, CONFIG_REPLAY = 8, CONFIG_EVERY = 15 }; /* who reads a key */

struct config_key {
    const char *section;
    const char *key; /* "*" : any further key of the section is taken as it is (librdkafka properties, channel table) */
    enum config_type type;
    const char *initial; /* default as text; NULL: none */
    const char *choices; /* "a|b|c" for CONFIG_CHOICE */
    int64_t min, max;    /* for CONFIG_INT, CONFIG_DURATION (ms), CONFIG_SIZE (bytes) */
    unsigned programs;   /* who reads it */
    unsigned required;   /* programs that cannot start while it is empty */
    bool secret;         /* masked when printed; <key>_file exists too */
    bool file;           /* names a file that is read: a relative name may be one of the service manager's credentials (below) */
    bool reload;         /* SIGHUP takes it over */
    bool free;           /* one of the keys that "*" stands for, named here to be documented or required: config_each gives it too */
    bool numbered;       /* of a "*": its keys are whole numbers */
    const char *example; /* shown where a value must be made up by the user; NULL: the default says enough */
    const char *doc;     /* one or more sentences */
};

extern const struct config_key config_table[];
extern const size_t config_table_count;

struct config;

/* Problems found while loading, all of them: each "file:line: section.key: what; did you mean ...". */
struct config_problems {
    struct buf text; /* one problem a line */
    unsigned count;
};

struct config_source {
    const char *file;              /* NULL: no file */
    const char *const *overrides;  /* overrides_n of "section.key=value", from -X */
    size_t overrides_n;
    const char *const *environ_;   /* "NAME=value", NULL-terminated; NULL: none */
    unsigned program;              /* one CONFIG_* bit: required keys of this program are demanded */
};

/* Loads and checks everything. RC_OK: *out owned by the caller. RC_REJECT: wrong configuration, every problem is in
 * `problems` (initialised and released by the caller with buf_init/buf_release on text). RC_FATAL: memory. */
enum rc config_load(const struct config_source *source, struct config **out, struct config_problems *problems);
/* Also gives the configuration when it is wrong (RC_REJECT), for checks that want to tell everything at once: values that are none are
 * replaced by their defaults. *out stays NULL when the file could not be read at all, and on RC_FATAL. */
enum rc config_load_anyway(const struct config_source *source, struct config **out, struct config_problems *problems);
void config_destroy(struct config *c);

/* For checks that need more than the table: adds "file:line: section.key: <words>", naming where the key was set. words: no secret. */
void config_problem(const struct config *c, struct config_problems *problems, const char *name, const char *words, ...)
    __attribute__((format(printf, 4, 5)));
/* For a key that names a file (CONFIG_TEXT): a problem unless it is empty or can be read now. */
void config_problem_unreadable(const struct config *c, struct config_problems *problems, const char *name);

/* name: "section.key", e.g. "xsale.api_url", "erp.http.url". Texts are borrowed, never NULL ("" when empty). Lines of a folded value
 * are joined by a line feed, blanks around each dropped. A secret's text lives until the second change after it was asked for. */
const char *config_text(const struct config *c, const char *name);
bool config_bool(const struct config *c, const char *name);
int64_t config_int(const struct config *c, const char *name);      /* CONFIG_INT, CONFIG_SIZE (bytes); 0 when empty */
int64_t config_ms(const struct config *c, const char *name);       /* CONFIG_DURATION; 0 when empty */
size_t config_list_count(const struct config *c, const char *name);
const char *config_list_item(const struct config *c, const char *name, size_t i);

/* The free keys of a section with "*": calls fn for each, those that the table names first, then in the order of the file, of the
 * environment and of -X; one of them without a value is left out. */
void config_each(const struct config *c, const char *section,
                 void (*fn)(void *arg, const char *key, const char *value), void *arg);

/* Puts the problems of the file ("file:line: ...") into the order of their lines; the others follow as they came. file: as loaded, NULL: none.
 * Out of memory: the order stays. */
void config_problems_sort(struct config_problems *problems, const char *file);

/* Is the value of "section.key" a secret? So is that of a name that is no key's: nobody knows what stands there. */
bool config_name_secret(const char *name);

/* Reads again the files behind <key>_file secrets whose modification changed. true: something changed. */
bool config_refresh_secrets(struct config *c);
/* The same of one section, whose secrets config_refresh_secrets then does not tell as changed. */
void config_refresh_section(const struct config *c, const char *section);

/* SIGHUP: `now` is what the same sources give today, whole and checked. The values of keys with `reload` are taken over from it; every key of this program that
 * differs is told, whether taken over or not (those need a restart). Texts that were asked for before live until c is destroyed, a secret's as above.
 * RC_FATAL: memory; what was told is taken over all the same. now may be destroyed afterwards. */
typedef void config_differs_fn(void *arg, const char *name, bool taken_over);
enum rc config_take_over(struct config *c, struct config *now, config_differs_fn *differs, void *arg);

/* Writes every key with its value and where it comes from (default, file:line, environment, -X) as an ini file;
 * secrets as ********. */
void config_print(const struct config *c, struct buf *out);
/* Writes the commented example file from the table alone. */
void config_example(struct buf *out);

#endif
