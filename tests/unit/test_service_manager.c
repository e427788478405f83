#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/net/service_manager.h"

struct world {
    int64_t skipped_ms;
    struct clock clock;
    struct loop *loop;
    struct health *health;
    struct service_manager *manager;
    char path[64];
    int listener;
};

static int64_t mono(void *arg)
{
    struct world *w = arg;
    return clock_mono(clock_system()) + w->skipped_ms;
}

static int64_t wall(void *arg)
{
    (void)arg;
    return clock_wall(clock_system());
}

static int setup(void **state)
{
    static struct world w;
    struct err e;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    memset(&w, 0, sizeof w);
    w.clock = (struct clock){wall, mono, &w};
    (void)snprintf(w.path, sizeof w.path, "/tmp/test_service_manager.%d", (int)getpid());
    memcpy(at.sun_path, w.path, strlen(w.path));
    w.listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    w.loop = loop_create(&w.clock, &e);
    w.health = health_create(&w.clock, NULL);
    *state = &w;
    return w.loop != NULL && w.health != NULL && bind(w.listener, (struct sockaddr *)&at, sizeof at) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    struct world *w = *state;
    service_manager_destroy(w->manager);
    health_destroy(w->health);
    loop_destroy(w->loop);
    (void)close(w->listener);
    (void)unlink(w->path);
    return unsetenv("NOTIFY_SOCKET") | unsetenv("WATCHDOG_USEC") | unsetenv("WATCHDOG_PID");
}

static void begin(struct world *w, const char *watchdog_usec, const char *watchdog_pid)
{
    struct err e;
    assert_int_equal(setenv("NOTIFY_SOCKET", w->path, 1), 0);
    if (watchdog_usec != NULL)
        assert_int_equal(setenv("WATCHDOG_USEC", watchdog_usec, 1), 0);
    if (watchdog_pid != NULL)
        assert_int_equal(setenv("WATCHDOG_PID", watchdog_pid, 1), 0);
    assert_int_equal(service_manager_create(w->loop, w->health, &w->manager, &e), RC_OK);
}

/* What came, one datagram after the other, each in brackets. */
static const char *heard(struct world *w)
{
    static char all[4000];
    size_t n = 0;
    for (;;) {
        ssize_t got = recv(w->listener, all + n + 1, sizeof all - n - 3, 0);
        if (got < 0)
            break;
        all[n] = '[';
        all[n + 1 + (size_t)got] = ']';
        n += 2 + (size_t)got;
    }
    all[n] = '\0';
    return all;
}

static void it_hears_of_the_beginning_reloads_and_the_end(void **state)
{
    struct world *w = *state;
    begin(w, NULL, NULL);
    assert_string_equal(heard(w), "");
    service_manager_ready(w->manager);
    assert_string_equal(heard(w), "[READY=1][STATUS=ready]");
    service_manager_reloading(w->manager);
    service_manager_ready(w->manager);
    const char *text = heard(w);
    assert_ptr_equal(strstr(text, "[RELOADING=1\nMONOTONIC_USEC="), text);
    assert_non_null(strstr(text, "][READY=1]"));
    service_manager_stopping(w->manager);
    assert_string_equal(heard(w), "[STOPPING=1\nSTATUS=finishes what is under way]");
}

static void the_status_line_follows_the_dependencies(void **state)
{
    struct world *w = *state;
    health_set(w->health, "kafka", HEALTH_UP, NULL, NULL);
    health_set(w->health, "erp", HEALTH_DOWN, "HTTP 503\nWATCHDOG=1", "tries one order in 4 s");
    begin(w, NULL, NULL);
    service_manager_ready(w->manager);
    assert_string_equal(heard(w), "[READY=1][STATUS=not ready: erp is down: HTTP 503 WATCHDOG=1; tries one order in 4 s]");
    w->skipped_ms += 5000;
    loop_turn(w->loop, 0);
    assert_string_equal(heard(w), ""); /* nothing new */
    health_set(w->health, "erp", HEALTH_UP, NULL, NULL);
    w->skipped_ms += 5000;
    loop_turn(w->loop, 0);
    assert_string_equal(heard(w), "[STATUS=ready]");
}

static void signs_of_life_come_twice_in_the_time_allowed_while_the_loop_turns(void **state)
{
    struct world *w = *state;
    begin(w, "30000000", NULL);
    service_manager_ready(w->manager);
    assert_string_equal(heard(w), "[READY=1][WATCHDOG=1][STATUS=ready]");
    for (int i = 0; i < 3; i++) {
        w->skipped_ms += 15000;
        assert_string_equal(heard(w), ""); /* the loop stands */
        loop_turn(w->loop, 0);
        assert_string_equal(heard(w), "[WATCHDOG=1]");
    }
}

static void a_watchdog_of_another_process_is_left_to_it(void **state)
{
    struct world *w = *state;
    begin(w, "30000000", "1");
    service_manager_ready(w->manager);
    assert_string_equal(heard(w), "[READY=1][STATUS=ready]");
}

static void where_nobody_listens_nothing_happens(void **state)
{
    struct world *w = *state;
    struct err e;
    static const char *const wrong[] = {"", "relative/name", "/nonexistent/socket"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(setenv("NOTIFY_SOCKET", wrong[i], 1), 0);
        assert_int_equal(service_manager_create(w->loop, w->health, &w->manager, &e), RC_OK);
        service_manager_ready(w->manager);
        service_manager_reloading(w->manager);
        service_manager_stopping(w->manager);
        service_manager_destroy(w->manager);
        w->manager = NULL;
    }
    assert_string_equal(heard(w), "");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(it_hears_of_the_beginning_reloads_and_the_end),
        TEST(the_status_line_follows_the_dependencies),
        TEST(signs_of_life_come_twice_in_the_time_allowed_while_the_loop_turns),
        TEST(a_watchdog_of_another_process_is_left_to_it),
        TEST(where_nobody_listens_nothing_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
