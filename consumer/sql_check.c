#include "consumer/sql_check.h"

#include <stdio.h>
#include <string.h>

#include "common/base/slurp.h"
#include "common/contract/schema.h"
#include "consumer/erp_view.h"
#include "consumer/sql_values.h"

enum { FILE_MAX = 1024 * 1024 };

/* Which key says it. */
static const char *key_of(const struct config *c, bool withdrawal)
{
    if (withdrawal)
        return "erp.sql.withdraw_statement";
    return config_text(c, "erp.sql.statement_file")[0] != '\0' ? "erp.sql.statement_file" : "erp.sql.statement";
}

static enum rc statement(const struct config *c, const char *key, struct sql_statement **out, struct err *e)
{
    const char *text = config_text(c, key);
    enum rc rc = RC_OK;
    struct buf file;
    buf_init(&file, FILE_MAX);
    if (text[0] != '\0' && strcmp(key, "erp.sql.statement_file") == 0) {
        rc = slurp_file(text, FILE_MAX - 1, &file, NULL, e);
        if (rc == RC_OK && (buf_text(&file) == NULL || strlen((const char *)file.p) != file.n)) {
            err_set(e, "%s: no text", text);
            rc = RC_REJECT;
        }
        text = rc == RC_OK ? (const char *)file.p : "";
    }
    if (rc == RC_OK && text[0] != '\0')
        rc = sql_statement_parse(text, out, e);
    buf_release(&file);
    return rc;
}

enum rc sql_check_statement(const struct config *c, bool withdrawal, struct sql_statement **out, struct err *e)
{
    const char *key = key_of(c, withdrawal);
    *out = NULL;
    enum rc rc = statement(c, key, out, e);
    if (rc != RC_OK)
        err_prefix(e, "%s", key);
    return rc;
}

static bool shows(const struct schema *seen, const char *name)
{
    const struct schema_node *root = schema_root(seen);
    for (size_t i = 0; i < root->count; i++)
        if (strcmp(root->fields[i].json_name, name) == 0)
            return true;
    return false;
}

/* Every parameter is one of ours or a field that the ERP sees. */
static void check_statement(const struct config *c, bool withdrawal, const struct schema *seen, struct config_problems *problems)
{
    const char *key = key_of(c, withdrawal);
    struct sql_statement *s = NULL;
    struct err e = {{0}};
    if (statement(c, key, &s, &e) != RC_OK)
        config_problem(c, problems, key, "%s", e.text);
    bool names_order = false;
    for (size_t i = 0; s != NULL && i < sql_statement_count(s); i++) {
        const char *name = sql_statement_parameter(s, i);
        names_order = names_order || strcmp(name, "order_id") == 0 || strncmp(name, "order", 5) == 0;
        if (!sql_values_own(name) && seen != NULL && !shows(seen, name))
            config_problem(c, problems, key,
                           ":%s is none of organization, order_id, warehouse, revision, publication, withdrawn, order_json, nor a field of what the ERP sees "
                           "(erp.view; without one producer.schema)", name);
    }
    if (s != NULL && !names_order)
        config_problem(c, problems, key, "names no order: it has neither :order_id nor :order_json");
    sql_statement_destroy(s);
}

void sql_check(const struct config *c, struct config_problems *problems)
{
    struct schema *seen = NULL;
    struct err e = {{0}};
    bool text = config_text(c, "erp.sql.statement")[0] != '\0', file = config_text(c, "erp.sql.statement_file")[0] != '\0';
    if (config_text(c, "erp.sql.connection")[0] == '\0')
        config_problem(c, problems, "erp.sql.connection", "is needed with erp.sink = sql");
    if (!text && !file)
        config_problem(c, problems, "erp.sql.statement", "it or statement_file is needed with erp.sink = sql");
    if (text && file)
        config_problem(c, problems, "erp.sql.statement_file", "only one of it and statement");
    if (erp_view_seen(c, &seen, &e) != RC_OK)
        seen = NULL; /* erp_view_check tells */
    if (text || file)
        check_statement(c, false, seen, problems);
    if (config_text(c, "erp.sql.withdraw_statement")[0] != '\0')
        check_statement(c, true, seen, problems);
    schema_destroy(seen);
}
