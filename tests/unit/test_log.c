#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "common/base/log.h"
#include "common/base/utf8.h"

struct bench {
    struct clock clock;
    int64_t now;
    FILE *file;
    struct log *log;
    char text[256 * 1024];
};

static int64_t bench_now(void *arg)
{
    return ((struct bench *)arg)->now;
}

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    if (b == NULL || (b->file = tmpfile()) == NULL)
        return -1;
    b->clock = (struct clock){bench_now, bench_now, b};
    b->now = 1795474800123; /* 2026-11-23T23:00:00.123Z */
    b->log = log_create("tester", fileno(b->file), &b->clock);
    *state = b;
    return b->log == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    log_destroy(b->log);
    int failed = fclose(b->file);
    free(b);
    return failed;
}

/* Everything written since the last call. */
static const char *written(struct bench *b)
{
    off_t end = lseek(fileno(b->file), 0, SEEK_END);
    assert_in_range(end, 0, sizeof b->text - 1);
    assert_int_equal(pread(fileno(b->file), b->text, (size_t)end, 0), end);
    b->text[end] = '\0';
    assert_int_equal(ftruncate(fileno(b->file), 0), 0);
    assert_int_equal(lseek(fileno(b->file), 0, SEEK_SET), 0);
    return b->text;
}

static void a_line_says_when_how_bad_who_which_order_and_what(void **state)
{
    struct bench *b = *state;
    log_event(b->log, LOG_WARN, "poll", "acme/7", "page failed", LOG_I("page", 3), LOG_S("why", "HTTP 503"), LOG_S("x", "a"));
    assert_string_equal(written(b), "2026-11-23T23:00:00.123Z warn poll acme/7: page failed page=3 why=\"HTTP 503\" x=a\n");
}

static void a_line_below_the_level_is_not_written(void **state)
{
    struct bench *b = *state;
    assert_false(log_enabled(b->log, LOG_DEBUG));
    log_event(b->log, LOG_DEBUG, "poll", NULL, "turn", LOG_I("n", 1));
    assert_string_equal(written(b), "");
    log_set(b->log, LOG_DEBUG, LOG_FORMAT_TEXT);
    log_event(b->log, LOG_DEBUG, "poll", NULL, "turn", LOG_I("n", 1));
    assert_non_null(strstr(written(b), " debug poll: turn n=1\n"));
    log_event(NULL, LOG_ERROR, "poll", NULL, "turn", LOG_I("n", 1));
}

static void control_characters_cannot_forge_a_line(void **state)
{
    struct bench *b = *state;
    log_event(b->log, LOG_INFO, "x", NULL, "t\n2026 error fake: line",
              LOG_S("v", "a\r\nb\x1b[31m\x7f\xc2\x9b \xe2\x80\xa8 \xff \"q\" \\ ż"));
    const char *text = written(b);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    assert_non_null(strstr(text, "t\\n2026 error fake: line"));
    assert_non_null(strstr(text, "v=\"a\\r\\nb\\x1b[31m\\x7f\\xc2\\x9b \\xe2\\x80\\xa8 \\xff \\\"q\\\" \\\\ ż\""));
}

static void values_that_could_be_mistaken_are_quoted(void **state)
{
    struct bench *b = *state;
    log_event(b->log, LOG_INFO, "x", NULL, "t", LOG_S("a", ""), LOG_S("b", "x=y"), LOG_S("c", "plain/1"), LOG_S("d", NULL));
    assert_non_null(strstr(written(b), "t a=\"\" b=\"x=y\" c=plain/1 d=\"\"\n"));
}

static void json_lines_are_json_whatever_is_in_them(void **state)
{
    struct bench *b = *state;
    log_set(b->log, LOG_INFO, LOG_FORMAT_JSON);
    for (unsigned seed = 1; seed < 300; seed++) {
        char value[2000], order[40];
        unsigned x = seed;
        size_t n = seed * 6;
        for (size_t i = 0; i < n; i++)
            value[i] = (char)((x = x * 1103515245u + 12345u) >> 16 & 0xFF ? (x >> 16 & 0xFF) : 'z');
        value[n] = '\0';
        (void)snprintf(order, sizeof order, "acme/%u", seed);
        log_fact(b->log, LOG_INFO, "x", order, value, LOG_S("v", value), LOG_I("n", INT64_MIN), LOG_S("text", "t"));
        const char *text = written(b);
        assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
        json_error_t error;
        json_t *line = json_loads(text, JSON_REJECT_DUPLICATES, &error);
        if (line == NULL)
            fail_msg("%s: %s", error.text, text);
        assert_string_equal(json_string_value(json_object_get(line, "program")), "tester");
        assert_string_equal(json_string_value(json_object_get(line, "order")), order);
        assert_string_equal(json_string_value(json_object_get(line, "text_")), "t");
        assert_true(json_integer_value(json_object_get(line, "n")) == INT64_MIN);
        json_decref(line);
    }
}

