#include "consumer/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 200 };

void progress_begin(struct progress *p, size_t total, int64_t now)
{
    *p = (struct progress){.begun = now, .total = total, .terminal = isatty(STDERR_FILENO)};
}

static void put_left(int64_t seconds, struct buf *out)
{
    if (seconds >= 3600)
        buf_printf(out, "%" PRId64 " h %" PRId64 " min left", seconds / 3600, seconds % 3600 / 60);
    else if (seconds >= 60)
        buf_printf(out, "%" PRId64 " min %" PRId64 " s left", seconds / 60, seconds % 60);
    else
        buf_printf(out, "%" PRId64 " s left", seconds);
}

void progress_line(size_t done, size_t total, int64_t elapsed, struct buf *out)
{
    size_t cells = total > 0 ? done * PROGRESS_CELLS / total : PROGRESS_CELLS;
    buf_put_byte(out, '[');
    for (size_t i = 0; i < PROGRESS_CELLS; i++)
        buf_put_byte(out, i < cells ? '#' : '-');
    buf_printf(out, "] %zu of %zu", done, total);
    if (done == 0 || elapsed <= 0)
        return;
    double rate = (double)done * 1000 / (double)elapsed;
    buf_printf(out, ", %.*f a second, ", rate < 10 ? 1 : 0, rate);
    put_left((int64_t)((double)(total - done) / rate + 0.5), out);
}

void progress_show(struct progress *p, size_t done, int64_t now)
{
    struct buf line;
    if (!p->terminal)
        return;
    buf_init(&line, LINE_MAX_BYTES);
    progress_line(done, p->total, now - p->begun, &line);
    const char *text = buf_text(&line);
    if (text != NULL && fprintf(stderr, "\r%s\033[K", text) > 0 && fflush(stderr) == 0)
        p->shown = true;
    buf_release(&line);
}

void progress_end(struct progress *p)
{
    if (p->shown && fprintf(stderr, "\r\033[K") > 0)
        (void)fflush(stderr);
    p->shown = false;
}
