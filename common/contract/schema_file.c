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

enum rc schema_file_load_told(const char *path, schema_fault_fn *told, void *arg, struct schema **out, struct err *e)
{
    struct buf text;
    buf_init(&text, FILE_BYTES);
    enum rc rc = read_file(path, &text, e);
    if (rc == RC_OK)
        rc = schema_parse_told(text.p != NULL ? (const char *)text.p : "", text.n, told, arg, out, e);
    else if (told != NULL)
        told(arg, 0, e->text);
    buf_release(&text);
    return rc;
}

struct first {
    int line;
    bool found;
};

static void note(void *arg, int line, const char *words)
{
    struct first *f = arg;
    (void)words;
    if (!f->found)
        *f = (struct first){line, true};
}

enum rc schema_file_load(const char *path, struct schema **out, struct err *e)
{
    struct first first = {0};
    enum rc rc = schema_file_load_told(path, note, &first, out, e);
    if (rc != RC_OK && first.line > 0)
        err_prefix(e, "%s:%d", path, first.line);
    else if (rc != RC_OK)
        err_prefix(e, "%s", path);
    return rc;
}
