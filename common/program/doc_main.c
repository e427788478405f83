/* Writes, at build time, the documents that come from the tables: bridge-doc example-config FILE. */
#include <stdio.h>
#include <string.h>

#include "common/base/config.h"

enum { DOCUMENT_MAX = 1024 * 1024 };

static int write_file(const char *path, struct buf *text)
{
    const char *p = buf_text(text);
    FILE *f = p == NULL ? NULL : fopen(path, "w");
    if (f == NULL) {
        (void)fprintf(stderr, "bridge-doc: cannot write %s\n", path);
        return 1;
    }
    int failed = fputs(p, f) < 0;
    failed |= fclose(f) != 0;
    if (failed)
        (void)fprintf(stderr, "bridge-doc: cannot write %s\n", path);
    return failed;
}

int main(int argc, char **argv)
{
    if (argc != 3 || strcmp(argv[1], "example-config") != 0) {
        (void)fprintf(stderr, "Usage: bridge-doc example-config FILE\n");
        return 2;
    }
    struct buf text;
    buf_init(&text, DOCUMENT_MAX);
    config_example(&text);
    int code = write_file(argv[2], &text);
    buf_release(&text);
    return code;
}
