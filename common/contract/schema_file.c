#include "common/contract/schema_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"

enum { FILE_BYTES = 1 << 20 };

static enum rc read_file(const char *path, struct buf *out, struct err *e)
{
    FILE *f = fopen(path, "rbe");
    if (f == NULL) {
        err_set(e, "%s", strerror(errno));
        return RC_REJECT;
    }
    char chunk[8192];
    size_t n = 0;
    while (!buf_failed(out) && (n = fread(chunk, 1, sizeof chunk, f)) > 0)
        buf_put(out, chunk, n);
    bool bad = ferror(f) != 0;
    (void)fclose(f); /* only read from */
    if (!bad && !buf_failed(out))
        return RC_OK;
    err_set(e, "%s", bad ? "cannot be read" : "larger than 1 MB");
    return RC_REJECT;
}

enum rc schema_file_load(const char *path, struct schema **out, struct err *e)
{
    struct buf text;
    buf_init(&text, FILE_BYTES);
    enum rc rc = read_file(path, &text, e);
    if (rc == RC_OK)
        rc = schema_parse(text.p != NULL ? (const char *)text.p : "", text.n, out, e);
    if (rc != RC_OK)
        err_prefix(e, "%s", path);
    buf_release(&text);
    return rc;
}

/* How many objects begin before this one, itself included; false: it is not in there. jansson keeps members in the order of the text. */
static bool count_objects(const json_t *in, const json_t *object, size_t *n)
{
    const char *key;
    json_t *member;
    if (json_is_object(in)) {
        ++*n;
        if (in == object)
            return true;
        json_object_foreach((json_t *)in, key, member)
            if (count_objects(member, object, n))
                return true;
    }
    for (size_t i = 0; json_is_array(in) && i < json_array_size(in); i++)
        if (count_objects(json_array_get(in, i), object, n))
            return true;
    return false;
}

int schema_file_line(const struct schema *s, const json_t *object)
{
    const json_t *root = schema_root(s)->json; /* the whole text when the schema is a record */
    size_t wanted = 0;
    int line = 1;
    bool quoted = false;
    if (root == NULL || object == NULL || !count_objects(root, object, &wanted))
        return 0;
    for (const char *p = schema_text(s); *p != '\0'; p++) { /* sound JSON: it was parsed */
        if (*p == '\n')
            line++;
        else if (*p == '"')
            quoted = !quoted;
        else if (quoted && *p == '\\')
            p++;
        else if (!quoted && *p == '{' && --wanted == 0)
            return line;
    }
    return 0;
}
