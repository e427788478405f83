#include "common/net/service_manager.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { STATUS_EVERY_MS = 5000, STATUS_ROOM = 400 };

struct service_manager {
    struct loop *loop;
    const struct health *health;
    int fd; /* -1: nobody listens */
    struct sockaddr_un to;
    socklen_t to_n;
    int64_t sign_every_ms; /* 0: no watchdog */
    struct loop_timer sign, look;
    char status[STATUS_ROOM]; /* as it was told last */
};

/* A lost datagram is no reason to stop; what counts is told again. */
static void tell(struct service_manager *s, const char *lines)
{
    if (s->fd >= 0)
        (void)sendto(s->fd, lines, strlen(lines), MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&s->to, s->to_n);
}

/* NOTIFY_SOCKET: a path, or with @ an abstract name. */
static void find_listener(struct service_manager *s)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t n = path == NULL ? 0 : strlen(path);
    s->fd = -1;
    if (n < 2 || n >= sizeof s->to.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    s->to.sun_family = AF_UNIX;
    memcpy(s->to.sun_path, path, n);
    if (path[0] == '@')
        s->to.sun_path[0] = '\0';
    s->to_n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (path[0] == '/'));
    s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Twice in the time that the watchdog allows, as sd_watchdog_enabled(3) recommends. */
static void find_watchdog(struct service_manager *s)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    long long allowed = usec == NULL ? 0 : strtoll(usec, NULL, 10);
    if (allowed <= 0 || (pid != NULL && strtoll(pid, NULL, 10) != (long long)getpid()))
        return;
    s->sign_every_ms = allowed / 2000 > 0 ? allowed / 2000 : 1;
}

static void give_sign(void *arg)
{
    struct service_manager *s = arg;
    tell(s, "WATCHDOG=1");
    loop_timer_in(s->loop, &s->sign, s->sign_every_ms, give_sign, s);
}

static void look(void *arg)
{
    struct service_manager *s = arg;
    char now[STATUS_ROOM], lines[STATUS_ROOM + 16];
    health_summary(s->health, now, sizeof now);
    if (strcmp(now, s->status) != 0) {
        memcpy(s->status, now, sizeof now);
        (void)snprintf(lines, sizeof lines, "STATUS=%s", now);
        tell(s, lines);
    }
    loop_timer_in(s->loop, &s->look, STATUS_EVERY_MS, look, s);
}

enum rc service_manager_create(struct loop *l, const struct health *h, struct service_manager **out, struct err *e)
{
    struct service_manager *s = calloc(1, sizeof *s);
    if (s == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    s->loop = l;
    s->health = h;
    find_listener(s);
    if (s->fd >= 0)
        find_watchdog(s);
    *out = s;
    return RC_OK;
}

void service_manager_ready(struct service_manager *s)
{
    if (s->fd < 0)
        return;
    tell(s, "READY=1");
    if (s->sign_every_ms > 0 && !s->sign.armed)
        give_sign(s);
    if (!s->look.armed)
        look(s);
}

void service_manager_reloading(struct service_manager *s)
{
    char lines[80];
    int n = snprintf(lines, sizeof lines, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)loop_now(s->loop) * 1000);
    if (n > 0 && n < (int)sizeof lines)
        tell(s, lines);
}

void service_manager_stopping(struct service_manager *s)
{
    loop_timer_clear(s->loop, &s->look);
    tell(s, "STOPPING=1\nSTATUS=finishes what is under way");
}

void service_manager_destroy(struct service_manager *s)
{
    if (s == NULL)
        return;
    loop_timer_clear(s->loop, &s->sign);
    loop_timer_clear(s->loop, &s->look);
    if (s->fd >= 0)
        (void)close(s->fd);
    free(s);
}
