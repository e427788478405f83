#include "consumer/report.h"

#include <stdio.h>

void report_end(struct program *p, struct buf *out, int code)
{
    bool ok = !buf_failed(out) && fwrite(out->p, 1, out->n, stdout) == out->n && fflush(stdout) == 0;
    buf_release(out);
    program_finish(p, ok ? code : 1, ok ? NULL : "cannot write to standard output");
}
