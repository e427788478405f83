#include "common/contract/mapping_lint.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/contract/avro_peek.h"
#include "common/contract/schema_build.h"

struct lint {
    const struct schema *schema;
    mapping_lint_fn *fn;
    void *arg;
    unsigned n;
    bool view;
    const struct schema_node *seen[SCHEMA_NAMED]; /* records, each looked at once */
    size_t seen_n;
};

static void tell(struct lint *l, const struct schema_node *record, const json_t *place, const char *field, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static void tell(struct lint *l, const struct schema_node *record, const json_t *place, const char *field, const char *format, ...)
{
    char words[512], what[256];
    va_list list;
    va_start(list, format);
    int n = vsnprintf(what, sizeof what, format, list);
    va_end(list);
    (void)snprintf(words, sizeof words, "record %.100s, field %.100s: %s", record->name, field, n < 0 ? "" : what);
    l->fn(l->arg, schema_line(l->schema, place), words);
    l->n++;
}

static const char *pointer_fault(const char *pointer)
{
    if (pointer[0] != '\0' && pointer[0] != '/')
        return "it must be empty or begin with '/'";
    for (const char *p = pointer; *p != '\0'; p++)
        if (*p == '~' && p[1] != '0' && p[1] != '1')
            return "a '~' must be followed by 0 or 1";
    return NULL;
}

/* json: what should be a JSON Pointer; what: for the words. */
static void lint_pointer(struct lint *l, const struct schema_node *record, const struct schema_field *f, const json_t *json, const char *what)
{
    const char *pointer = json_string_value(json), *fault;
    if (pointer == NULL)
        tell(l, record, f->json, f->name, "%s must be a JSON Pointer", what);
    else if ((fault = pointer_fault(pointer)) != NULL)
        tell(l, record, json, f->name, "%s: '%.80s' is no JSON Pointer: %s", what, pointer, fault);
}

static void lint_join(struct lint *l, const struct schema_node *record, const struct schema_field *f, const json_t *join)
{
    lint_pointer(l, record, f, json_object_get(join, "array"), "\"array\" of a join");
    lint_pointer(l, record, f, json_object_get(join, "reference"), "\"reference\" of a join");
    lint_pointer(l, record, f, json_object_get(join, "to"), "\"to\" of a join");
}

static void lint_sources(struct lint *l, const struct schema_node *record, const struct schema_field *f)
{
    const json_t *list = json_object_get(f->json, "xsale");
    if (list != NULL && json_array_size(list) == 0)
        tell(l, record, f->json, f->name, "\"xsale\" must be an array of one or more JSON Pointers");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        if (json_is_object(one))
            lint_join(l, record, f, one);
        else
            lint_pointer(l, record, f, one, "\"xsale\"");
        if (json_array_size(list) > 1 && json_is_string(one) && json_string_length(one) == 0)
            tell(l, record, f->json, f->name, "\"xsale\": the pointer \"\" must stand alone");
    }
    if (list == NULL && json_object_get(f->json, "bridge") == NULL && f->initial == NULL)
        tell(l, record, f->json, f->name, "neither \"xsale\" nor \"bridge\" nor \"default\" says what it holds");
}

/* The attribute, when it is there, must be one of these texts (NULL ends them). */
static void lint_choice(struct lint *l, const struct schema_node *record, const struct schema_field *f, const char *name, const char *const *choices)
{
    const json_t *json = json_object_get(f->json, name);
    const char *text = json_string_value(json);
    if (json == NULL)
        return;
    for (size_t i = 0; text != NULL && choices[i] != NULL; i++)
        if (strcmp(text, choices[i]) == 0)
            return;
    tell(l, record, f->json, f->name, "\"%s\": %.60s%s", name, text != NULL ? text : "no text", text != NULL ? " is nothing that the bridge knows" : "");
}

static void lint_flag(struct lint *l, const struct schema_node *record, const struct schema_field *f, const char *name)
{
    const json_t *json = json_object_get(f->json, name);
    if (json != NULL && !json_is_boolean(json))
        tell(l, record, f->json, f->name, "\"%s\" must be true or false", name);
}