static void a_line_that_is_too_long_is_cut_and_stays_whole(void **state)
{
    struct bench *b = *state;
    char value[5000];
    struct log_field fields[60];
    memset(value, 1, sizeof value - 1);
    value[sizeof value - 1] = '\0';
    for (size_t i = 0; i < 60; i++)
        fields[i] = (struct log_field){"v", value, 0};
    log_set(b->log, LOG_INFO, LOG_FORMAT_JSON);
    log_write_unfolded(b->log, LOG_INFO, "x", NULL, "t", fields, 60);
    const char *text = written(b);
    assert_in_range(strlen(text), 1000, 16 * 1024);
    json_t *line = json_loads(text, 0, NULL);
    assert_non_null(line);
    assert_true(json_is_true(json_object_get(line, "cut")));
    json_decref(line);
    memset(value, 0, sizeof value);
    for (size_t i = 0; i + 3 < sizeof value; i += 2)
        memcpy(value + i, "\xC5\xBC", 3);
    log_set(b->log, LOG_INFO, LOG_FORMAT_TEXT);
    log_event(b->log, LOG_INFO, "x", NULL, "a", LOG_S("v", value + 1), LOG_S("w", value));
    text = written(b);
    assert_int_equal(utf8_check(text, strlen(text)), strlen(text));
    assert_non_null(strstr(text, "\xC5\xBC..."));
}

static void repeats_are_folded_and_counted(void **state)
{
    struct bench *b = *state;
    for (int i = 0; i < 100; i++, b->now += 50)
        log_event(b->log, LOG_WARN, "poll", NULL, "page failed", LOG_I("page", i));
    assert_non_null(strstr(written(b), "page failed page=0\n"));
    log_event(b->log, LOG_WARN, "poll", NULL, "other", LOG_I("page", 1));
    log_event(b->log, LOG_ERROR, "poll", NULL, "page failed", LOG_I("page", 2));
    log_event(b->log, LOG_WARN, "push", NULL, "page failed", LOG_I("page", 3));
    const char *text = written(b);
    assert_non_null(strstr(text, "other page=1\n"));
    assert_non_null(strstr(text, "error poll: page failed page=2\n"));
    assert_non_null(strstr(text, "warn push: page failed page=3\n"));
    b->now += 4999;
    log_event(b->log, LOG_WARN, "poll", NULL, "page failed", LOG_I("page", 4));
    assert_string_equal(written(b), "");
    b->now += 1;
    log_event(b->log, LOG_WARN, "poll", NULL, "page failed", LOG_I("page", 5));
    assert_non_null(strstr(written(b), "page failed page=5 repeated=100\n"));
}

static void facts_are_never_folded(void **state)
{
    struct bench *b = *state;
    log_fact(b->log, LOG_INFO, "x", NULL, "imported", LOG_I("n", 1));
    log_fact(b->log, LOG_INFO, "x", NULL, "imported", LOG_I("n", 2));
    const char *text = written(b);
    assert_non_null(strstr(text, "n=1\n"));
    assert_non_null(strstr(text, "n=2\n"));
}

static void a_count_is_not_lost_when_its_row_or_the_log_goes(void **state)
{
    struct bench *b = *state;
    char name[32];
    log_event(b->log, LOG_WARN, "x", NULL, "first", LOG_I("n", 1));
    log_event(b->log, LOG_WARN, "x", NULL, "first", LOG_I("n", 2));
    for (int i = 0; i < 64; i++) {
        b->now++;
        (void)snprintf(name, sizeof name, "filler %d", i);
        log_event(b->log, LOG_WARN, "x", NULL, name, LOG_I("n", i));
    }
    assert_non_null(strstr(written(b), "warn x: first repeated=1\n"));
    log_event(b->log, LOG_WARN, "x", NULL, "filler 63", LOG_I("n", 1));
    log_destroy(b->log);
    b->log = NULL;
    assert_non_null(strstr(written(b), "warn x: filler 63 repeated=1\n"));
}

