#include <stdio.h>
#include <string.h>

#include "common/base/config_parts.h"

enum { LONGEST = 96 };

static size_t least(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

/* Levenshtein's distance with one row of the matrix; longer texts are nobody's slip of the pen. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b), row[LONGEST + 1];
    if (n > LONGEST || m > LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t above = row[j];
            row[j] = least(row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[m];
}

void config_suggest_init(struct config_suggest *s, const char *written)
{
    size_t n = strlen(written);
    *s = (struct config_suggest){.written = written, .distance = (n < 6 ? 2 : n / 3) + 1};
}

void config_suggest_offer(struct config_suggest *s, const char *candidate)
{
    size_t distance = edit_distance(s->written, candidate);
    if (distance >= s->distance)
        return;
    s->distance = distance;
    (void)snprintf(s->nearest, sizeof s->nearest, "%s", candidate);
}

void config_suggest_words(const struct config_suggest *s, char *out, size_t room)
{
    out[0] = '\0';
    if (s->nearest[0] != '\0')
        (void)snprintf(out, room, "; did you mean \"%s\"?", s->nearest);
}
