/* The C side of test_suite.py: documents on standard input, each as its length in decimal, a line feed and the bytes; one line of verdict each:
 * sound, text (the parser refuses it) or string (refused by whoever takes that string). */
#include <stdio.h>
#include <stdlib.h>

#include "tests/json/json_peer.h"

enum { DOCUMENT_BYTES = 1 << 24 };

int main(void)
{
    static const char *const words[] = {[JSON_SOUND] = "sound", [JSON_NO_TEXT] = "text", [JSON_BAD_STRING] = "string"};
    size_t n;
    while (scanf("%zu", &n) == 1 && getchar() == '\n' && n <= DOCUMENT_BYTES) {
        char *text = malloc(n > 0 ? n : 1);
        if (text == NULL || fread(text, 1, n, stdin) != n)
            return 1;
        (void)puts(words[json_peer_tape(text, n)]);
        free(text);
    }
    return feof(stdin) != 0 ? 0 : 1;
}
