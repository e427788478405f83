#include "consumer/sink_file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/probe.h"
#include "common/net/worker.h"
#include "consumer/erp_reach.h"
#include "consumer/fate_rules.h"

enum { NAME_BYTES = 1024, PART_BYTES = 64, FILE_MODE = 0640, FILE_MAX = 256 * 1024 * 1024, AT_ONCE = 250 };
enum { LOCK_TRIES = 5000, LOCK_WAIT_NS = 1000000, STALE_S = 3600, CLOSE_MS = 2000 };

static const char part_begin[] = ".xsale-bridge-", part_end[] = ".part";

struct sink_file {
    struct erp_sink base;
    const struct config *config;
    struct log *log;
    struct worker *worker;
    struct erp_reach reach;
    const char *directory; /* borrowed from the configuration */
    char part[PART_BYTES]; /* what is being written; no two sinks have the same, on no host */
    bool closing;
};

/* One load, or one look at the directory; the thread's between submit and done. It borrows nothing: the thread may outlive the sink. */
struct job {
    struct sink_file *sink; /* the loop's */
    erp_done_fn *done;      /* NULL: a look */
    void *arg;
    struct erp_load load;     /* only what is used here; its texts stand in bytes */
    const char *path;         /* of the directory; in bytes */
    char name[NAME_BYTES];    /* of the document */
    char marker[NAME_BYTES];  /* of its withdrawal */
    char part[PART_BYTES];
    int directory;         /* -1: not open */
    int error;             /* errno; 0: done */
    bool absent;           /* done, and there is no document: it is withdrawn */
    enum fate_cause cause; /* of the error */
    char bytes[];
};

static void check(const struct config *c, struct config_problems *problems)
{
    if (config_text(c, "erp.file.directory")[0] == '\0')
        config_problem(c, problems, "erp.file.directory", "is needed with erp.sink = file");
    if (config_int(c, "consumer.concurrency") > AT_ONCE)
        config_problem(c, problems, "consumer.concurrency", "at most %d with erp.sink = file, whose files are written one after another", AT_ONCE);
}

static size_t connections(const struct config *c)
{
    (void)c;
    return 4; /* the directory twice, a document, its other half */
}

static bool withdraws(const struct erp_sink *sink)
{
    (void)sink;
    return true;
}

/* Letters, digits and '-' as they are. '_' separates the parts of a name and '.' ends it, so they are encoded too: no warehouse can be named
 * like another's withdrawal. */
static void put_safe(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x80 && (isalnum(c) || c == '-'))
            buf_put_byte(out, c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

/* false: the name would be too long. */
static bool names_set(struct job *j)
{
    const struct erp_load *l = &j->load;
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
    if (unlinkat(j->directory, j->part, 0) != 0 && errno != ENOENT)
        return false;
    int fd = openat(j->directory, j->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (fd < 0)
        return false;
    bool written = write_all(fd, j->load.document, j->load.document_n) && fsync(fd) == 0;
    int saved = errno;
    if (close(fd) != 0 && written) {
        written = false;
        saved = errno;
    }
    PROBE(file_written);
    if (written && renameat(j->directory, j->part, j->directory, name) == 0)
        return true;
    if (written)
        saved = errno;
    (void)unlinkat(j->directory, j->part, 0); /* the first failure counts */
    errno = saved;
    return false;
}

static bool file_remove(int directory, const char *name)
{
    return unlinkat(directory, name, 0) == 0 || errno == ENOENT;
}

/* The newest publication wins, whether it is a document or a withdrawal. What is there already may be of a process that was killed before it
 * flushed the directory, so the caller flushes it in any case. */
static bool apply(struct job *j)
{
    const struct erp_load *l = &j->load;
    bool same, same_marker;
    int64_t loaded = file_publication(j->directory, j->name, l, &same);
    if (errno != 0)
        return false;
    int64_t withdrawn = file_publication(j->directory, j->marker, l, &same_marker);
    if (errno != 0)
        return false;
    j->absent = l->publication < withdrawn && loaded < 0;
    if (l->publication < loaded || l->publication < withdrawn)
        return true;
    if (l->withdrawn ? same_marker && loaded < 0 : same && withdrawn < 0)
        return true;
    if (!file_replace(j, l->withdrawn ? j->marker : j->name))
        return false;
    PROBE(file_renamed);
    return file_remove(j->directory, l->withdrawn ? j->name : j->marker);
}

/* One writer at a time in the directory: a process that lost its partition and does not know it yet must not put an older publication over a newer
 * one between another's look and its rename. Some network file systems have no such locks for directories: *held is false then, and each
 * process's own names still keep files whole. false: another one holds it and does not let go. */
static bool directory_lock(int directory, bool *held)
{
    const struct timespec wait = {.tv_nsec = LOCK_WAIT_NS};
    for (int i = 0; flock(directory, LOCK_EX | LOCK_NB) != 0; i++) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            *held = false;
            return true;
        }
        if (i == LOCK_TRIES) {
            errno = EWOULDBLOCK;
            return false;
        }
        (void)nanosleep(&wait, NULL); /* cut short by a signal: fine */
    }
    *held = true;
    return true;
}

