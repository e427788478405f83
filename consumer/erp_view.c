#include "consumer/erp_view.h"

#include <string.h>

#include "common/contract/mapping_lint.h"
#include "common/contract/order_view.h"
#include "common/contract/schema_file.h"

enum rc erp_view_open(const struct config *c, struct schema **out, struct err *e)
{
    const char *path = config_text(c, "erp.view");
    struct schema *s = NULL;
    enum rc rc = path[0] != '\0' ? schema_file_load(path, &s, e) : RC_OK;
    if (rc == RC_OK)
        *out = s;
    else
        err_prefix(e, "erp.view");
    return rc;
}

struct telling {
    const struct config *config;
    struct config_problems *problems;
};

static void told(void *arg, int line, const char *words)
{
    struct telling *t = arg;
    if (line > 0)
        config_problem(t->config, t->problems, "erp.view", "%s:%d: %s", config_text(t->config, "erp.view"), line, words);
    else
        config_problem(t->config, t->problems, "erp.view", "%s: %s", config_text(t->config, "erp.view"), words);
}

static enum rc load_order(const struct config *c, struct schema **out, struct err *e)
{
    const char *path = config_text(c, "producer.schema"), *text = schema_builtin("Order");
    return path[0] != '\0' ? schema_file_load(path, out, e) : schema_parse(text, strlen(text), out, e);
}

enum rc erp_view_seen(const struct config *c, struct schema **out, struct err *e)
{
    return config_text(c, "erp.view")[0] != '\0' ? erp_view_open(c, out, e) : load_order(c, out, e);
}

static void check_fits(const struct config *c, const struct schema *view, struct config_problems *problems)
{
    struct schema *order = NULL;
    struct order_view *v = NULL;
    struct err e = {0};
    enum rc rc = load_order(c, &order, &e);
    if (rc == RC_OK)
        rc = order_view_create_for(order, view, &v, &e);
    if (rc != RC_OK)
        config_problem(c, problems, "erp.view", "%s: does not fit the Order schema: %s", config_text(c, "erp.view"), e.text);
    order_view_destroy(v);
    schema_destroy(order);
}

/* Is it printed as a whole number? A moment is, with "json": "millis" only. */
static bool prints_number(const struct schema_field *f, const struct schema_node *n)
{
    bool found = n->kind == SCHEMA_LONG && (n->logical == SCHEMA_PLAIN || json_object_get(f->json, "json") != NULL);
    for (size_t i = 0; n->kind == SCHEMA_UNION && i < n->count; i++)
        found = found || prints_number(f, n->branches[i]);
    return found;
}

/* The file sink reads in the file that is there whose publication it is: without it an older load would replace a newer one. */
static void check_tells_publication(const struct config *c, const struct schema *view, struct config_problems *problems)
{
    const struct schema_field *f = schema_field(schema_root(view), "publication");
    if (strcmp(config_text(c, "erp.sink"), "file") == 0 && (f == NULL || !prints_number(f, f->type) || strcmp(f->json_name, "publication") != 0))
        config_problem(c, problems, "erp.view", "%s: erp.sink = file needs the field publication, a long in \"json\": \"millis\", under this name in each file",
                       config_text(c, "erp.view"));
}

void erp_view_check(const struct config *c, struct config_problems *problems)
{
    const char *path = config_text(c, "erp.view");
    struct telling t = {c, problems};
    struct schema *view = NULL;
    struct err e = {0};
    if (path[0] == '\0')
        return;
    enum rc rc = schema_file_load_told(path, told, &t, &view, &e);
    if (rc == RC_FATAL) {
        config_problem(c, problems, "erp.view", "%s", e.text);
    } else if (rc == RC_OK && mapping_lint_view(view, told, &t) == 0) {
        check_fits(c, view, problems);
        check_tells_publication(c, view, problems);
    }
    schema_destroy(view);
}
