#include "common/contract/schema_canon.h"

#include "common/contract/schema_build.h"

/* Named types printed so far: the second time only the name is printed. */
struct printer {
    struct buf *out;
    const struct schema_node *seen[SCHEMA_NAMED];
    size_t seen_n;
};

static void print_type(struct printer *p, const struct schema_node *n);

static bool seen(struct printer *p, const struct schema_node *n)
{
    for (size_t i = 0; i < p->seen_n; i++)
        if (p->seen[i] == n)
            return true;
    if (p->seen_n < SCHEMA_NAMED) /* schema_build allows no more */
        p->seen[p->seen_n++] = n;
    return false;
}

static void print_quoted(struct printer *p, const char *name) /* names hold nothing that JSON escapes */
{
    buf_put_byte(p->out, '"');
    buf_put_text(p->out, name);
    buf_put_byte(p->out, '"');
}

static void print_named(struct printer *p, const struct schema_node *n)
{
    if (seen(p, n)) {
        print_quoted(p, n->name);
        return;
    }
    buf_put_text(p->out, "{\"name\":");
    print_quoted(p, n->name);
    if (n->kind == SCHEMA_FIXED)
        buf_printf(p->out, ",\"type\":\"fixed\",\"size\":%zu", n->size);
    else
        buf_put_text(p->out, n->kind == SCHEMA_RECORD ? ",\"type\":\"record\",\"fields\":[" : ",\"type\":\"enum\",\"symbols\":[");
    for (size_t i = 0; i < n->count; i++) {
        if (i > 0)
            buf_put_byte(p->out, ',');
        if (n->kind == SCHEMA_ENUM) {
            print_quoted(p, n->symbols[i]);
            continue;
        }
        buf_put_text(p->out, "{\"name\":");
        print_quoted(p, n->fields[i].name);
        buf_put_text(p->out, ",\"type\":");
        print_type(p, n->fields[i].type);
        buf_put_byte(p->out, '}');
    }
    buf_put_text(p->out, n->kind == SCHEMA_FIXED ? "}" : "]}");
}

static void print_union(struct printer *p, const struct schema_node *n)
{
    buf_put_byte(p->out, '[');
    for (size_t i = 0; i < n->count; i++) {
        if (i > 0)
            buf_put_byte(p->out, ',');
        print_type(p, n->branches[i]);
    }
    buf_put_byte(p->out, ']');
}

static void print_type(struct printer *p, const struct schema_node *n)
{
    static const char *const primitive[] = {
        [SCHEMA_NULL] = "null",   [SCHEMA_BOOLEAN] = "boolean", [SCHEMA_INT] = "int",     [SCHEMA_LONG] = "long",
        [SCHEMA_FLOAT] = "float", [SCHEMA_DOUBLE] = "double",   [SCHEMA_BYTES] = "bytes", [SCHEMA_STRING] = "string",
    };
    switch (n->kind) {
    case SCHEMA_RECORD:
    case SCHEMA_ENUM:
    case SCHEMA_FIXED:
        print_named(p, n);
        return;
    case SCHEMA_UNION:
        print_union(p, n);
        return;
    case SCHEMA_ARRAY:
    case SCHEMA_MAP:
        buf_put_text(p->out, n->kind == SCHEMA_ARRAY ? "{\"type\":\"array\",\"items\":" : "{\"type\":\"map\",\"values\":");
        print_type(p, n->branches[0]);
        buf_put_byte(p->out, '}');
        return;
    default:
        print_quoted(p, primitive[n->kind]);
    }
}

enum rc schema_canon_print(const struct schema_node *root, struct buf *out, struct err *e)
{
    struct printer p = {.out = out};
    print_type(&p, root);
    if (!buf_failed(out))
        return RC_OK;
    err_set(e, "schema: out of memory");
    return RC_FATAL;
}

uint64_t schema_canon_crc(const void *text, size_t n)
{
    const uint64_t empty = UINT64_C(0xc15d213aa4d7a795);
    const unsigned char *p = text;
    uint64_t crc = empty;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (empty & (0 - (crc & 1)));
    }
    return crc;
}