/* The directory, open and locked; closing lets go. -1: errno. */
static int directory_open(const char *path, bool *held)
{
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0 || directory_lock(directory, held))
        return directory;
    (void)close(directory);
    errno = EWOULDBLOCK;
    return -1;
}

static bool is_part(const char *name)
{
    size_t n = strlen(name), tail = sizeof part_end - 1;
    return strncmp(name, part_begin, sizeof part_begin - 1) == 0 && n > tail && strcmp(name + n - tail, part_end) == 0;
}

/* Removes what crashes left half-written. Whoever writes holds the lock, so with it any such file is left over; without locks an old one is. */
static void parts_clean(int directory, bool held)
{
    int again = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = again >= 0 ? fdopendir(again) : NULL;
    struct dirent *entry;
    struct stat st;
    time_t now = time(NULL);
    if (d == NULL && again >= 0)
        (void)close(again);
    while (d != NULL && (entry = readdir(d)) != NULL)
        if (is_part(entry->d_name) && fstatat(directory, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (held || now - st.st_mtime > STALE_S))
            (void)unlinkat(directory, entry->d_name, 0); /* it only takes room */
    if (d != NULL)
        (void)closedir(d);
}

static void job_failed(struct job *j, enum fate_cause cause)
{
    j->cause = cause;
    j->error = errno != 0 ? errno : EIO;
}

static void job_run(void *arg)
{
    struct job *j = arg;
    bool held;
    errno = ENAMETOOLONG;
    if (!names_set(j)) {
        job_failed(j, CAUSE_ERRNO);
        return;
    }
    j->directory = directory_open(j->path, &held);
    if (j->directory < 0) {
        job_failed(j, CAUSE_DIRECTORY);
        return;
    }
    if (!apply(j) || fsync(j->directory) != 0)
        job_failed(j, CAUSE_ERRNO);
    PROBE(directory_flushed);
    (void)close(j->directory); /* was flushed */
}

static void look_run(void *arg)
{
    struct job *j = arg;
    bool held;
    j->directory = directory_open(j->path, &held);
    if (j->directory < 0 || faccessat(j->directory, ".", R_OK | W_OK | X_OK, AT_EACCESS) != 0)
        job_failed(j, CAUSE_DIRECTORY);
    else
        parts_clean(j->directory, held);
    if (j->directory >= 0)
        (void)close(j->directory);
}

/* Which directory, what is wrong with it or in it, and the system's own words. */
static const char *failure_words(const struct job *j, const char *what, struct err *words)
{
    err_set(words, "%s: %s (%s)", j->path, what, strerror(j->error));
    return words->text;
}

static void look_done(void *arg, bool ran)
{
    struct job *j = arg;
    struct err words;
    bool reached = j->error == 0;
    if (ran && !j->sink->closing)
        erp_reach_ended(&j->sink->reach, reached, reached ? "the directory can be written" : failure_words(j, fate_of(j->cause, j->error)->words, &words));
    free(j);
}

static void job_done(void *arg, bool ran)
{
    struct job *j = arg;
    struct erp_verdict v = {.fate = FATE_LOADED, .document_id = j->absent ? NULL : j->name, .retry_after_ms = -1, .words = "written"};
    struct err words;
    if (j->error != 0) {
        const struct fate_row *row = fate_of(j->cause, j->error);
        enum fate fate = fate_rules_errno(j->sink->config, j->error, row->fate, row->ambiguous);
        v = (struct erp_verdict){.fate = fate, .ambiguous = row->ambiguous, .reason = fate == FATE_REJECT ? row->words : NULL,
                                 .retry_after_ms = -1, .words = failure_words(j, row->words, &words)};
    }
    if (ran && !j->sink->closing) {
        if (j->error == 0)
            erp_reach_proved(&j->sink->reach);
        j->done(j->arg, &v);
    }
    free(j);
}

static const char *keep(char **at, const char *bytes, size_t n)
{
    char *to = *at;
    memcpy(to, bytes, n);
    to[n] = '\0';
    *at = to + n + 1;
    return to;
}

/* l: copied; NULL: a look. NULL: out of memory. */
static struct job *job_create(struct sink_file *s, const struct erp_load *l)
{
    static const struct erp_load nothing = {.organization = "", .warehouse = "", .document = ""};
    l = l != NULL ? l : &nothing;
    size_t path = strlen(s->directory), organization = strlen(l->organization), warehouse = strlen(l->warehouse);
    struct job *j = malloc(sizeof *j + path + organization + warehouse + l->document_n + 4);
    if (j == NULL)
        return NULL;
    *j = (struct job){.sink = s, .directory = -1, .cause = CAUSE_ERRNO};
    char *at = j->bytes;
    memcpy(j->part, s->part, sizeof j->part);
    j->path = keep(&at, s->directory, path);
    j->load = (struct erp_load){.order_id = l->order_id, .publication = l->publication, .withdrawn = l->withdrawn, .document_n = l->document_n};
    j->load.organization = keep(&at, l->organization, organization);
    j->load.warehouse = keep(&at, l->warehouse, warehouse);
    j->load.document = keep(&at, l->document, l->document_n);
    return j;
}

static void look(void *arg)
{
    struct sink_file *s = arg;
    struct job *j = job_create(s, NULL);
    if (j != NULL && worker_submit(s->worker, look_run, look_done, j) == RC_OK)
        return;
    free(j);
    erp_reach_ended(&s->reach, false, "erp.file: no room for a look at the directory");
}

static enum rc submit(struct erp_sink *sink, const struct erp_load *l, erp_done_fn *done, void *arg, struct err *e)
{
    struct sink_file *s = (struct sink_file *)sink;
    struct job *j = job_create(s, l);
    if (j == NULL) {
        err_set(e, "erp.file: out of memory");
        return RC_RETRY;
    }
    j->done = done;
    j->arg = arg;
    if (worker_submit(s->worker, job_run, job_done, j) != RC_OK) {
        err_set(e, "erp.file: too many files wait to be written");
        free(j);
        return RC_RETRY;
    }
    return RC_OK;
}

static bool part_name(char part[PART_BYTES])
{
    uint64_t random = 0;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        return false;
    (void)snprintf(part, PART_BYTES, "%s%ld-%016" PRIx64 "%s", part_begin, (long)getpid(), random, part_end); /* fits */
    return true;
}

static enum rc sink_open(const struct erp_sink_env *env, struct erp_sink **out, struct err *e)
{
    struct sink_file *s = calloc(1, sizeof *s);
    if (s == NULL) {
        err_set(e, "erp.file: out of memory");
        return RC_FATAL;
    }
    s->base.ops = &sink_file_ops;
    s->config = env->config;
    s->log = env->log;
    s->directory = config_text(env->config, "erp.file.directory");
    if (!part_name(s->part))
        err_set(e, "erp.file: no random numbers: %s", strerror(errno));
    else
        s->worker = worker_create(env->loop, e);
    if (s->worker == NULL) {
        free(s);
        return RC_FATAL;
    }
    erp_reach_begin(&s->reach, env, look, s);
    *out = &s->base;
    return RC_OK;
}

static void sink_close(struct erp_sink *sink)
{
    struct sink_file *s = (struct sink_file *)sink;
    if (s == NULL)
        return;
    s->closing = true;
    erp_reach_release(&s->reach);
    if (!worker_give_up(s->worker, CLOSE_MS))
        log_event(s->log, LOG_WARN, "erp", NULL, "a file operation does not end and is left behind", LOG_S("directory", s->directory));
    free(s);
}

const struct erp_sink_ops sink_file_ops = {
    .name = "file", .check = check, .connections = connections, .open = sink_open, .withdraws = withdraws, .submit = submit, .close = sink_close};
