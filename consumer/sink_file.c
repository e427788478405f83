#include "consumer/sink_file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/net/worker.h"

enum { NAME_BYTES = 1024, FILE_MODE = 0640, FILE_MAX = 256 * 1024 * 1024 };

struct sink_file {
    struct erp_sink base;
    struct worker *worker;
    const char *directory; /* borrowed from the configuration */
    bool closing;
};

struct job { /* one load; the thread's between submit and done */
    struct sink_file *sink;
    const struct erp_load *load;
    erp_done_fn *done;
    void *arg;
    char name[NAME_BYTES];    /* of the document */
    char marker[NAME_BYTES];  /* of its withdrawal */
    char partial[NAME_BYTES]; /* while it is written */
    int directory;            /* -1: not open */
    int error;                /* errno; 0: done */
};

static void check(const struct config *c, struct config_problems *problems)
{
    if (config_text(c, "erp.file.directory")[0] == '\0')
        config_problem(c, problems, "erp.file.directory", "is needed with erp.sink = file");
}

static enum rc sink_open(const struct erp_sink_env *env, struct erp_sink **out, struct err *e)
{
    struct sink_file *s = calloc(1, sizeof *s);
    if (s == NULL) {
        err_set(e, "erp.file: out of memory");
        return RC_FATAL;
    }
    s->base.ops = &sink_file_ops;
    s->directory = config_text(env->config, "erp.file.directory");
    s->worker = worker_create(env->loop, e);
    if (s->worker == NULL) {
        free(s);
        return RC_FATAL;
    }
    *out = &s->base;
    return RC_OK;
}

static bool withdraws(const struct erp_sink *sink)
{
    (void)sink;
    return true;
}

/* Letters, digits, '-' and inner '.' as they are; '_' separates, so it is encoded too. */
static void put_safe(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x80 && (isalnum(c) || c == '-' || (c == '.' && out->n > 0)))
            buf_put_byte(out, c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

/* false: the name would be too long. */
static bool names_set(struct job *j)
{
    const struct erp_load *l = j->load;
    struct buf stem;
    bool fits = false;
    buf_init(&stem, NAME_BYTES - 32);
    put_safe(&stem, l->organization);
    buf_printf(&stem, "_%" PRId64 "_", l->order_id);
    put_safe(&stem, l->warehouse);
    const char *text = buf_text(&stem);
    if (text != NULL) {
        (void)snprintf(j->name, sizeof j->name, "%s.json", text);
        (void)snprintf(j->marker, sizeof j->marker, "%s.withdrawn.json", text);
        (void)snprintf(j->partial, sizeof j->partial, ".%s.json.part", text);
        fits = true;
    }
    buf_release(&stem);
    return fits;
}

/* The file's bytes, owned by the caller, *n of them; NULL with errno, ENOENT when there is none. */
static char *file_read(int directory, const char *name, size_t *n)
{
    struct stat st;
    char *bytes = NULL;
    size_t got = 0;
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) != 0)
        goto out;
    if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
        errno = EFBIG;
        goto out;
    }
    if ((bytes = malloc((size_t)st.st_size + 1)) == NULL)
        goto out;
    while (got < (size_t)st.st_size) {
        ssize_t some = read(fd, bytes + got, (size_t)st.st_size - got);
        if (some < 0 && errno == EINTR)
            continue;
        if (some <= 0)
            break;
        got += (size_t)some;
    }
    *n = got;
out:;
    int saved = errno;
    (void)close(fd); /* read only */
    errno = saved;
    return bytes;
}

/* Publication of a file of ours; -1: no such file, or not one of ours (then it is written over). errno 0 or the reason why it cannot be read. */
static int64_t file_publication(int directory, const char *name, const struct erp_load *l, bool *same)
{
    size_t n = 0;
    int64_t publication = -1;
    *same = false;
    errno = 0;
    char *bytes = file_read(directory, name, &n);
    if (bytes == NULL) {
        if (errno == ENOENT)
            errno = 0;
        return -1;
    }
    json_t *root = json_loadb(bytes, n, 0, NULL);
    const json_t *at = json_object_get(root, "publication");
    if (json_is_integer(at))
        publication = json_integer_value(at);
    *same = n == l->document_n && memcmp(bytes, l->document, n) == 0;
    json_decref(root);
    free(bytes);
    errno = 0;
    return publication;
}

