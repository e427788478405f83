#include "common/contract/avro_record.h"

#include <stdlib.h>
#include <string.h>

#include "common/contract/publication.h"

enum {
    LIST_ITEMS = 4096,
    DEFAULTS_BYTES = 4096, /* what the built-in defaults may add to a record, ... */
    GROWTH = 8             /* ... and to each item of a list: no item of ours comes from less than three bytes */
};

static void fail(struct avro_record *r, enum rc rc, const char *name, const char *words)
{
    if (r->rc != RC_OK)
        return;
    r->rc = rc;
    err_set(r->e, "field %s: %s", name, words);
}

void avro_record_reject(struct avro_record *r, const char *name, const char *words)
{
    fail(r, RC_REJECT, name, words);
}

/* The bytes into avro-c's value. The resolution wrote them, so a failure is memory. */
static void read_value(struct avro_record *r, avro_value_iface_t *class, const struct buf *bytes)
{
    avro_reader_t reader = avro_reader_memory((const char *)bytes->p, (int64_t)bytes->n);
    if (reader == NULL || avro_generic_value_new(class, &r->value) != 0) {
        r->value = (avro_value_t){0};
        r->rc = RC_FATAL;
        err_set(r->e, "out of memory");
    } else if (avro_value_read(reader, &r->value) != 0) {
        r->rc = RC_FATAL;
        err_set(r->e, "avro-c cannot read the record: %s", avro_strerror());
    }
    if (reader != NULL)
        avro_reader_free(reader);
}

static const struct schema_field *find_field(struct avro_record *r, const char *name)
{
    const struct schema_field *f = r->next < r->node->count ? &r->node->fields[r->next] : NULL;
    if (f == NULL || strcmp(f->name, name) != 0)
        f = schema_field(r->node, name);
    if (f != NULL)
        r->next = (size_t)(f - r->node->fields) + 1;
    return f;
}

/* Finds a field and enters the branch of a union. false: missing, null, or a fault before. */
static bool open_field(struct avro_record *r, const char *name, avro_value_t *out, const struct schema_node **type)
{
    if (r->rc != RC_OK)
        return false;
    const struct schema_field *f = find_field(r, name);
    if (f == NULL)
        return false;
    if (avro_value_get_by_index(&r->value, r->next - 1, out, NULL) != 0) { /* the class is of the same schema */
        fail(r, RC_FATAL, name, "cannot be read");
        return false;
    }
    *type = f->type;
    if (f->type->kind == SCHEMA_UNION) {
        avro_value_t whole = *out;
        int branch = -1;
        if (avro_value_get_discriminant(&whole, &branch) != 0 || branch < 0 || (size_t)branch >= f->type->count ||
            avro_value_get_current_branch(&whole, out) != 0) {
            fail(r, RC_FATAL, name, "cannot be read");
            return false;
        }
        *type = f->type->branches[branch];
    }
    return (*type)->kind != SCHEMA_NULL;
}

static bool demand_field(struct avro_record *r, const char *name, avro_value_t *out, const struct schema_node **type)
{
    if (open_field(r, name, out, type))
        return true;
    fail(r, RC_REJECT, name, "is missing or null");
    return false;
}

static bool demand_array(struct avro_record *r, const char *name, avro_value_t *out, const struct schema_node **type, size_t *n)
{
    *n = 0;
    if (!demand_field(r, name, out, type))
        return false;
    if ((*type)->kind != SCHEMA_ARRAY)
        fail(r, RC_REJECT, name, "is no array");
    else if (avro_value_get_size(out, n) != 0)
        fail(r, RC_FATAL, name, "cannot be read");
    return r->rc == RC_OK;
}

/* Texts are terminated in the object: each has its length before it in the Avro bytes, so n bytes hold them all with their zeros. But a field may
 * be asked for once only. */
static void make_room(struct avro_record *r, size_t n, const struct avro_record_shape *shape)
{
    avro_value_t array;
    const struct schema_node *type;
    if (shape->list != NULL && !demand_array(r, shape->list, &array, &type, &r->list_n))
        return;
    if (r->list_n > LIST_ITEMS) {
        fail(r, RC_REJECT, shape->list, "has more than 4096 items");
        return;
    }
    size_t front = (shape->object_bytes + 15) / 16 * 16; /* keeps the list aligned */
    r->object = calloc(1, front + r->list_n * shape->item_bytes + n + 1);
    if (r->object == NULL) {
        r->rc = RC_FATAL;
        err_set(r->e, "out of memory");
        return;
    }
    r->list = (char *)r->object + front;
    r->text = (char *)r->list + r->list_n * shape->item_bytes;
}