static void journald_is_told_the_priority_of_each_line(void **state)
{
    struct bench *b = *state;
    struct stat status;
    char stream[64];
    assert_int_equal(fstat(fileno(b->file), &status), 0);
    (void)snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)status.st_dev, (unsigned long long)status.st_ino);
    assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
    struct log *l = log_create("tester", fileno(b->file), &b->clock);
    log_set(l, LOG_DEBUG, LOG_FORMAT_TEXT);
    log_event(l, LOG_ERROR, "a", NULL, "b", LOG_I("n", 1));
    log_event(l, LOG_DEBUG, "a", NULL, "c", LOG_I("n", 1));
    log_set(l, LOG_DEBUG, LOG_FORMAT_JSON);
    log_event(l, LOG_WARN, "a", NULL, "d", LOG_I("n", 1));
    const char *text = written(b);
    assert_ptr_equal(strstr(text, "<3>2026-11-23T23:00:00.123Z error a: b n=1\n<7>2026-"), text);
    assert_non_null(strstr(text, "\n<4>{\"time\":"));
    log_destroy(l);
    assert_int_equal(setenv("JOURNAL_STREAM", "1:1", 1), 0); /* standard error leads elsewhere */
    l = log_create("tester", fileno(b->file), &b->clock);
    log_event(l, LOG_ERROR, "a", NULL, "b", LOG_I("n", 1));
    text = written(b);
    assert_ptr_equal(strstr(text, "2026-"), text);
    log_destroy(l);
    assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
}

/* ---- a pipe that is not read */

/* Reads what is in the pipe, to at most room - 1 bytes. */
static size_t drain(int fd, char *out, size_t room)
{
    size_t n = 0;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (n < room - 1 && poll(&p, 1, 0) == 1) {
        ssize_t got = read(fd, out + n, room - 1 - n);
        assert_true(got > 0);
        n += (size_t)got;
    }
    out[n] = '\0';
    return n;
}

static size_t count(const char *text, const char *word)
{
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, word)) != NULL; p += strlen(word))
        n++;
    return n;
}

static void lines_that_nobody_reads_are_lost_whole_and_counted_and_hold_nobody_up(void **state)
{
    enum { LINES = 400, ROOM = 4 * 1024 * 1024 };
    struct bench *b = *state;
    int ends[2];
    char long_text[1000];
    char *got = malloc(ROOM);
    assert_non_null(got);
    memset(long_text, 'x', sizeof long_text);
    long_text[sizeof long_text - 1] = '\0';
    assert_int_equal(pipe(ends), 0);
    struct log *l = log_create("tester", ends[1], &b->clock);
    assert_non_null(l);
    for (int i = 0; i < LINES; i++) /* of 12 KB: a pipe takes 64 KB and less than a whole one at the end */
        log_fact(l, LOG_INFO, "c", NULL, "long", LOG_S("a", long_text), LOG_S("b", long_text), LOG_S("c", long_text), LOG_S("d", long_text), LOG_S("e", long_text),
                 LOG_S("f", long_text), LOG_S("g", long_text), LOG_S("h", long_text), LOG_S("i", long_text), LOG_S("j", long_text), LOG_S("k", long_text),
                 LOG_I("number", i));
    size_t n = drain(ends[0], got, ROOM);
    log_fact(l, LOG_INFO, "c", NULL, "after", LOG_I("number", 0)); /* writes the rest of the line that was cut first */
    n += drain(ends[0], got + n, ROOM - n);
    size_t whole = count(got, " number=") - 1;
    char told[100];
    (void)snprintf(told, sizeof told, "warn log: lines were lost because nobody read them lines=%zu\n", LINES - whole);
    assert_non_null(strstr(got, told));
    assert_in_range(whole, 4, LINES - 1);
    for (size_t i = 0; i < whole; i++) { /* the first ones, each as it was written */
        char end[64];
        (void)snprintf(end, sizeof end, " number=%zu\n", i);
        assert_non_null(strstr(got, end));
    }
    assert_int_equal(count(got, "\n"), whole + 2);
    assert_true(strstr(got, "after") > strstr(got, told));
    assert_int_equal(count(got, "info c: long"), whole);

    for (int i = 0; i < LINES; i++)
        log_fact(l, LOG_INFO, "c", NULL, "short", LOG_S("a", long_text));
    (void)drain(ends[0], got, ROOM);
    log_flush(l); /* no line comes any more */
    (void)drain(ends[0], got, ROOM);
    assert_int_equal(count(got, "lines were lost"), 1);

    assert_int_equal(close(ends[0]), 0); /* nobody is there at all: neither does that hold up */
    assert_true(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    for (int i = 0; i < LINES; i++)
        log_fact(l, LOG_INFO, "c", NULL, "short", LOG_S("a", long_text));
    log_destroy(l);
    assert_int_equal(close(ends[1]), 0);
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_says_when_how_bad_who_which_order_and_what, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_below_the_level_is_not_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(control_characters_cannot_forge_a_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(values_that_could_be_mistaken_are_quoted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(json_lines_are_json_whatever_is_in_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_that_is_too_long_is_cut_and_stays_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(repeats_are_folded_and_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(journald_is_told_the_priority_of_each_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(facts_are_never_folded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_count_is_not_lost_when_its_row_or_the_log_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lines_that_nobody_reads_are_lost_whole_and_counted_and_hold_nobody_up, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
