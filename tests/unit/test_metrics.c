#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/net/metrics.h"

enum { POLLS, OUTCOMES, OPEN, LOAD };

static const struct metric_row rows[] = {
    [POLLS] = {"xsale_bridge_polls_total", METRIC_COUNTER, NULL, "Polls, \\ and\nmore."},
    [OUTCOMES] = {"xsale_bridge_outcomes_total", METRIC_COUNTER, "result", "Outcomes."},
    [OPEN] = {"xsale_bridge_open_orders", METRIC_GAUGE, NULL, "Open orders."},
    [LOAD] = {"xsale_bridge_load_seconds", METRIC_HISTOGRAM, "warehouse", "Loads."},
};

static char *printed_as(const struct metrics *m, enum metrics_format format)
{
    struct buf b;
    buf_init(&b, 1024 * 1024);
    metrics_print(m, format, 0.25, &b);
    char *text = strdup(buf_text(&b));
    buf_release(&b);
    assert_non_null(text);
    return text;
}

static char *printed(const struct metrics *m)
{
    return printed_as(m, METRICS_PROMETHEUS);
}

static void assert_line(const char *text, const char *line)
{
    char whole[512];
    (void)snprintf(whole, sizeof whole, "\n%s\n", line);
    if (strstr(text, whole) == NULL)
        fail_msg("missing: %s\nin:\n%s", line, text);
}

static void counters_and_gauges_have_help_type_and_exact_numbers(void **state)
{
    (void)state;
    struct metrics *m = metrics_create("tester", rows, 4);
    metrics_add(m, POLLS, NULL, 1234567890);
    metrics_add(m, POLLS, NULL, 1);
    metrics_set(m, OPEN, NULL, 5);
    metrics_set(m, OPEN, NULL, 2.5);
    metrics_add(m, OUTCOMES, "a\"b\\c\nd", 1);
    metrics_add(NULL, POLLS, NULL, 1);
    metrics_add(m, 99, NULL, 1);
    char *text = printed(m);
    assert_ptr_equal(strstr(text, "# HELP xsale_bridge_polls_total Polls, \\\\ and\\nmore.\n"), text);
    assert_line(text, "# TYPE xsale_bridge_polls_total counter");
    assert_line(text, "xsale_bridge_polls_total 1234567891");
    assert_line(text, "# TYPE xsale_bridge_open_orders gauge");
    assert_line(text, "xsale_bridge_open_orders 2.5");
    assert_line(text, "xsale_bridge_outcomes_total{result=\"a\\\"b\\\\c\\nd\"} 1");
    free(text);
    metrics_destroy(m);
}

static void a_row_without_label_is_shown_before_its_first_count(void **state)
{
    (void)state;
    struct metrics *m = metrics_create("tester", rows, 4);
    char *text = printed(m);
    assert_line(text, "xsale_bridge_polls_total 0");
    assert_null(strstr(text, "\nxsale_bridge_outcomes_total{"));
    free(text);
    metrics_destroy(m);
}

static void histograms_are_cumulative(void **state)
{
    (void)state;
    struct metrics *m = metrics_create("tester", rows, 4);
    metrics_observe(m, LOAD, "MAG-1", 0.001);
    metrics_observe(m, LOAD, "MAG-1", 0.3);
    metrics_observe(m, LOAD, "MAG-1", 0.3);
    metrics_observe(m, LOAD, "MAG-1", 75);
    char *text = printed(m);
    assert_line(text, "# TYPE xsale_bridge_load_seconds histogram");
    assert_line(text, "xsale_bridge_load_seconds_bucket{warehouse=\"MAG-1\",le=\"0.001\"} 1");
    assert_line(text, "xsale_bridge_load_seconds_bucket{warehouse=\"MAG-1\",le=\"0.25\"} 1");
    assert_line(text, "xsale_bridge_load_seconds_bucket{warehouse=\"MAG-1\",le=\"0.5\"} 3");
    assert_line(text, "xsale_bridge_load_seconds_bucket{warehouse=\"MAG-1\",le=\"60\"} 3");
    assert_line(text, "xsale_bridge_load_seconds_bucket{warehouse=\"MAG-1\",le=\"+Inf\"} 4");
    assert_line(text, "xsale_bridge_load_seconds_count{warehouse=\"MAG-1\"} 4");
    assert_non_null(strstr(text, "xsale_bridge_load_seconds_sum{warehouse=\"MAG-1\"} 75.6"));
    free(text);
    metrics_destroy(m);
}

static void too_many_label_values_count_under_other(void **state)
{
    (void)state;
    struct metrics *m = metrics_create("tester", rows, 4);
    char label[200];
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(label, sizeof label, "value-%d", i);
        metrics_add(m, OUTCOMES, label, 1);
        metrics_add(m, OUTCOMES, label, 1);
    }
    char *text = printed(m);
    assert_line(text, "xsale_bridge_outcomes_total{result=\"value-255\"} 2");
    assert_line(text, "xsale_bridge_outcomes_total{result=\"other\"} 1488");
    assert_null(strstr(text, "value-256"));
    free(text);
    metrics_destroy(m);
}