void avro_record_init(struct avro_record *r, struct record_writer *writer, const struct avro_record_shape *shape, const unsigned char *avro, size_t n,
                      struct err *e)
{
    const struct schema *reader = avro_builtin_schema(shape->which);
    avro_value_iface_t *class = avro_builtin_class(shape->which);
    struct buf bytes;
    *r = (struct avro_record){.e = e};
    if (reader == NULL || class == NULL) {
        r->rc = RC_FATAL;
        err_set(e, "out of memory");
        return;
    }
    r->node = schema_root(reader);
    buf_init(&bytes, DEFAULTS_BYTES + n * GROWTH);
    r->rc = record_writer_read(writer, reader, avro, n, &bytes, e);
    if (r->rc == RC_OK)
        read_value(r, class, &bytes);
    if (r->rc == RC_OK)
        make_room(r, bytes.n, shape);
    buf_release(&bytes);
}

/* *n counts no zero. NULL: a fault. */
static const char *get_text(struct avro_record *r, const char *name, const avro_value_t *value, const struct schema_node *type, size_t *n)
{
    const char *text = NULL;
    *n = 0;
    if (type->kind != SCHEMA_STRING)
        fail(r, RC_REJECT, name, "is no string");
    else if (avro_value_get_string(value, &text, n) != 0 || *n == 0) /* avro-c counts the zero */
        fail(r, RC_FATAL, name, "cannot be read");
    else if (memchr(text, '\0', --*n) != NULL)
        fail(r, RC_REJECT, name, "holds U+0000");
    return r->rc == RC_OK ? text : NULL;
}

static const char *keep_text(struct avro_record *r, const char *name, const avro_value_t *value, const struct schema_node *type)
{
    size_t n;
    const char *text = get_text(r, name, value, type, &n);
    if (text == NULL)
        return "";
    char *kept = r->text;
    memcpy(kept, text, n + 1);
    r->text += n + 1;
    return kept;
}

const char *avro_record_text(struct avro_record *r, const char *name)
{
    avro_value_t value;
    const struct schema_node *type;
    return demand_field(r, name, &value, &type) ? keep_text(r, name, &value, type) : "";
}

const char *avro_record_text_or(struct avro_record *r, const char *name, const char *initial)
{
    avro_value_t value;
    const struct schema_node *type;
    return open_field(r, name, &value, &type) ? keep_text(r, name, &value, type) : initial;
}

void avro_record_copy(struct avro_record *r, const char *name, char *out, size_t room)
{
    avro_value_t value;
    const struct schema_node *type;
    size_t n;
    out[0] = '\0';
    if (!demand_field(r, name, &value, &type))
        return;
    const char *text = get_text(r, name, &value, type, &n);
    if (text == NULL)
        return;
    if (n >= room)
        fail(r, RC_REJECT, name, "is too long");
    else
        memcpy(out, text, n + 1);
}

static int64_t get_long(struct avro_record *r, const char *name, const avro_value_t *value, const struct schema_node *type)
{
    int64_t wide = 0;
    int32_t narrow = 0;
    int bad = 0;
    if (type->kind == SCHEMA_LONG)
        bad = avro_value_get_long(value, &wide);
    else if (type->kind == SCHEMA_INT)
        bad = avro_value_get_int(value, &narrow);
    else
        fail(r, RC_REJECT, name, "is no whole number");
    if (bad != 0)
        fail(r, RC_FATAL, name, "cannot be read");
    return type->kind == SCHEMA_INT ? narrow : wide;
}

int64_t avro_record_long(struct avro_record *r, const char *name)
{
    avro_value_t value;
    const struct schema_node *type;
    return demand_field(r, name, &value, &type) ? get_long(r, name, &value, type) : 0;
}

int64_t avro_record_long_or(struct avro_record *r, const char *name, int64_t initial)
{
    avro_value_t value;
    const struct schema_node *type;
    return open_field(r, name, &value, &type) ? get_long(r, name, &value, type) : initial;
}

static int64_t possible(struct avro_record *r, const char *name, int64_t v)
{
    if (publication_possible(v))
        return v;
    fail(r, RC_REJECT, name, "is negative or beyond the year 9999");
    return 0;
}

