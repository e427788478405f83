#include "producer/xsale_names.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { STATUSES = 10000 };

static const json_t *member(const json_t *object, const char *upper, const char *lower)
{
    const json_t *v = json_object_get(object, upper);
    return v != NULL ? v : json_object_get(object, lower);
}

static bool is_status(const json_t *v)
{
    return json_is_object(v) && member(v, "Id", "id") != NULL && json_is_string(member(v, "Name", "name"));
}

/* The document itself, or its one array that holds statuses. NULL: none. */
static const json_t *array_in(json_t *root)
{
    if (json_is_array(root))
        return root;
    const char *key;
    json_t *v;
    const json_t *found = NULL;
    json_object_foreach(root, key, v)
    {
        if (!json_is_array(v) || !is_status(json_array_get(v, 0)))
            continue;
        if (found != NULL)
            return NULL;
        found = v;
    }
    return found;
}

static bool take_id(const json_t *v, int64_t *id)
{
    if (json_is_integer(v)) {
        *id = json_integer_value(v);
        return true;
    }
    const char *text = json_string_value(v);
    char *end;
    if (text == NULL || *text == '\0')
        return false;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    *id = number;
    return errno == 0 && *end == '\0';
}

static enum rc take_status(struct xsale_names *names, const json_t *v, struct err *e)
{
    struct xsale_status *s = &names->all[names->all_n];
    if (!is_status(v) || !take_id(member(v, "Id", "id"), &s->id)) {
        err_set(e, "status %zu has no Id and Name", names->all_n + 1);
        return RC_RETRY;
    }
    s->name = strdup(json_string_value(member(v, "Name", "name")));
    if (s->name == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    names->all_n++;
    return RC_OK;
}

enum rc xsale_names_parse(struct xsale_names *names, const char *text, size_t n, struct err *e)
{
    enum rc rc = RC_RETRY;
    json_error_t je;
    json_t *root = json_loadb(text, n, 0, &je);
    const json_t *array = array_in(root);
    size_t count = json_array_size(array);
    xsale_names_release(names);
    if (root == NULL) {
        err_set(e, "no JSON (line %d)", je.line);
        goto out;
    }
    if (array == NULL || count == 0 || count > STATUSES) {
        err_set(e, "no array of statuses in the answer");
        goto out;
    }
    names->all = calloc(count, sizeof *names->all);
    if (names->all == NULL) {
        err_set(e, "out of memory");
        rc = RC_FATAL;
        goto out;
    }
    rc = RC_OK;
    for (size_t i = 0; i < count && rc == RC_OK; i++)
        rc = take_status(names, json_array_get(array, i), e);
out:
    json_decref(root);
    return rc;
}

static void free_fresh(struct xsale_names *names)
{
    for (size_t i = 0; i < names->fresh_n; i++)
        free((char *)names->fresh[i].name);
    free(names->fresh);
    names->fresh = NULL;
    names->fresh_n = 0;
}

void xsale_names_release(struct xsale_names *names)
{
    for (size_t i = 0; i < names->all_n; i++)
        free((char *)names->all[i].name); /* owned, const for everybody else */
    free(names->all);
    free_fresh(names);
    *names = (struct xsale_names){0};
}

const struct xsale_status *xsale_names_find(const struct xsale_names *names, const char *name)
{
    for (size_t i = 0; i < names->all_n; i++)
        if (strcmp(names->all[i].name, name) == 0)
            return &names->all[i];
    return NULL;
}

static void unknown(const struct xsale_names *names, const char *key, const char *name, struct err *e)
{
    err_set(e, "%s: there is no status '%s'; there are: ", key, name);
    for (size_t i = 0; i < names->all_n; i++)
        err_set(e, "%s%s%s", e->text, i > 0 ? ", " : "", names->all[i].name);
}

static enum rc resolve_one(const struct xsale_names *names, const char *key, const char *name, struct xsale_status *out, struct err *e)
{
    const struct xsale_status *s = xsale_names_find(names, name);
    if (s == NULL) {
        unknown(names, key, name, e);
        return RC_FATAL;
    }
    *out = *s;
    return RC_OK;
}

static bool is_fresh(const struct xsale_names *names, int64_t id)
{
    for (size_t i = 0; i < names->fresh_n; i++)
        if (names->fresh[i].id == id)
            return true;
    return false;
}

static enum rc add_fresh(struct xsale_names *names, const char *name, struct err *e)
{
    struct xsale_status found;
    enum rc rc = resolve_one(names, "xsale.new_statuses", name, &found, e);
    if (rc != RC_OK)
        return rc;
    if ((found.name = strdup(name)) == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    names->fresh[names->fresh_n++] = found;
    return RC_OK;
}

enum rc xsale_names_resolve(struct xsale_names *names, const struct config *c, struct err *e)
{
    struct xsale_status imported, manual;
    size_t n = config_list_count(c, "xsale.new_statuses");
    free_fresh(names);
    names->fresh = calloc(n > 0 ? n : 1, sizeof *names->fresh);
    if (names->fresh == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    enum rc rc = RC_OK;
    for (size_t i = 0; i < n && rc == RC_OK; i++)
        rc = add_fresh(names, config_list_item(c, "xsale.new_statuses", i), e);
    if (rc == RC_OK)
        rc = resolve_one(names, "xsale.imported_status", config_text(c, "xsale.imported_status"), &imported, e);
    if (rc == RC_OK)
        rc = resolve_one(names, "xsale.manual_status", config_text(c, "xsale.manual_status"), &manual, e);
    if (rc != RC_OK)
        return rc;
    if (n == 0 || imported.id == manual.id || is_fresh(names, imported.id) || is_fresh(names, manual.id)) {
        err_set(e, n == 0 ? "xsale.new_statuses is empty" : "the new, imported and manual statuses must differ");
        return RC_FATAL;
    }
    names->imported = imported.id;
    names->manual = manual.id;
    return RC_OK;
}

static const char *name_of(const struct xsale_names *names, int64_t id)
{
    for (size_t i = 0; i < names->all_n; i++)
        if (names->all[i].id == id)
            return names->all[i].name;
    return NULL;
}

/* Its name today; NULL: gone. */
static const char *follow_one(const struct xsale_names *now, const char *key, const char *configured, int64_t id, struct err *e)
{
    const char *name = name_of(now, id);
    if (name == NULL)
        err_set(e, "%s%s%s: the status '%s' (id %" PRId64 ") no longer exists", e->text, *e->text != '\0' ? "; " : "", key, configured, id);
    else if (strcmp(name, configured) != 0)
        err_set(e, "%s%s%s: the status '%s' (id %" PRId64 ") is now called '%s'", e->text, *e->text != '\0' ? "; " : "", key, configured, id, name);
    return name;
}

enum rc xsale_names_follow(struct xsale_names *names, struct xsale_names *now, const struct config *c, struct err *e)
{
    e->text[0] = '\0';
    for (size_t i = 0; i < names->fresh_n; i++) {
        const char *name = follow_one(now, "xsale.new_statuses", config_list_item(c, "xsale.new_statuses", i), names->fresh[i].id, e);
        char *copy = name != NULL ? strdup(name) : NULL;
        if (copy != NULL) { /* no memory: the former name, until the next time */
            free((char *)names->fresh[i].name);
            names->fresh[i].name = copy;
        }
    }
    (void)follow_one(now, "xsale.imported_status", config_text(c, "xsale.imported_status"), names->imported, e);
    (void)follow_one(now, "xsale.manual_status", config_text(c, "xsale.manual_status"), names->manual, e);
    now->fresh = names->fresh;
    now->fresh_n = names->fresh_n;
    now->imported = names->imported;
    now->manual = names->manual;
    names->fresh = NULL;
    names->fresh_n = 0;
    xsale_names_release(names);
    *names = *now;
    *now = (struct xsale_names){0};
    return *e->text == '\0' ? RC_OK : RC_REJECT;
}

enum rc xsale_names_organization(const char *text, size_t n, char **organization, struct err *e)
{
    enum rc rc = RC_FATAL;
    json_t *root = json_loadb(text, n, 0, NULL);
    const json_t *all = json_object_get(root, "Organizations");
    const char *name = json_string_value(json_object_get(json_array_get(all, 0), "Name"));
    size_t count = json_array_size(all);
    if (!json_is_array(all) || (count > 0 && name == NULL)) {
        err_set(e, "no list of organizations in the answer");
        rc = RC_RETRY;
    } else if (count == 0) {
        err_set(e, "the account belongs to no organization");
    } else if (count == 1) {
        char *copy = strdup(name);
        if (copy == NULL) {
            err_set(e, "out of memory");
        } else {
            *organization = copy;
            rc = RC_OK;
        }
    } else {
        err_set(e, "set xsale.organization to one of: ");
        for (size_t i = 0; i < count; i++) {
            name = json_string_value(json_object_get(json_array_get(all, i), "Name"));
            err_set(e, "%s%s%s", e->text, i > 0 ? ", " : "", name != NULL ? name : "?");
        }
    }
    json_decref(root);
    return rc;
}
