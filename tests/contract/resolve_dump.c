/* The C side of test_resolution.py. Each line of standard input is a writer's schema, a reader's schema and the hex of a record, separated by tabs; each line
 * of the output is the hex by the reader's schema, or "never WORDS" (no record can be read), or "refused WORDS" (this one cannot). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/resolution.h"

enum { LINE_BYTES = 1 << 20 };

static bool read_hex(const char *hex, struct buf *out)
{
    unsigned byte;
    for (; hex[0] != '\0'; hex += 2) {
        if (hex[1] == '\0' || sscanf(hex, "%2x", &byte) != 1)
            return false;
        buf_put_byte(out, (unsigned char)byte);
    }
    return !buf_failed(out);
}

static struct schema *parse(const char *text)
{
    struct schema *s = NULL;
    struct err e = {0};
    if (schema_parse(text, strlen(text), &s, &e) == RC_OK)
        return s;
    (void)fprintf(stderr, "%s: %s\n", text, e.text);
    return NULL;
}

static bool answer(const struct schema *writer, const struct schema *reader, const struct buf *in)
{
    struct resolution *r = NULL;
    struct err e = {0};
    struct buf out;
    buf_init(&out, LINE_BYTES);
    enum rc rc = resolution_compile(writer, reader, &r, &e);
    if (rc != RC_OK)
        (void)printf("never %s\n", e.text);
    else if ((rc = resolution_run(r, in->p, in->n, &out, &e)) != RC_OK)
        (void)printf("refused %s\n", e.text);
    else
        for (size_t i = 0; i <= out.n; i++)
            (void)printf(i < out.n ? "%02x" : "\n", i < out.n ? out.p[i] : 0);
    resolution_destroy(r);
    buf_release(&out);
    return rc == RC_OK || rc == RC_REJECT;
}

static bool answer_line(char *line)
{
    struct buf in;
    char *reader_text = strchr(line, '\t'), *hex = reader_text != NULL ? strchr(reader_text + 1, '\t') : NULL;
    if (hex == NULL)
        return false;
    *reader_text++ = *hex++ = '\0';
    struct schema *writer = parse(line), *reader = parse(reader_text);
    buf_init(&in, LINE_BYTES);
    bool ok = writer != NULL && reader != NULL && read_hex(hex, &in) && answer(writer, reader, &in);
    buf_release(&in);
    schema_destroy(writer);
    schema_destroy(reader);
    return ok;
}

int main(void)
{
    char *line = malloc(LINE_BYTES);
    bool ok = line != NULL;
    while (ok && fgets(line, LINE_BYTES, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        ok = answer_line(line);
    }
    free(line);
    return ok ? 0 : 1;
}
