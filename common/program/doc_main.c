/* Writes, at build time, the documents that come from the table of settings: bridge-doc example-config FILE, bridge-doc config-man FILE DATE. */
#include <stdio.h>
#include <string.h>

#include "common/base/config.h"
#include "common/base/config_man.h"
#include "common/program/program_document.h"

enum { DOCUMENT_MAX = 1024 * 1024 };

int main(int argc, char **argv)
{
    struct buf text;
    buf_init(&text, DOCUMENT_MAX);
    if (argc == 3 && strcmp(argv[1], "example-config") == 0) {
        config_example(&text);
    } else if (argc == 4 && strcmp(argv[1], "config-man") == 0) {
        config_man(&text, argv[3]);
    } else {
        (void)fprintf(stderr, "Usage: bridge-doc example-config FILE | config-man FILE DATE\n");
        return 2;
    }
    int code = program_document_write("bridge-doc", argv[2], &text);
    buf_release(&text);
    return code;
}
