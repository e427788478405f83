#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/net/web_site.h"
#include "tests/unit/no_descriptors.h"
#include "tests/unit/scripted_server.h"

/* Through the server that the door was made for. */
struct world {
    struct loop *loop;
    struct web_site *site;
    struct err e;
};

static const char *no_token(void *arg)
{
    (void)arg;
    return "";
}

static unsigned print(void *arg, const struct web_request *r, struct buf *out)
{
    (void)arg;
    (void)r;
    buf_put_text(out, "a page");
    return 200;
}

static const struct web_page page = {"/", "text/plain", print};

static int setup(void **state)
{
    static struct world w;
    memset(&w, 0, sizeof w);
    struct web_site_desc d = {.address = "127.0.0.1", .token = no_token, .pages = &page, .pages_n = 1};
    *state = &w;
    w.loop = loop_create(NULL, &w.e);
    return w.loop != NULL && web_site_create(w.loop, &d, &w.site, &w.e) == RC_OK ? 0 : -1;
}

static int teardown(void **state)
{
    struct world *w = *state;
    web_site_destroy(w->site);
    loop_destroy(w->loop);
    return 0;
}

enum { TURN_MS = 20 };

/* Did the turns take their time? Who spins has thousands that take none. */
static bool turn_for(struct world *w, int64_t ms)
{
    int64_t began = clock_mono(clock_system()), now = began, turns = 0;
    for (; now < began + ms; now = clock_mono(clock_system()), turns++)
        loop_turn(w->loop, TURN_MS);
    return turns <= 10 + 2 * (now - began) / TURN_MS;
}

static void a_process_without_free_descriptors_answers_one_browser_at_a_time_and_does_not_spin(void **state)
{
    struct world *w = *state;
    struct no_descriptors none;
    char reply[2000];
    int fds[2] = {socket(AF_INET, SOCK_STREAM, 0), socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)web_site_port(w->site)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    no_descriptors_begin(&none);
    assert_int_equal(connect(fds[0], (struct sockaddr *)&at, sizeof at), 0); /* asks nothing and stays */
    (void)turn_for(w, 300);
    (void)connect(fds[1], (struct sockaddr *)&at, sizeof at); /* has to wait */
    (void)turn_for(w, 50);
    script_send(fds[1], "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_true(turn_for(w, 1000));
    assert_int_equal(recv(fds[1], reply, sizeof reply, 0), -1);
    assert_int_equal(shutdown(fds[0], SHUT_RDWR), 0); /* not closed: that would give a descriptor to this process */
    for (int64_t end = clock_mono(clock_system()) + 20000; recv(fds[1], reply, sizeof reply, 0) <= 0;) {
        assert_true(clock_mono(clock_system()) < end);
        loop_turn(w->loop, 20);
    }
    (void)close(fds[0]);
    (void)close(fds[1]);
    no_descriptors_end(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_process_without_free_descriptors_answers_one_browser_at_a_time_and_does_not_spin, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
