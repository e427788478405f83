#include "common/program/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    OWN = 64,        /* streams, loop, log, registry, librdkafka's wake-ups: 30 to 40 were seen */
    SERVED = 34,     /* connections to the HTTP port */
    BROKERS_MIN = 3, /* named is only where librdkafka begins to ask */
    PER_BROKER = 15, /* up to five clients of librdkafka, each a connection and a pipe a broker */
    LOOK_MS = 1000,
    CALM = 3         /* looks in a row with one free: the HTTP port gives one away for a moment */
};

struct descriptor_watch {
    struct loop *loop;
    struct health *health;
    struct loop_timer timer;
    int calm;
    bool told;
};

static size_t brokers(const struct config *c)
{
    const char *named = config_text(c, "kafka.bootstrap.servers");
    size_t n = 1;
    for (; *named != '\0'; named++)
        n += *named == ',';
    return n > BROKERS_MIN ? n : BROKERS_MIN;
}

size_t descriptors_needed(const struct config *c, size_t connections)
{
    return OWN + SERVED + (brokers(c) + 1) * PER_BROKER + connections; /* one more: the name by which a broker was found first */
}

enum rc descriptors_claim(size_t needed, struct err *e)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        err_set(e, "the limit of open files cannot be read: %s", strerror(errno));
        return RC_FATAL;
    }
    if (limit.rlim_cur >= needed)
        return RC_OK;
    if (limit.rlim_max < needed) {
        err_set(e, "with this configuration up to %zu files and connections are open at once, but this process may have only %" PRIuMAX
                   ": raise the hard limit (LimitNOFILE= of the unit, ulimit -Hn, --ulimit nofile= of a container), or lower the concurrency",
                needed, (uintmax_t)limit.rlim_max);
        return RC_FATAL;
    }
    limit.rlim_cur = needed;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
        return RC_OK;
    err_set(e, "the limit of open files cannot be raised to %zu: %s", needed, strerror(errno));
    return RC_FATAL;
}

static bool one_is_free(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno != EMFILE && errno != ENFILE;
    (void)close(fd); /* only opened */
    return true;
}

static void tell_none_free(const struct descriptor_watch *w)
{
    char words[200];
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        limit.rlim_cur = 0;
    (void)snprintf(words, sizeof words, "all files and connections that this process (%" PRIuMAX ") or the machine may have open are in use",
                   (uintmax_t)limit.rlim_cur); /* fits */
    health_set(w->health, "open-files", HEALTH_DOWN, words,
               "works with the connections it has, repeats what fails, and goes on when some are free: raise LimitNOFILE= of the unit or ulimit -n");
}

static void look(void *arg)
{
    struct descriptor_watch *w = arg;
    if (!one_is_free()) {
        w->calm = 0;
        w->told = true;
        tell_none_free(w);
    } else if (w->told && ++w->calm == CALM) {
        w->told = false;
        health_set(w->health, "open-files", HEALTH_UP, NULL, NULL);
    }
    loop_timer_in(w->loop, &w->timer, LOOK_MS, look, w);
}

struct descriptor_watch *descriptor_watch_create(struct loop *l, struct health *h)
{
    struct descriptor_watch *w = calloc(1, sizeof *w);
    if (w == NULL)
        return NULL;
    w->loop = l;
    w->health = h;
    loop_timer_in(l, &w->timer, LOOK_MS, look, w);
    return w;
}

void descriptor_watch_destroy(struct descriptor_watch *w)
{
    if (w != NULL)
        loop_timer_clear(w->loop, &w->timer);
    free(w);
}
