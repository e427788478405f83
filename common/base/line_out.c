#include "common/base/line_out.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECOND_MS = 1000 };

void line_out_init(struct line_out *o, int fd, const struct clock *clock)
{
    struct stat status;
    *o = (struct line_out){.fd = fd, .clock = clock, .second = clock_mono(clock), .wait_left = LINE_OUT_WAIT_MS};
    o->may_block = fstat(fd, &status) != 0 || !S_ISREG(status.st_mode);
}

/* By the clock a wait may take no time at all; one in vain ends the waiting anyway. */
static bool wait_for_room(struct line_out *o)
{
    struct pollfd p = {.fd = o->fd, .events = POLLOUT};
    int64_t begin = clock_mono(o->clock);
    if (begin - o->second >= SECOND_MS) {
        o->second = begin;
        o->wait_left = LINE_OUT_WAIT_MS;
    }
    int n = poll(&p, 1, o->stopped ? 0 : (int)o->wait_left);
    int64_t took = clock_mono(o->clock) - begin;
    o->wait_left = took < o->wait_left ? o->wait_left - took : 0;
    o->stopped = n <= 0;
    return n > 0;
}

/* A pipe that poll calls writable takes PIPE_BUF bytes without blocking, no matter how full it is; more might wait. */
static void write_rest(struct line_out *o)
{
    while (o->rest_n > 0) {
        if (o->may_block && !wait_for_room(o))
            return;
        size_t piece = o->may_block && o->rest_n > PIPE_BUF ? PIPE_BUF : o->rest_n;
        ssize_t wrote = write(o->fd, o->rest, piece);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0 && errno == EAGAIN)
            return;
        if (wrote < 0)
            wrote = (ssize_t)o->rest_n; /* it cannot be written and there is nobody to complain to: the program's work does not depend on it */
        o->rest += wrote;
        o->rest_n -= (size_t)wrote;
    }
}

bool line_out_ready(struct line_out *o)
{
    if (o->rest_n > 0)
        write_rest(o);
    return o->rest_n == 0 && (!o->may_block || wait_for_room(o));
}

void line_out_put(struct line_out *o, const char *line, size_t n)
{
    o->rest = line;
    o->rest_n = n;
    write_rest(o);
}
