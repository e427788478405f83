#include "consumer/ask.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/select.h>
#include <unistd.h>

bool ask_possible(void)
{
    return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

static void end(struct ask *a)
{
    bool yes = a->n > 0 && (strcasecmp(a->line, "y") == 0 || strcasecmp(a->line, "yes") == 0);
    ask_release(a);
    a->answered(a->arg, yes);
}

/* Ready is also called when nothing is there; a terminal in canonical mode gives whole lines, so a read after a poll does not wait. */
static bool ready(void *arg)
{
    struct ask *a = arg;
    char bytes[64];
    fd_set set;
    struct timeval now = {0, 0};
    FD_ZERO(&set);
    FD_SET(STDIN_FILENO, &set);
    if (!a->open || select(STDIN_FILENO + 1, &set, NULL, NULL, &now) <= 0)
        return false;
    ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);
    for (ssize_t i = 0; i < n && bytes[i] != '\n'; i++)
        if (a->n + 1 < sizeof a->line && bytes[i] != '\r') {
            a->line[a->n++] = bytes[i];
            a->line[a->n] = '\0';
        }
    if (n <= 0 || memchr(bytes, '\n', (size_t)n) != NULL)
        end(a);
    return false;
}

void ask_begin(struct ask *a, struct loop *l, const char *words, void (*answered)(void *arg, bool yes), void *arg)
{
    *a = (struct ask){.loop = l, .open = true, .answered = answered, .arg = arg};
    (void)fprintf(stderr, "%s [y/N] ", words);
    (void)fflush(stderr);
    loop_watch_add(l, &a->watch, STDIN_FILENO, ready, a);
}

void ask_release(struct ask *a)
{
    if (a->open)
        loop_watch_remove(a->loop, &a->watch);
    a->open = false;
}
