#include "common/program/program_document.h"

#include <stdio.h>
#include <string.h>

enum { DOCUMENT_MAX = 1024 * 1024, EXIT_DONE = 0, EXIT_WORK = 1, EXIT_USAGE = 2 };

bool program_document_asked(int argc, char **argv)
{
    return argc > 1 && strcmp(argv[1], "--document") == 0;
}

int program_document_write(const char *who, const char *path, struct buf *text)
{
    const char *p = buf_text(text);
    FILE *f = p == NULL ? NULL : fopen(path, "w");
    int failed = f == NULL || fputs(p, f) < 0;
    if (f != NULL)
        failed |= fclose(f) != 0;
    if (failed)
        (void)fprintf(stderr, "%s: cannot write %s\n", who, path);
    return failed ? EXIT_WORK : EXIT_DONE;
}

int program_document(const struct program_desc *d, int argc, char **argv)
{
    struct buf text;
    buf_init(&text, DOCUMENT_MAX);
    if (argc == 5 && strcmp(argv[2], "man") == 0)
        program_man(d, argv[4], &text);
    else if (argc == 4 && strcmp(argv[2], "completion") == 0)
        program_completion(d, &text);
    else {
        (void)fprintf(stderr, "%s: --document man FILE DATE | completion FILE\n", d->name);
        return EXIT_USAGE;
    }
    int code = program_document_write(d->name, argv[3], &text);
    buf_release(&text);
    return code;
}
