#include <stdio.h>
#include <string.h>

#include "common/base/config_parts.h"

static bool same(const struct config_entry *a, const struct config_entry *b)
{
    return strcmp(a->value, b->value) == 0 && (a->path == NULL) == (b->path == NULL) && (a->path == NULL || strcmp(a->path, b->path) == 0);
}

/* Memory is used only for what a person has changed, so it need not be given back before the end. */
static enum rc take(struct config *c, struct config_entry *e, struct config_entry *now)
{
    const char *value = now->path == NULL ? arena_text(&c->arena, now->value, strlen(now->value)) : "";
    const char *path = now->path == NULL ? NULL : arena_text(&c->arena, now->path, strlen(now->path));
    if (value == NULL || (now->path != NULL && path == NULL))
        return RC_FATAL;
    e->path = path;
    e->origin = now->origin;
    e->line = now->line;
    if (path != NULL) {
        config_secret_move(e, now);
        return RC_OK;
    }
    e->value = value;
    return config_value_read(e, &c->arena, NULL) == RC_FATAL ? RC_FATAL : RC_OK; /* it was read once already: it is right */
}

enum rc config_take_over(struct config *c, struct config *now, config_differs_fn *differs, void *arg)
{
    enum rc rc = RC_OK;
    char name[256];
    for (size_t i = 0; i < now->entries_n; i++) {
        struct config_entry *n = &now->entries[i];
        struct config_entry *e = config_entry_find(c, n->key->section, strlen(n->key->section), n->name);
        if (!config_entry_ours(c, n) || (e != NULL && same(e, n)))
            continue;
        bool taken = e != NULL && n->key->reload;
        if (taken && take(c, e, n) != RC_OK) {
            taken = false;
            rc = RC_FATAL;
        }
        (void)snprintf(name, sizeof name, "%s.%s", n->key->section, n->name);
        differs(arg, name, taken);
    }
    for (size_t i = 0; i < c->entries_n; i++) { /* a free key that is there no more */
        struct config_entry *e = &c->entries[i];
        if (!config_entry_ours(c, e) || config_entry_find(now, e->key->section, strlen(e->key->section), e->name) != NULL)
            continue;
        (void)snprintf(name, sizeof name, "%s.%s", e->key->section, e->name);
        differs(arg, name, false);
    }
    return rc;
}
