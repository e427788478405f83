#include "common/base/traceparent.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

void traceparent_print(struct traceparent *t, char out[TRACEPARENT_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    static const char shape[] = "00-tttttttttttttttttttttttttttttttt-ssssssssssssssss-01";
    if (t->left < TRACEPARENT_DRAWN) {
        if (getentropy(t->drawn, sizeof t->drawn) != 0) /* not before the kernel has entropy */
            memset(t->drawn, 1, sizeof t->drawn);
        t->left = sizeof t->drawn;
    }
    const unsigned char *bytes = t->drawn + (t->left -= TRACEPARENT_DRAWN);
    for (size_t i = 0, digit = 0; i < sizeof shape; i++) {
        bool drawn = shape[i] == 't' || shape[i] == 's';
        out[i] = drawn ? digits[bytes[digit / 2] >> (digit % 2 == 0 ? 4 : 0) & 15] : shape[i];
        digit += drawn;
    }
}

bool traceparent_valid(const void *p, size_t n)
{
    static const char shape[] = "hh-hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh-hhhhhhhhhhhhhhhh-hh";
    const char *text = p;
    if (n != TRACEPARENT_TEXT - 1)
        return false;
    for (size_t i = 0; i < n; i++) {
        bool digit = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
        if (shape[i] == 'h' ? !digit : text[i] != '-')
            return false;
    }
    return true;
}

void traceparent_id(const char *traceparent, char out[TRACEPARENT_ID])
{
    size_t n = traceparent == NULL ? 0 : TRACEPARENT_ID - 1;
    if (n > 0)
        memcpy(out, traceparent + 3, n);
    out[n] = '\0';
}
