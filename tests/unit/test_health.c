#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "common/net/health.h"

static int64_t now = 1795474800000;

static int64_t test_now(void *arg)
{
    (void)arg;
    return now;
}

static const struct clock test_clock = {test_now, test_now, NULL};

static json_t *printed(const struct health *h)
{
    struct buf b;
    buf_init(&b, 65536);
    health_print(h, &b);
    json_t *root = json_loads(buf_text(&b), JSON_REJECT_DUPLICATES, NULL);
    buf_release(&b);
    assert_non_null(root);
    return root;
}

static const char *field(json_t *root, const char *name, const char *key)
{
    return json_string_value(json_object_get(json_object_get(json_object_get(root, "dependencies"), name), key));
}

static void ready_means_that_every_dependency_is_up(void **state)
{
    (void)state;
    struct health *h = health_create(&test_clock, NULL);
    assert_true(health_ready(h));
    health_set(h, "kafka", HEALTH_UNKNOWN, NULL, NULL);
    assert_false(health_ready(h));
    health_set(h, "kafka", HEALTH_UP, NULL, NULL);
    health_set(h, "erp", HEALTH_DOWN, "HTTP 503", "tries again");
    assert_false(health_ready(h));
    health_set(h, "erp", HEALTH_UP, NULL, NULL);
    assert_true(health_ready(h));
    health_set(NULL, "erp", HEALTH_UP, NULL, NULL);
    health_destroy(h);
}

static void the_page_names_state_since_error_and_what_is_done(void **state)
{
    (void)state;
    struct health *h = health_create(&test_clock, NULL);
    health_set(h, "erp", HEALTH_DOWN, "first \"quoted\"\n\\", "waits");
    now += 1000;
    health_set(h, "erp", HEALTH_DOWN, "second", "tries again in 4 s"); /* the same state: since stays */
    json_t *root = printed(h);
    assert_true(json_is_false(json_object_get(root, "ready")));
    assert_string_equal(field(root, "erp", "state"), "down");
    assert_string_equal(field(root, "erp", "since"), "2026-11-23T23:00:00.000Z");
    assert_string_equal(field(root, "erp", "error"), "second");
    assert_string_equal(field(root, "erp", "doing"), "tries again in 4 s");
    json_decref(root);
    health_set(h, "erp", HEALTH_DOWN, "a \"q\" \n \\ \x01 \xff rest", NULL);
    root = printed(h);
    assert_string_equal(field(root, "erp", "error"), "a \"q\" \n \\ \x01 ");
    json_decref(root);
    health_set(h, "erp", HEALTH_UP, NULL, NULL);
    root = printed(h);
    assert_string_equal(field(root, "erp", "since"), "2026-11-23T23:00:01.000Z");
    assert_null(field(root, "erp", "error"));
    json_decref(root);
    health_destroy(h);
    now -= 1000;
}

static void the_time_to_the_next_try_is_what_is_left_of_it_when_somebody_asks(void **state)
{
    (void)state;
    char line[200];
    struct health *h = health_create(&test_clock, NULL);
    health_retry(h, "erp", "HTTP 503", "tries again", 51000);
    static const struct {
        int64_t later;
        const char *doing;
    } asked[] = {{0, "tries again in 51 s"}, {1, "tries again in 51 s"}, {1000, "tries again in 50 s"}, {50500, "tries again in 1 s"}, {51000, "tries again now"}, {90000, "tries again now"}};
    int64_t began = now;
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        now = began + asked[i].later;
        json_t *root = printed(h);
        assert_string_equal(field(root, "erp", "doing"), asked[i].doing);
        assert_string_equal(field(root, "erp", "since"), "2026-11-23T23:00:00.000Z");
        health_summary(h, line, sizeof line);
        assert_non_null(strstr(line, asked[i].doing));
        json_decref(root);
    }
    health_set(h, "erp", HEALTH_DOWN, "HTTP 401", "needs another password");
    json_t *root = printed(h);
    assert_string_equal(field(root, "erp", "doing"), "needs another password");
    json_decref(root);
    health_destroy(h);
    now = began;
}

static void long_words_are_cut_and_a_17th_dependency_is_dropped(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q"};
    struct health *h = health_create(&test_clock, NULL);
    char words[1001];
    memset(words, 0, sizeof words);
    for (size_t i = 0; i + 2 < sizeof words; i += 2)
        memcpy(words + i, "\xC5\xBC", 2);
    for (size_t i = 0; i < 17; i++)
        health_set(h, names[i], HEALTH_DOWN, words + 0, words);
    json_t *root = printed(h);
    assert_int_equal(json_object_size(json_object_get(root, "dependencies")), 16);
    assert_in_range(strlen(field(root, "a", "error")), 290, 300);
    json_decref(root);
    health_destroy(h);
}

static void a_change_of_state_is_logged_once(void **state)
{
    (void)state;
    FILE *file = tmpfile();
    assert_non_null(file);
    struct log *log = log_create("tester", fileno(file), &test_clock);
    struct health *h = health_create(&test_clock, log);
    health_set(h, "kafka", HEALTH_DOWN, "no broker", "tries again");
    health_set(h, "kafka", HEALTH_DOWN, "no broker still", "tries again");
    health_set(h, "kafka", HEALTH_UP, NULL, NULL);
    health_set(h, "kafka", HEALTH_UP, NULL, NULL);
    health_destroy(h);
    log_destroy(log);
    char text[4096];
    ssize_t n = pread(fileno(file), text, sizeof text - 1, 0);
    assert_true(n > 0);
    text[n] = '\0';
    assert_string_equal(text, "2026-11-23T23:00:00.000Z warn health: dependency changed dependency=kafka state=down "
                              "why=\"no broker\" doing=\"tries again\"\n"
                              "2026-11-23T23:00:00.000Z info health: dependency changed dependency=kafka state=up\n");
    assert_int_equal(fclose(file), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ready_means_that_every_dependency_is_up),
        cmocka_unit_test(the_page_names_state_since_error_and_what_is_done),
        cmocka_unit_test(the_time_to_the_next_try_is_what_is_left_of_it_when_somebody_asks),
        cmocka_unit_test(long_words_are_cut_and_a_17th_dependency_is_dropped),
        cmocka_unit_test(a_change_of_state_is_logged_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
