#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/config_parts.h"

enum { CREDENTIAL_NAME_MAX = 255 }; /* of systemd */

static bool names_file(const struct config_key *key, const char *name)
{
    static const char end[] = ".location";
    size_t n = strlen(name);
    return key->file || (strcmp(key->key, "*") == 0 && !key->numbered && n > sizeof end && strcmp(name + n - (sizeof end - 1), end) == 0);
}

enum rc config_credential(struct config *c, const struct config_key *key, const char *name, const char *value, const char **out)
{
    char path[4096];
    *out = value;
    if (c->credentials == NULL || *value == '\0' || *value == '/' || strlen(value) > CREDENTIAL_NAME_MAX || (name != NULL && !names_file(key, name)))
        return RC_OK;
    int n = snprintf(path, sizeof path, "%s/", c->credentials);
    if (n < 0 || (size_t)n + strlen(value) >= sizeof path)
        return RC_OK;
    char *p = path + n;
    for (const char *v = value; *v != '\0'; v++)
        *p++ = *v == '/' ? '_' : *v;
    *p = '\0';
    if (access(path, R_OK) != 0)
        return RC_OK;
    *out = arena_text(&c->arena, path, strlen(path));
    return *out == NULL ? RC_FATAL : RC_OK;
}
