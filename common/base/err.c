#include "common/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/utf8.h"

/* Cuts a half UTF-8 character off the end of a text that filled its room. */
static void end_at_character(char *text, size_t room, int wanted)
{
    if (wanted < 0) {
        text[0] = '\0';
        return;
    }
    if ((size_t)wanted < room)
        return;
    size_t n = strlen(text), back = 0;
    while (n - back > 0 && back < 4 && ((unsigned char)text[n - back - 1] & 0xC0) == 0x80)
        back++;
    if (n - back > 0 && (unsigned char)text[n - back - 1] >= 0xC0)
        text[n - back - 1] = '\0';
}

/* What is no UTF-8 inside, above all a character that a precision of the format has cut, becomes a '?'. */
static void mark_broken(char *text)
{
    size_t n = strlen(text), good = 0;
    while ((good += utf8_check(text + good, n - good)) < n) {
        size_t broken = 1;
        while (good + broken < n && ((unsigned char)text[good + broken] & 0xC0) == 0x80)
            broken++;
        text[good++] = '?';
        memmove(text + good, text + good + broken - 1, n - good - broken + 2);
        n -= broken - 1;
    }
}

void err_set(struct err *e, const char *format, ...)
{
    if (e == NULL)
        return;
    char made[sizeof e->text]; /* an argument may be e->text itself */
    va_list args;
    va_start(args, format);
    int n = vsnprintf(made, sizeof made, format, args);
    va_end(args);
    end_at_character(made, sizeof made, n);
    mark_broken(made);
    memcpy(e->text, made, strlen(made) + 1);
}

void err_prefix(struct err *e, const char *format, ...)
{
    if (e == NULL)
        return;
    char front[sizeof e->text];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(front, sizeof front, format, args);
    va_end(args);
    end_at_character(front, sizeof front, n);
    char made[sizeof e->text];
    n = snprintf(made, sizeof made, "%s: %s", front, e->text);
    end_at_character(made, sizeof made, n);
    mark_broken(made);
    memcpy(e->text, made, strlen(made) + 1);
}
