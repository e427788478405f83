#include "common/contract/record_writer.h"

#include <stdio.h>

void record_writer_init(struct record_writer *w, const struct schema *s)
{
    *w = (struct record_writer){.schema = s};
}

void record_writer_release(struct record_writer *w)
{
    for (size_t i = 0; i < RECORD_WRITER_READERS; i++)
        resolution_destroy(w->ways[i].resolution);
    *w = (struct record_writer){0};
}

/* RC_OK also for a way that does not exist: that is known now, too. */
static enum rc compile(struct record_writer *w, struct record_way *way, const struct schema *reader, struct err *e)
{
    struct err why = {""};
    enum rc rc = resolution_compile(w->schema, reader, &way->resolution, &why);
    if (rc == RC_FATAL) {
        err_set(e, "%s", why.text);
        return rc;
    }
    way->reader = reader;
    (void)snprintf(way->words, sizeof way->words, "%.250s", why.text);
    return RC_OK;
}

static enum rc find(struct record_writer *w, const struct schema *reader, struct record_way **out, struct err *e)
{
    for (size_t i = 0; i < RECORD_WRITER_READERS; i++) {
        struct record_way *way = &w->ways[i];
        if (way->reader != NULL && way->reader != reader)
            continue;
        *out = way;
        return way->reader != NULL ? RC_OK : compile(w, way, reader, e);
    }
    err_set(e, "too many readers of one schema");
    return RC_FATAL;
}

enum rc record_writer_suits(struct record_writer *w, const struct schema *reader, struct err *e)
{
    struct record_way *way = NULL;
    enum rc rc = find(w, reader, &way, e);
    if (rc != RC_OK || way->resolution != NULL)
        return rc;
    err_set(e, "%s", way->words);
    return RC_REJECT;
}

enum rc record_writer_read(struct record_writer *w, const struct schema *reader, const unsigned char *avro, size_t n, struct buf *out, struct err *e)
{
    struct record_way *way = NULL;
    enum rc rc = find(w, reader, &way, e);
    if (rc != RC_OK)
        return rc;
    if (way->resolution != NULL)
        return resolution_run(way->resolution, avro, n, out, e);
    err_set(e, "%s", way->words);
    return RC_REJECT;
}
