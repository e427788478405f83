/* A configuration file, with -X overrides behind bytes 0x1E. What is accepted is printed as a file that is accepted too and prints the same. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memfd_create */
#endif
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/config.h"
#include "tests/fuzz/fuzz.h"

enum { OVERRIDES_MAX = 4, PROBLEM_BYTES = 1 << 20, PRINT_BYTES = 1 << 22, CONFIG_BYTES = 256 * 1024, SEPARATOR = 0x1e };

struct memory_file {
    int fd;
    char path[40];
};

static void file_open(struct memory_file *f, const void *p, size_t n)
{
    f->fd = memfd_create("config", 0);
    FUZZ_CHECK(f->fd >= 0, "a file in memory");
    FUZZ_CHECK(n == 0 || write(f->fd, p, n) == (ssize_t)n, "written");
    (void)snprintf(f->path, sizeof f->path, "/proc/self/fd/%d", f->fd);
}

static void count_key(void *arg, const char *key, const char *value)
{
    size_t *n = arg;
    FUZZ_CHECK(key[0] != '\0' && value != NULL, "a key has a name");
    (*n)++;
}

/* Asks for everything in every way that fits. */
static void read_all(const struct config *c)
{
    size_t free_keys = 0;
    for (size_t i = 0; i < config_table_count; i++) {
        const struct config_key *k = &config_table[i];
        char name[128];
        if (strcmp(k->key, "*") == 0) {
            config_each(c, k->section, count_key, &free_keys);
            continue;
        }
        if (k->free)
            continue;
        (void)snprintf(name, sizeof name, "%s.%s", k->section, k->key);
        FUZZ_CHECK(config_text(c, name) != NULL, "a text");
        if (k->type == CONFIG_LIST)
            for (size_t j = 0; j < config_list_count(c, name); j++)
                FUZZ_CHECK(config_list_item(c, name, j)[0] != '\0', "an item");
    }
}

/* Values that are printed are what is read again. */
static void check_same(const struct config *a, const struct config *b)
{
    for (size_t i = 0; i < config_table_count; i++) {
        const struct config_key *k = &config_table[i];
        char name[128];
        if (strcmp(k->key, "*") == 0 || k->free || k->secret)
            continue;
        (void)snprintf(name, sizeof name, "%s.%s", k->section, k->key);
        FUZZ_CHECK(strcmp(config_text(a, name), config_text(b, name)) == 0, name);
    }
}

/* overrides NULL: none, and overrides_n says the program alone. */
static enum rc load(const char *file, const char *const *overrides, size_t overrides_n, struct config **c)
{
    static const unsigned programs[] = {CONFIG_PRODUCER, CONFIG_UPDATER, CONFIG_CONSUMER};
    struct config_problems problems = {.count = 0};
    struct config_source source = {
        .file = file, .overrides = overrides, .overrides_n = overrides != NULL ? overrides_n : 0, .program = programs[overrides_n % 3]};
    buf_init(&problems.text, PROBLEM_BYTES);
    enum rc rc = config_load(&source, c, &problems);
    FUZZ_CHECK(rc == RC_OK || rc == RC_REJECT, "no other verdict");
    FUZZ_CHECK((rc == RC_OK) == (problems.count == 0), "what is refused has problems");
    FUZZ_CHECK(rc == RC_OK || problems.text.n > 0, "in words");
    buf_release(&problems.text);
    return rc;
}

static void check_printed(const struct config *c, size_t program)
{
    struct memory_file file;
    struct buf printed;
    struct config *again = NULL;
    buf_init(&printed, PRINT_BYTES);
    config_print(c, &printed);
    FUZZ_CHECK(!buf_failed(&printed), "printed");
    if (printed.n <= CONFIG_BYTES) {
        file_open(&file, printed.p, printed.n);
        FUZZ_CHECK(load(file.path, NULL, program, &again) == RC_OK, "what is printed is read again");
        check_same(c, again);
        config_destroy(again);
        (void)close(file.fd);
    }
    buf_release(&printed);
}

void fuzz_one(const uint8_t *p, size_t n)
{
    struct memory_file file;
    struct config *c = NULL;
    char *copy = malloc(n + 1), *overrides[OVERRIDES_MAX];
    size_t overrides_n = 0;
    FUZZ_CHECK(copy != NULL, "memory");
    memcpy(copy, p, n);
    copy[n] = '\0';
    char *end = memchr(copy, SEPARATOR, n);
    size_t file_n = end != NULL ? (size_t)(end - copy) : n;
    while (end != NULL && overrides_n < OVERRIDES_MAX) {
        *end = '\0';
        overrides[overrides_n++] = ++end;
        end = memchr(end, SEPARATOR, (size_t)(copy + n - end));
    }
    if (end != NULL)
        *end = '\0';
    file_open(&file, p, file_n);
    if (load(file.path, (const char *const *)overrides, overrides_n, &c) == RC_OK) {
        read_all(c);
        (void)config_refresh_secrets(c);
        check_printed(c, overrides_n);
    }
    config_destroy(c);
    (void)close(file.fd);
    free(copy);
}
