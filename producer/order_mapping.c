#include "producer/order_mapping.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/mapping_lint.h"
#include "common/contract/schema_file.h"

enum { CHANNELS_MAX = 4096 };

struct order_mapping {
    struct schema *schema;
    struct zone *zone;
    struct order_encoder *encoder;
    struct warehouse_rules rules;
    const char **known;
    struct warehouse_channel *channels;
    size_t channels_n;
    bool lost; /* out of memory, or too many channels, while collecting */
};

static enum rc open_schema(const struct config *c, struct schema **out, struct err *e)
{
    const char *path = config_text(c, "producer.schema");
    if (path[0] == '\0') {
        const char *text = schema_builtin("Order");
        return schema_parse(text, strlen(text), out, e);
    }
    enum rc rc = schema_file_load(path, out, e);
    if (rc != RC_OK)
        err_prefix(e, "producer.schema");
    return rc;
}

static void add_channel(void *arg, const char *key, const char *value)
{
    struct order_mapping *m = arg;
    char *end = NULL;
    errno = 0;
    long long id = strtoll(key, &end, 10);
    if (errno != 0 || end == key || *end != '\0')
        return; /* the table has refused it already */
    struct warehouse_channel *grown = m->channels_n < CHANNELS_MAX ? realloc(m->channels, (m->channels_n + 1) * sizeof *grown) : NULL;
    if (grown == NULL) {
        m->lost = true;
        return;
    }
    m->channels = grown;
    m->channels[m->channels_n++] = (struct warehouse_channel){id, value};
}

static enum rc open_rules(struct order_mapping *m, const struct config *c, struct err *e)
{
    size_t known = config_list_count(c, "warehouses.known");
    m->known = calloc(known + 1, sizeof *m->known);
    config_each(c, "warehouses", add_channel, m);
    if (m->known == NULL || m->lost) {
        err_set(e, "warehouses: more than %d channels, or out of memory", CHANNELS_MAX);
        return RC_FATAL;
    }
    for (size_t i = 0; i < known; i++)
        m->known[i] = config_list_item(c, "warehouses.known", i);
    m->rules = (struct warehouse_rules){m->known, known, config_text(c, "warehouses.default"), m->channels, m->channels_n};
    return RC_OK;
}

enum rc order_mapping_open(const struct config *c, struct order_mapping **out, struct err *e)
{
    struct order_mapping *m = calloc(1, sizeof *m);
    enum rc rc = RC_FATAL;
    if (m == NULL) {
        err_set(e, "order mapping: out of memory");
        return rc;
    }
    if ((rc = open_schema(c, &m->schema, e)) != RC_OK)
        goto out;
    if ((rc = zone_open(config_text(c, "xsale.time_zone"), &m->zone, e)) != RC_OK) {
        err_prefix(e, "xsale.time_zone");
        goto out;
    }
    if ((rc = open_rules(m, c, e)) != RC_OK)
        goto out;
    if ((rc = order_encoder_create(m->schema, m->zone, &m->rules, &m->encoder, e)) != RC_OK) {
        err_prefix(e, "Order schema");
        goto out;
    }
    *out = m;
    m = NULL;
out:
    order_mapping_close(m);
    return rc;
}

void order_mapping_close(struct order_mapping *m)
{
    if (m == NULL)
        return;
    order_encoder_destroy(m->encoder);
    zone_close(m->zone);
    schema_destroy(m->schema);
    free(m->channels);
    free(m->known);
    free(m);
}

struct telling {
    const struct config *config;
    struct config_problems *problems;
};

static void told(void *arg, int line, const char *words)
{
    struct telling *t = arg;
    const char *path = config_text(t->config, "producer.schema");
    if (line > 0)
        config_problem(t->config, t->problems, "producer.schema", "%s:%d: %s", path[0] != '\0' ? path : "built-in Order.avsc", line, words);
    else
        config_problem(t->config, t->problems, "producer.schema", "%s: %s", path[0] != '\0' ? path : "built-in Order.avsc", words);
}

/* Words that begin with the key that they are about, as order_mapping_open makes them, told where the key was set. */
static void tell(const struct config *c, struct config_problems *problems, const char *words)
{
    static const char *const keys[] = {"producer.schema", "xsale.time_zone"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        size_t n = strlen(keys[i]);
        if (strncmp(words, keys[i], n) == 0 && strncmp(words + n, ": ", 2) == 0) {
            config_problem(c, problems, keys[i], "%s", words + n + 2);
            return;
        }
    }
    config_problem(c, problems, "producer.schema", "%s", words);
}

/* The schema by itself: everything wrong with it. */
static unsigned check_schema(const struct config *c, struct config_problems *problems)
{
    struct telling t = {c, problems};
    struct schema *s = NULL;
    struct err e = {0};
    unsigned found = 1;
    const char *path = config_text(c, "producer.schema");
    enum rc rc = path[0] != '\0' ? schema_file_load_told(path, told, &t, &s, &e) : open_schema(c, &s, &e);
    if (rc == RC_OK)
        found = mapping_lint(s, told, &t);
    else if (rc != RC_REJECT || path[0] == '\0')
        tell(c, problems, e.text);
    schema_destroy(s);
    return found;
}

/* The parts that do not depend on the schema. */
static void check_rest(const struct config *c, struct config_problems *problems)
{
    struct zone *zone = NULL;
    struct err e = {0};
    if (zone_open(config_text(c, "xsale.time_zone"), &zone, &e) != RC_OK)
        config_problem(c, problems, "xsale.time_zone", "%s", e.text);
    zone_close(zone);
}

struct naming {
    const struct config *config;
    struct config_problems *problems;
};

static void check_named(void *arg, const char *key, const char *warehouse)
{
    const struct naming *w = arg;
    char name[256];
    size_t n = config_list_count(w->config, "warehouses.known");
    for (size_t i = 0; i < n; i++)
        if (strcmp(config_list_item(w->config, "warehouses.known", i), warehouse) == 0)
            return;
    (void)snprintf(name, sizeof name, "warehouses.%s", key); /* the table bounds names */
    if (n > 0 && *warehouse != '\0')
        config_problem(w->config, w->problems, name, "is not one of warehouses.known: every order that goes there would be refused");
}

static void check_warehouses(const struct config *c, struct config_problems *problems)
{
    struct naming w = {c, problems};
    check_named(&w, "default", config_text(c, "warehouses.default"));
    config_each(c, "warehouses", check_named, &w); /* the channels */
}

void order_mapping_check(const struct config *c, struct config_problems *problems)
{
    check_warehouses(c, problems);
    struct order_mapping *m = NULL;
    struct err e = {0};
    if (check_schema(c, problems) > 0) {
        check_rest(c, problems);
        return;
    }
    if (order_mapping_open(c, &m, &e) != RC_OK) {
        tell(c, problems, e.text);
    }
    order_mapping_close(m);
}

const struct schema *order_mapping_schema(const struct order_mapping *m)
{
    return m->schema;
}

struct order_encoder *order_mapping_encoder(struct order_mapping *m)
{
    return m->encoder;
}

enum rc order_mapping_encoder_for(const struct order_mapping *m, const struct schema *s, struct order_encoder **out, struct err *e)
{
    return order_encoder_create(s, m->zone, &m->rules, out, e);
}