static void lint_symbols(struct lint *l, const struct schema_node *record, const struct schema_field *f)
{
    const json_t *table = json_object_get(f->json, "symbols");
    const struct schema_node *type = avro_peek_behind_null(f->type);
    const char *text;
    json_t *symbol;
    if (table == NULL)
        return;
    if (type->kind != SCHEMA_ENUM || !json_is_object(table)) {
        tell(l, record, f->json, f->name, "\"symbols\" must be an object, for an enum");
        return;
    }
    json_object_foreach((json_t *)table, text, symbol)
    {
        bool known = false;
        for (size_t i = 0; json_is_string(symbol) && i < type->count; i++)
            known = known || strcmp(type->symbols[i], json_string_value(symbol)) == 0;
        if (!known)
            tell(l, record, f->json, f->name, "\"symbols\": '%.60s' becomes no symbol of the enum", text);
    }
}

static void lint_mapping(struct lint *l, const struct schema_node *record, const struct schema_field *f)
{
    static const char *const bridged[] = {"organization", "revision",  "publication", "round", "withdrawn",
                                          "warehouses",   "fetchedAt", "raw",         NULL};
    static const char *const resolved[] = {"warehouse", NULL};
    lint_sources(l, record, f);
    lint_choice(l, record, f, "bridge", bridged);
    lint_choice(l, record, f, "resolve", resolved);
    lint_flag(l, record, f, "volatile");
    lint_flag(l, record, f, "required");
    lint_symbols(l, record, f);
    if (record == schema_root(l->schema))
        return;
    if (json_object_get(f->json, "bridge") != NULL)
        tell(l, record, f->json, f->name, "\"bridge\" is for the order's own fields");
    if (json_is_true(json_object_get(f->json, "volatile")))
        tell(l, record, f->json, f->name, "\"volatile\" is for the order's own fields");
}

static void lint_document(struct lint *l, const struct schema_node *record, const struct schema_field *f)
{
    static const char *const forms[] = {"millis", NULL};
    const json_t *name = json_object_get(f->json, "erp");
    lint_choice(l, record, f, "json", forms);
    if (name != NULL && json_string_length(name) == 0)
        tell(l, record, f->json, f->name, "\"erp\" must be the member's name in the document");
    for (const struct schema_field *other = record->fields; other < f; other++)
        if (strcmp(other->json_name, f->json_name) == 0)
            tell(l, record, f->json, f->name, "the document would have two members of its name: also field %.60s's", other->name);
}

static void lint_type(struct lint *l, const struct schema_node *type);

static void lint_record(struct lint *l, const struct schema_node *record)
{
    for (size_t i = 0; i < l->seen_n; i++)
        if (l->seen[i] == record)
            return;
    if (l->seen_n < SCHEMA_NAMED) /* schema_build allows no more */
        l->seen[l->seen_n++] = record;
    for (size_t i = 0; i < record->count; i++) {
        lint_document(l, record, &record->fields[i]);
        if (!l->view)
            lint_mapping(l, record, &record->fields[i]);
        lint_type(l, record->fields[i].type);
    }
}

/* As deep as the schema, which schema_build bounds. */
static void lint_type(struct lint *l, const struct schema_node *type)
{
    if (type->kind == SCHEMA_RECORD)
        lint_record(l, type);
    if (type->kind == SCHEMA_UNION || type->kind == SCHEMA_ARRAY || type->kind == SCHEMA_MAP)
        for (size_t i = 0; i < type->count; i++)
            lint_type(l, type->branches[i]);
}

