#include "common/base/slurp.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum rc slurp_file(const char *file, size_t max, struct buf *out, struct stat *status, struct err *e)
{
    struct stat own;
    enum rc rc = RC_REJECT;
    status = status != NULL ? status : &own;
    ssize_t got = 0;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, status) != 0) {
        err_set(e, "cannot read %s: %s", file, strerror(errno));
        goto out;
    }
    if (S_ISDIR(status->st_mode)) {
        err_set(e, "cannot read %s: it is a directory", file);
        goto out;
    }
    while (out->n <= max) {
        unsigned char part[4096];
        got = read(fd, part, sizeof part);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        buf_put(out, part, (size_t)got);
        if (buf_failed(out)) {
            err_set(e, "%s is larger than %zu bytes", file, max);
            goto out;
        }
    }
    if (got < 0) {
        err_set(e, "cannot read %s: %s", file, strerror(errno));
        goto out;
    }
    if (out->n > max) {
        err_set(e, "%s is larger than %zu bytes", file, max);
        goto out;
    }
    rc = RC_OK;
out:
    if (fd >= 0)
        (void)close(fd); /* only read from */
    return rc;
}
