/* An ERP that does nothing but take its time, for benchmarks: answers each POST with a document after a delay, uniform between two bounds, on any number of
 * connections. It watches what it is promised: never two loads of one order at a time, and never an older publication after a newer one.
 * Usage: bench-erp LOW_US HIGH_US. Prints its port; for each line on standard input: loads, milliseconds from the first request to the last answer,
 * milliseconds of work, most at once, violations. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM 0
#include <uthash.h>

enum { CONNECTIONS = 8192, REQUEST = 256 * 1024, KEY = 200 };

struct order {
    UT_hash_handle hh;
    long long publication;
    unsigned flying;
    char key[KEY];
};

struct connection {
    int fd;
    size_t n;
    char *request;
    struct order *order; /* being worked on */
    int64_t due;         /* us; in the heap */
    long long publication;
};

static struct connection *heap[CONNECTIONS];
static size_t heap_n;
static struct order *orders;
static int epoll, timer;
static uint64_t dice_state = 88172645463325252u;
static long low_us, high_us;
static long long loads, violations, work_us, most;
static int64_t first_at = -1, last_at;

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static long dice(long sides)
{
    dice_state ^= dice_state << 13;
    dice_state ^= dice_state >> 7;
    dice_state ^= dice_state << 17;
    return (long)(dice_state % (uint64_t)sides);
}

static void swap(size_t a, size_t b)
{
    struct connection *c = heap[a];
    heap[a] = heap[b];
    heap[b] = c;
}

static void heap_put(struct connection *c)
{
    size_t i = heap_n++;
    heap[i] = c;
    for (; i > 0 && heap[(i - 1) / 2]->due > heap[i]->due; i = (i - 1) / 2)
        swap(i, (i - 1) / 2);
}

static struct connection *heap_take(void)
{
    struct connection *c = heap[0];
    heap[0] = heap[--heap_n];
    for (size_t i = 0, child; (child = 2 * i + 1) < heap_n; i = child) {
        if (child + 1 < heap_n && heap[child + 1]->due < heap[child]->due)
            child++;
        if (heap[i]->due <= heap[child]->due)
            break;
        swap(i, child);
    }
    return c;
}

static void arm(void)
{
    static int64_t armed;
    int64_t at = heap_n > 0 ? heap[0]->due : 0;
    if (at == armed)
        return;
    armed = at;
    struct itimerspec t = {.it_value = {at / 1000000, at % 1000000 * 1000}};
    (void)timerfd_settime(timer, TFD_TIMER_ABSTIME, &t, NULL);
}

static void answer(struct connection *c)
{
    static const char reply[] = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 18\r\n\r\n{\"DocumentId\":\"1\"}";
    c->order->flying--;
    c->order = NULL;
    c->n = 0;
    loads++;
    last_at = now_us();
    if (write(c->fd, reply, sizeof reply - 1) != (ssize_t)sizeof reply - 1)
        violations++;
}

static void begin(struct connection *c, const char *key)
{
    char name[KEY];
    size_t n = strcspn(key, "\r\n");
    const char *slash = key + n;
    while (slash > key && *slash != '/')
        slash--;
    n = (size_t)(slash - key) < KEY - 1 ? (size_t)(slash - key) : KEY - 1;
    memcpy(name, key, n);
    name[n] = '\0';
    long long publication = atoll(slash + 1);
    HASH_FIND(hh, orders, name, n, c->order);
    if (c->order == NULL) {
        c->order = calloc(1, sizeof *c->order);
        memcpy(c->order->key, name, n);
        HASH_ADD_KEYPTR(hh, orders, c->order->key, n, c->order);
    }
    violations += c->order->flying++ > 0;
    violations += publication < c->order->publication;
    c->order->publication = publication;
    int64_t now = now_us();
    long work = low_us + (high_us > low_us ? dice(high_us - low_us) : 0);
    if (first_at < 0)
        first_at = now;
    work_us += work;
    c->due = now + work;
    if (work == 0)
        answer(c);
    else
        heap_put(c);
    if ((long long)heap_n > most)
        most = (long long)heap_n;
}

/* A whole request is there when its head and its Content-Length are. */
static void look(struct connection *c)
{
    c->request[c->n] = '\0';
    char *end = strstr(c->request, "\r\n\r\n");
    if (end == NULL)
        return;
    char *length = strcasestr(c->request, "\r\nContent-Length:"), *key = strcasestr(c->request, "\r\nIdempotency-Key: ");
    size_t body = length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0;
    if (c->n < (size_t)(end + 4 - c->request) + body)
        return;
    begin(c, key != NULL ? key + 19 : "none/0");
}

static void readable(struct connection *c)
{
    ssize_t n = read(c->fd, c->request + c->n, REQUEST - 1 - c->n);
    if (n <= 0 && (n == 0 || errno != EAGAIN)) {
        (void)close(c->fd); /* its struct stays: there are few */
        return;
    }
    c->n += n > 0 ? (size_t)n : 0;
    if (c->order == NULL)
        look(c);
}

static void accept_one(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK), on = 1;
    if (fd < 0)
        return;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct connection *c = calloc(1, sizeof *c);
    c->fd = fd;
    c->request = malloc(REQUEST);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    (void)epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
}

static int say(void)
{
    char line[100];
    if (read(0, line, sizeof line) <= 0)
        return 0;
    printf("%lld %.1f %.1f %lld %lld\n", loads, (double)(last_at - first_at) / 1000, (double)work_us / 1000, most, violations);
    (void)fflush(stdout);
    return 1;
}

int main(int argc, char **argv)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (argc != 3 || bind(listener, (struct sockaddr *)&a, sizeof a) != 0 || listen(listener, 4096) != 0 || getsockname(listener, (struct sockaddr *)&a, &n) != 0)
        return 2;
    low_us = atol(argv[1]);
    high_us = atol(argv[2]);
    epoll = epoll_create1(0);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    int *const fixed[] = {&listener, &timer, &(int){0}};
    for (size_t i = 0; i < 3; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = fixed[i]};
        (void)epoll_ctl(epoll, EPOLL_CTL_ADD, *fixed[i], &e);
    }
    printf("%d\n", ntohs(a.sin_port));
    (void)fflush(stdout);
    for (;;) {
        struct epoll_event events[256];
        uint64_t ticks;
        int got = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < got; i++) {
            void *p = events[i].data.ptr;
            if (p == fixed[0])
                accept_one(listener);
            else if (p == fixed[2]) {
                if (say() == 0)
                    return 0;
            } else if (p == fixed[1])
                (void)!read(timer, &ticks, sizeof ticks);
            else
                readable(p);
        }
        while (heap_n > 0 && heap[0]->due <= now_us())
            answer(heap_take());
        arm();
    }
}