int64_t avro_record_publication(struct avro_record *r, const char *name)
{
    return possible(r, name, avro_record_long(r, name));
}

int64_t avro_record_publication_or(struct avro_record *r, const char *name, int64_t initial)
{
    return possible(r, name, avro_record_long_or(r, name, initial));
}

static int32_t narrow_long(struct avro_record *r, const char *name, int64_t v)
{
    if (v >= INT32_MIN && v <= INT32_MAX)
        return (int32_t)v;
    fail(r, RC_REJECT, name, "has more than 32 bits");
    return 0;
}

int32_t avro_record_int(struct avro_record *r, const char *name)
{
    return narrow_long(r, name, avro_record_long(r, name));
}

int32_t avro_record_int_or(struct avro_record *r, const char *name, int32_t initial)
{
    return narrow_long(r, name, avro_record_long_or(r, name, initial));
}

static bool get_bool(struct avro_record *r, const char *name, const avro_value_t *value, const struct schema_node *type)
{
    int v = 0;
    if (type->kind != SCHEMA_BOOLEAN)
        fail(r, RC_REJECT, name, "is no boolean");
    else if (avro_value_get_boolean(value, &v) != 0)
        fail(r, RC_FATAL, name, "cannot be read");
    return v != 0;
}

bool avro_record_bool(struct avro_record *r, const char *name)
{
    avro_value_t value;
    const struct schema_node *type;
    return demand_field(r, name, &value, &type) ? get_bool(r, name, &value, type) : false;
}

bool avro_record_bool_or(struct avro_record *r, const char *name, bool initial)
{
    avro_value_t value;
    const struct schema_node *type;
    return open_field(r, name, &value, &type) ? get_bool(r, name, &value, type) : initial;
}

size_t avro_record_symbol(struct avro_record *r, const char *name, const char *const *names, size_t names_n)
{
    avro_value_t value;
    const struct schema_node *type;
    int index = -1;
    if (!demand_field(r, name, &value, &type))
        return 0;
    if (type->kind != SCHEMA_ENUM) {
        fail(r, RC_REJECT, name, "is no enum");
        return 0;
    }
    if (avro_value_get_enum(&value, &index) != 0 || index < 0 || (size_t)index >= type->count) {
        fail(r, RC_FATAL, name, "cannot be read");
        return 0;
    }
    for (size_t i = 0; i < names_n; i++) /* by name: a writer may order its symbols otherwise */
        if (strcmp(names[i], type->symbols[index]) == 0)
            return i;
    fail(r, RC_REJECT, name, "has a symbol that is not known here");
    return 0;
}

void avro_record_warehouses(struct avro_record *r, const char *name, struct warehouse_set *out)
{
    avro_value_t array, item;
    const struct schema_node *type;
    size_t count, n;
    if (!demand_array(r, name, &array, &type, &count))
        return;
    for (size_t i = 0; i < count && r->rc == RC_OK; i++) {
        if (avro_value_get_by_index(&array, i, &item, NULL) != 0) {
            fail(r, RC_FATAL, name, "cannot be read");
            return;
        }
        const char *text = get_text(r, name, &item, type->branches[0], &n);
        if (text != NULL && !warehouse_set_add(out, text, n))
            fail(r, RC_REJECT, name, "holds no warehouse's name, or too many");
    }
}

void avro_record_item(struct avro_record *r, const char *name, size_t i, struct avro_record *item)
{
    avro_value_t array;
    const struct schema_node *type;
    size_t count;
    *item = (struct avro_record){.rc = RC_FATAL, .e = r->e, .text = r->text};
    if (!demand_array(r, name, &array, &type, &count))
        return;
    if (type->branches[0]->kind != SCHEMA_RECORD) {
        fail(r, RC_REJECT, name, "holds no records");
        return;
    }
    if (i >= count || avro_value_get_by_index(&array, i, &item->value, NULL) != 0) {
        fail(r, RC_FATAL, name, "cannot be read");
        return;
    }
    item->node = type->branches[0];
    item->rc = RC_OK;
}

void avro_record_item_end(struct avro_record *r, const struct avro_record *item)
{
    r->text = item->text;
    if (r->rc == RC_OK)
        r->rc = item->rc;
}

enum rc avro_record_finish(struct avro_record *r, void **object)
{
    if (r->value.self != NULL)
        avro_value_decref(&r->value);
    if (r->rc == RC_OK)
        *object = r->object;
    else
        free(r->object);
    return r->rc;
}
