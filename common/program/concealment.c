#include "common/program/concealment.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "common/base/config.h"

enum { NAME_ROOM = 256 };

enum rc conceal_memory(struct err *e)
{
    struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)
        return RC_OK;
    err_set(e, "cannot switch core dumps off");
    return RC_FATAL;
}

/* *word: NAME=value, of which the value goes. */
static enum rc conceal(char **word, struct err *e)
{
    char *shown = *word, *value = strchr(shown, '=');
    char *copy = strdup(shown);
    if (copy == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    *word = copy;
    explicit_bzero(value + 1, strlen(value + 1));
    return RC_OK;
}

static bool names_secret(const char *override)
{
    char name[NAME_ROOM];
    size_t n = strcspn(override, "=");
    if (override[n] != '=' || n >= sizeof name)
        return false;
    (void)snprintf(name, sizeof name, "%.*s", (int)n, override);
    return config_name_secret(name);
}

enum rc conceal_arguments(int argc, char **argv, char **environment, struct err *e)
{
    for (int i = 1; i < argc; i++) {
        bool two_words = strcmp(argv[i - 1], "-X") == 0;
        bool one_word = strncmp(argv[i], "-X", 2) == 0 && argv[i][2] != '\0';
        if ((two_words || one_word) && names_secret(argv[i] + (two_words ? 0 : 2)) && conceal(&argv[i], e) != RC_OK)
            return RC_FATAL;
    }
    for (char **v = environment; *v != NULL; v++)
        if (strncmp(*v, "BRIDGE_", 7) == 0 && strchr(*v, '=') != NULL && conceal(v, e) != RC_OK)
            return RC_FATAL;
    return RC_OK;
}
