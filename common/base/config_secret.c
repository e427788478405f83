#include <stdlib.h>
#include <string.h>

#include "common/base/config_parts.h"
#include "common/base/slurp.h"

static void forget(char *secret)
{
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

enum rc config_secret_read(struct config_entry *entry, struct err *e)
{
    struct buf content;
    struct stat status = {0};
    char *secret = NULL;
    buf_init(&content, CONFIG_SECRET_MAX);
    enum rc rc = slurp_file(entry->path, CONFIG_SECRET_MAX, &content, &status, e);
    if (rc != RC_OK)
        goto out;
    while (content.n > 0 && (content.p[content.n - 1] == '\n' || content.p[content.n - 1] == '\r'))
        content.n--;
    rc = RC_REJECT;
    if (content.n > 0 && memchr(content.p, '\0', content.n) != NULL) {
        err_set(e, "%s holds a zero byte", entry->path);
        goto out;
    }
    rc = RC_FATAL;
    const char *text = buf_text(&content);
    if (text == NULL || (secret = strdup(text)) == NULL) {
        err_set(e, "out of memory");
        goto out;
    }
    forget(entry->former);
    entry->former = entry->secret;
    entry->secret = secret;
    entry->value = secret;
    entry->modified = status.st_mtim;
    entry->inode = status.st_ino;
    rc = RC_OK;
out:
    if (content.p != NULL)
        explicit_bzero(content.p, content.cap);
    buf_release(&content);
    return rc;
}

void config_secret_move(struct config_entry *e, struct config_entry *from)
{
    forget(e->former);
    e->former = e->secret;
    e->secret = from->secret;
    e->value = e->secret != NULL ? e->secret : "";
    e->modified = from->modified;
    e->inode = from->inode;
    from->secret = NULL;
    from->value = "";
}

void config_secret_release(struct config_entry *entry)
{
    forget(entry->secret);
    forget(entry->former);
    entry->secret = entry->former = NULL;
}

/* A file that is being replaced may be gone or half-written for a moment: what was read before stays until it can be read. */
static bool refresh(const struct config *c, struct config_entry *entry)
{
    struct stat now;
    if (entry->path == NULL || !config_entry_ours(c, entry) || stat(entry->path, &now) != 0 || !S_ISREG(now.st_mode))
        return false;
    if (now.st_mtim.tv_sec == entry->modified.tv_sec && now.st_mtim.tv_nsec == entry->modified.tv_nsec &&
        now.st_ino == entry->inode)
        return false;
    const char *before = entry->secret;
    if (config_secret_read(entry, NULL) != RC_OK)
        return false;
    return before == NULL || strcmp(before, entry->secret) != 0;
}

bool config_refresh_secrets(struct config *c)
{
    bool changed = false;
    for (size_t i = 0; i < c->entries_n; i++)
        changed |= refresh(c, &c->entries[i]);
    return changed;
}

void config_refresh_section(const struct config *c, const char *section)
{
    for (size_t i = 0; i < c->entries_n; i++)
        if (strcmp(c->entries[i].key->section, section) == 0)
            (void)refresh(c, &c->entries[i]);
}
