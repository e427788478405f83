#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "common/base/clock.h"
#include "common/net/acceptor.h"
#include "tests/unit/no_descriptors.h"

struct world {
    struct acceptor *acceptor;
    atomic_int looks, taken, last;
};

static bool room(void *arg)
{
    struct world *w = arg;
    atomic_fetch_add(&w->looks, 1); /* once for each try of the acceptor's */
    return true;
}

static void take(void *arg, int fd, const struct sockaddr *from, socklen_t from_n)
{
    struct world *w = arg;
    (void)from, (void)from_n;
    atomic_store(&w->last, fd);
    atomic_fetch_add(&w->taken, 1);
}

static const struct acceptor_ops ops = {room, take};

static struct sockaddr_in home(const struct world *w)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)(w->acceptor != NULL ? acceptor_port(w->acceptor) : 0)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int setup(void **state)
{
    static struct world w;
    struct err e;
    w = (struct world){0};
    struct sockaddr_in at = home(&w);
    struct addrinfo where = {.ai_family = AF_INET, .ai_addr = (struct sockaddr *)&at, .ai_addrlen = sizeof at};
    *state = &w;
    return acceptor_create(&where, &ops, &w, &w.acceptor, &e) == RC_OK ? 0 : -1;
}

static int teardown(void **state)
{
    acceptor_destroy(((struct world *)*state)->acceptor);
    return 0;
}

static void wait_taken(struct world *w, int n)
{
    int64_t end = clock_mono(clock_system()) + 20000;
    while (atomic_load(&w->taken) < n && clock_mono(clock_system()) < end)
        (void)usleep(1000);
    assert_int_equal(atomic_load(&w->taken), n);
}

static void without_free_descriptors_one_connection_is_taken_and_the_next_is_tried_for_now_and_then(void **state)
{
    struct world *w = *state;
    struct no_descriptors none;
    int fds[2] = {socket(AF_INET, SOCK_STREAM, 0), socket(AF_INET, SOCK_STREAM, 0)};
    struct sockaddr_in at = home(w);
    no_descriptors_begin(&none);
    for (int i = 0; i < 2; i++)
        assert_int_equal(connect(fds[i], (struct sockaddr *)&at, sizeof at), 0);
    wait_taken(w, 1); /* with the descriptor that was kept back */
    int64_t began = clock_mono(clock_system());
    int looks = atomic_load(&w->looks);
    (void)usleep(1000000);
    looks = atomic_load(&w->looks) - looks;
    assert_in_range(looks, 0, 10 + (clock_mono(clock_system()) - began) / 50); /* five times a second; who spins looks a thousand times as often */
    assert_int_equal(atomic_load(&w->taken), 1);
    (void)close(atomic_load(&w->last)); /* and the next one's turn comes */
    wait_taken(w, 2);
    (void)close(atomic_load(&w->last));
    no_descriptors_end(&none);
    for (int i = 0; i < 2; i++)
        (void)close(fds[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_free_descriptors_one_connection_is_taken_and_the_next_is_tried_for_now_and_then, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