static void a_long_label_value_is_one_series(void **state)
{
    (void)state;
    struct metrics *m = metrics_create("tester", rows, 4);
    char label[200];
    memset(label, 'x', sizeof label - 1);
    label[sizeof label - 1] = '\0';
    metrics_add(m, OUTCOMES, label, 1);
    metrics_add(m, OUTCOMES, label, 1);
    char *text = printed(m);
    assert_non_null(strstr(text, "x\"} 2\n"));
    free(text);
    metrics_destroy(m);
}

static void the_process_and_its_build_are_shown(void **state)
{
    (void)state;
    struct metrics *m = metrics_create("tester", rows, 4);
    char *text = printed(m);
    static const char *const names[] = {"\nprocess_resident_memory_bytes ", "\nprocess_virtual_memory_bytes ", "\nprocess_open_fds ",
                                        "\nprocess_max_fds ", "\nprocess_start_time_seconds "};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *at = strstr(text, names[i]);
        assert_non_null(at);
        assert_true(strtod(at + strlen(names[i]), NULL) > 0);
    }
    assert_non_null(strstr(text, "\nprocess_cpu_seconds_total "));
    assert_line(text, "xsale_bridge_build_info{program=\"tester\",version=\"" BRIDGE_VERSION "\"} 1");
    free(text);
    metrics_destroy(m);
}

static void openmetrics_names_families_tells_beginnings_and_ends(void **state)
{
    (void)state;
    struct metrics *m = metrics_create("tester", rows, 4);
    metrics_add(m, POLLS, NULL, 3);
    metrics_observe(m, LOAD, "MAG-1", 0.3);
    char *text = printed_as(m, METRICS_OPENMETRICS);
    assert_line(text, "# TYPE xsale_bridge_polls counter");
    assert_line(text, "xsale_bridge_polls_total 3");
    const char *created = strstr(text, "\nxsale_bridge_polls_created ");
    assert_non_null(created);
    assert_true(strtod(created + strlen("\nxsale_bridge_polls_created "), NULL) > 1.7e9);
    assert_line(text, "xsale_bridge_load_seconds_bucket{warehouse=\"MAG-1\",le=\"1.0\"} 1");
    assert_non_null(strstr(text, "\nxsale_bridge_load_seconds_created{warehouse=\"MAG-1\"} 1"));
    assert_null(strstr(text, "xsale_bridge_open_orders_created"));
    assert_line(text, "# TYPE process_cpu_seconds counter");
    assert_string_equal(text + strlen(text) - 7, "\n# EOF\n");
    free(text);
    text = printed(m);
    assert_null(strstr(text, "_created"));
    assert_null(strstr(text, "# EOF"));
    free(text);
    metrics_destroy(m);
}

static void shared_rows_have_two_labels_and_are_shown_once_told(void **state)
{
    (void)state;
    struct metrics *m = metrics_create("tester", rows, 4);
    metrics_set(m, metrics_shared(m, SHARED_LAG_RECORDS), "xsale.\"orders\t3", 7);
    char *text = printed(m);
    assert_line(text, "xsale_bridge_lag_records{topic=\"xsale.\\\"orders\",partition=\"3\"} 7");
    assert_null(strstr(text, "xsale_bridge_dependency_up")); /* nothing was told */
    free(text);
    metrics_forget(m, metrics_shared(m, SHARED_LAG_RECORDS));
    text = printed(m);
    assert_null(strstr(text, "xsale_bridge_lag_records"));
    free(text);
    metrics_destroy(m);
}

static void without_the_loop_the_process_is_a_page_of_its_own(void **state)
{
    (void)state;
    struct buf b;
    struct metrics *m = metrics_create("tester", rows, 4);
    buf_init(&b, 65536);
    metrics_print_process(m, METRICS_PROMETHEUS, 31.5, &b);
    assert_line(buf_text(&b), "xsale_bridge_loop_turn_seconds 31.5");
    assert_null(strstr(buf_text(&b), "xsale_bridge_polls_total"));
    buf_release(&b);
    metrics_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_and_gauges_have_help_type_and_exact_numbers),
        cmocka_unit_test(a_row_without_label_is_shown_before_its_first_count),
        cmocka_unit_test(histograms_are_cumulative),
        cmocka_unit_test(too_many_label_values_count_under_other),
        cmocka_unit_test(a_long_label_value_is_one_series),
        cmocka_unit_test(the_process_and_its_build_are_shown),
        cmocka_unit_test(openmetrics_names_families_tells_beginnings_and_ends),
        cmocka_unit_test(shared_rows_have_two_labels_and_are_shown_once_told),
        cmocka_unit_test(without_the_loop_the_process_is_a_page_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