static bool write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t some = write(fd, p, n);
        if (some < 0 && errno == EINTR)
            continue;
        if (some < 0)
            return false;
        p += some;
        n -= (size_t)some;
    }
    return true;
}

/* The document under `name`, whole or not at all. */
static bool file_replace(const struct job *j, const char *name)
{
    if (unlinkat(j->directory, j->partial, 0) != 0 && errno != ENOENT)
        return false;
    int fd = openat(j->directory, j->partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (fd < 0)
        return false;
    bool written = write_all(fd, j->load->document, j->load->document_n) && fsync(fd) == 0;
    int saved = errno;
    if (close(fd) != 0 && written) {
        written = false;
        saved = errno;
    }
    if (written && renameat(j->directory, j->partial, j->directory, name) == 0)
        return true;
    if (written)
        saved = errno;
    (void)unlinkat(j->directory, j->partial, 0); /* the first failure counts */
    errno = saved;
    return false;
}

static bool file_remove(int directory, const char *name)
{
    return unlinkat(directory, name, 0) == 0 || errno == ENOENT;
}

/* The newest publication wins, whether it is a document or a withdrawal. */
static bool apply(const struct job *j)
{
    const struct erp_load *l = j->load;
    bool same, same_marker;
    int64_t loaded = file_publication(j->directory, j->name, l, &same);
    if (errno != 0)
        return false;
    int64_t withdrawn = file_publication(j->directory, j->marker, l, &same_marker);
    if (errno != 0)
        return false;
    if (l->publication < loaded || l->publication < withdrawn)
        return true;
    if (l->withdrawn ? same_marker && loaded < 0 : same && withdrawn < 0)
        return true;
    if (!file_replace(j, l->withdrawn ? j->marker : j->name))
        return false;
    return file_remove(j->directory, l->withdrawn ? j->name : j->marker) && fsync(j->directory) == 0;
}

static void job_run(void *arg)
{
    struct job *j = arg;
    if (!names_set(j)) {
        j->error = ENAMETOOLONG;
        return;
    }
    j->directory = open(j->sink->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (j->directory < 0 || !apply(j))
        j->error = errno != 0 ? errno : EIO;
    if (j->directory >= 0)
        (void)close(j->directory); /* was flushed */
}

static void job_done(void *arg, bool ran)
{
    struct job *j = arg;
    struct erp_verdict v = {.fate = FATE_LOADED, .document_id = j->name, .retry_after_ms = -1, .words = "written"};
    struct err words;
    if (j->error != 0) {
        const struct fate_row *row = fate_of(CAUSE_ERRNO, j->error);
        err_set(&words, "%s (%s)", row->words, strerror(j->error));
        v = (struct erp_verdict){.fate = row->fate, .ambiguous = row->ambiguous, .reason = row->fate == FATE_REJECT ? row->words : NULL,
                                 .retry_after_ms = -1, .words = words.text};
    }
    if (ran && !j->sink->closing)
        j->done(j->arg, &v);
    free(j);
}

static enum rc submit(struct erp_sink *sink, const struct erp_load *l, erp_done_fn *done, void *arg, struct err *e)
{
    struct sink_file *s = (struct sink_file *)sink;
    struct job *j = calloc(1, sizeof *j);
    if (j == NULL) {
        err_set(e, "erp.file: out of memory");
        return RC_RETRY;
    }
    j->sink = s;
    j->load = l;
    j->done = done;
    j->arg = arg;
    j->directory = -1;
    if (worker_submit(s->worker, job_run, job_done, j) != RC_OK) {
        err_set(e, "erp.file: too many files wait to be written");
        free(j);
        return RC_RETRY;
    }
    return RC_OK;
}

static void sink_close(struct erp_sink *sink)
{
    struct sink_file *s = (struct sink_file *)sink;
    if (s == NULL)
        return;
    s->closing = true;
    worker_destroy(s->worker);
    free(s);
}

const struct erp_sink_ops sink_file_ops = {
    .name = "file", .check = check, .open = sink_open, .withdraws = withdraws, .submit = submit, .close = sink_close};