/* What every part after the producer reads: these fields by these names. */
static const struct need {
    enum { OF_ORDER, OF_ITEM, OF_ARTICLE } of;
    const char *name;
    enum schema_kind kind;
    bool decimal;
    const char *attribute, *value; /* that must be there, NULL: none; value NULL: any */
} needs[] = {
    {OF_ORDER, "orderId", SCHEMA_LONG, false, "xsale", NULL},
    {OF_ORDER, "organization", SCHEMA_STRING, false, "bridge", "organization"},
    {OF_ORDER, "revision", SCHEMA_STRING, false, "bridge", "revision"},
    {OF_ORDER, "publication", SCHEMA_LONG, false, "bridge", "publication"},
    {OF_ORDER, "round", SCHEMA_LONG, false, "bridge", "round"},
    {OF_ORDER, "withdrawn", SCHEMA_BOOLEAN, false, "bridge", "withdrawn"},
    {OF_ORDER, "warehouse", SCHEMA_STRING, false, "resolve", "warehouse"},
    {OF_ORDER, "warehouses", SCHEMA_ARRAY, false, "bridge", "warehouses"},
    {OF_ORDER, "fetchedAt", SCHEMA_LONG, false, "bridge", "fetchedAt"},
    {OF_ORDER, "items", SCHEMA_ARRAY, false, "xsale", NULL},
    {OF_ITEM, "quantity", SCHEMA_BYTES, true, "xsale", NULL},
    {OF_ITEM, "articles", SCHEMA_ARRAY, false, "xsale", NULL},
    {OF_ARTICLE, "code", SCHEMA_STRING, false, "xsale", NULL},
    {OF_ARTICLE, "quantity", SCHEMA_BYTES, true, "xsale", NULL},
    {OF_ARTICLE, "warehouse", SCHEMA_STRING, false, NULL, NULL}, /* who has no warehouses by article may leave it to the order's */
};

static void lint_need(struct lint *l, const struct schema_node *record, const struct need *need)
{
    const struct schema_field *f = schema_field(record, need->name);
    if (f == NULL) {
        tell(l, record, record->json, need->name, "is missing: the bridge needs it");
        return;
    }
    const struct schema_node *type = avro_peek_behind_null(f->type);
    if (type->kind != need->kind || (type->logical == SCHEMA_DECIMAL) != need->decimal)
        tell(l, record, f->json, f->name, "is of another type than the bridge needs");
    const json_t *attribute = need->attribute != NULL ? json_object_get(f->json, need->attribute) : NULL;
    const char *text = json_string_value(attribute);
    if (need->value != NULL && (text == NULL || strcmp(text, need->value) != 0))
        tell(l, record, f->json, f->name, "needs its attribute \"%s\": \"%s\"", need->attribute, need->value);
    else if (need->attribute != NULL && attribute == NULL)
        tell(l, record, f->json, f->name, "needs its attribute \"%s\"", need->attribute);
}

/* The records behind a field that is an array of them; NULL: it is none, which lint_need tells. */
static const struct schema_node *records_of(const struct schema_node *record, const char *name)
{
    const struct schema_field *f = record != NULL ? schema_field(record, name) : NULL;
    const struct schema_node *type = f != NULL ? avro_peek_behind_null(f->type) : NULL;
    return type != NULL && type->kind == SCHEMA_ARRAY && type->branches[0]->kind == SCHEMA_RECORD ? type->branches[0] : NULL;
}

static void lint_needs(struct lint *l, const struct schema_node *order)
{
    const struct schema_node *item = records_of(order, "items"), *article = records_of(item, "articles");
    const struct schema_node *records[] = {[OF_ORDER] = order, [OF_ITEM] = item, [OF_ARTICLE] = article};
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++)
        if (records[needs[i].of] != NULL)
            lint_need(l, records[needs[i].of], &needs[i]);
}

static unsigned lint(const struct schema *s, bool view, mapping_lint_fn *fn, void *arg)
{
    struct lint l = {.schema = s, .fn = fn, .arg = arg, .view = view};
    const struct schema_node *root = schema_root(s);
    if (root->kind != SCHEMA_RECORD) {
        fn(arg, 0, view ? "the schema of a view must be a record" : "the schema of an order must be a record");
        return 1;
    }
    if (!view)
        lint_needs(&l, root);
    lint_record(&l, root);
    return l.n;
}

unsigned mapping_lint(const struct schema *s, mapping_lint_fn *fn, void *arg)
{
    return lint(s, false, fn, arg);
}

unsigned mapping_lint_view(const struct schema *s, mapping_lint_fn *fn, void *arg)
{
    return lint(s, true, fn, arg);
}
