#include "common/net/curl_drive.h"

#include <errno.h>
#include <stddef.h>

#include "common/base/clock.h"

/* In the event's data: the socket above a bit that no aligned pointer has. */
static uint64_t mark_of(curl_socket_t fd)
{
    return (uint64_t)(unsigned)fd << 1 | 1;
}

static uint32_t events_of(int what)
{
    return (what == CURL_POLL_IN || what == CURL_POLL_INOUT ? EPOLLIN : 0) | (what == CURL_POLL_OUT || what == CURL_POLL_INOUT ? EPOLLOUT : 0);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
    struct curl_drive *d = arg;
    struct epoll_event event = {.events = events_of(what), .data.u64 = mark_of(fd)};
    (void)easy;
    (void)known;
    if (what == CURL_POLL_REMOVE) {
        (void)epoll_ctl(d->epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* fails when it was closed first, which removes it as well */
        return 0;
    }
    if (epoll_ctl(d->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0 && (errno != EEXIST || epoll_ctl(d->epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0))
        d->deaf = true; /* no memory */
    return 0;
}

static int on_timer(CURLM *multi, long wait_ms, void *arg)
{
    struct curl_drive *d = arg;
    (void)multi;
    d->due = wait_ms < 0 ? INT64_MAX : clock_mono(clock_system()) + wait_ms;
    return 0;
}

bool curl_drive_init(struct curl_drive *d, int epoll_fd)
{
    d->epoll_fd = epoll_fd;
    d->due = INT64_MAX;
    d->multi = curl_multi_init();
    return d->multi != NULL && curl_multi_setopt(d->multi, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
           curl_multi_setopt(d->multi, CURLMOPT_SOCKETDATA, d) == CURLM_OK && curl_multi_setopt(d->multi, CURLMOPT_TIMERFUNCTION, on_timer) == CURLM_OK &&
           curl_multi_setopt(d->multi, CURLMOPT_TIMERDATA, d) == CURLM_OK;
}

void curl_drive_release(struct curl_drive *d)
{
    if (d->multi != NULL)
        (void)curl_multi_cleanup(d->multi); /* fails on a bad handle only */
    d->multi = NULL;
    open_sockets_release(&d->sockets);
}

bool curl_drive_event(struct curl_drive *d, const struct epoll_event *event)
{
    int running = 0, bits = 0; /* 0: libcurl looks itself */
    if ((event->data.u64 & 1) == 0)
        return false;
    if ((event->events & (EPOLLERR | EPOLLHUP)) == 0)
        bits = ((event->events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) | ((event->events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0);
    (void)curl_multi_socket_action(d->multi, (curl_socket_t)(event->data.u64 >> 1), bits, &running); /* a transfer's failure comes as its message */
    return true;
}

void curl_drive_time(struct curl_drive *d, int64_t real_now)
{
    int running = 0;
    long wait_ms = -1;
    if (real_now < d->due)
        return;
    (void)curl_multi_socket_action(d->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    (void)curl_multi_timeout(d->multi, &wait_ms); /* on_timer is not called when we came too early by a part of a millisecond */
    (void)on_timer(d->multi, wait_ms, d);
}

void curl_drive_glance(struct curl_drive *d)
{
    int running = 0;
    if (d->deaf)
        (void)curl_multi_perform(d->multi, &running);
}
