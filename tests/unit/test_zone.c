#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/contract/zone.h"

static struct zone *warsaw;

static int open_warsaw(void **state)
{
    struct err e;
    (void)state;
    return zone_open("Europe/Warsaw", &warsaw, &e) == RC_OK ? 0 : -1;
}

static int close_warsaw(void **state)
{
    (void)state;
    zone_close(warsaw);
    return 0;
}

/* utc NULL: must be refused. */
static void expect(const char *text, const char *utc)
{
    struct err e;
    int64_t ms;
    char made[32];
    enum rc rc = zone_parse_moment(warsaw, text, strlen(text), &ms, &e);
    if (utc == NULL) {
        if (rc != RC_REJECT)
            fail_msg("%s was accepted", text);
        return;
    }
    if (rc != RC_OK)
        fail_msg("%s was refused", text);
    zone_print_moment(ms, made);
    assert_string_equal(made, utc);
}

static void local_times_follow_the_zone(void **state)
{
    (void)state;
    expect("2026-11-20T14:03:11", "2026-11-20T13:03:11.000Z");
    expect("2026-07-20T14:03:11.5", "2026-07-20T12:03:11.500Z");
    expect("2026-11-20 14:03", "2026-11-20T13:03:00.000Z");
    expect("2026-11-20", "2026-11-19T23:00:00.000Z");
    expect("2024-10-25", "2024-10-24T22:00:00.000Z");
    expect("2100-07-01T12:00:00", "2100-07-01T10:00:00.000Z");
    expect("1980-01-01T12:00:00", "1980-01-01T11:00:00.000Z");
    expect("0001-01-01T12:00:00", "0001-01-01T10:36:00.000Z");
}

static void an_hour_that_exists_twice_is_the_first(void **state)
{
    (void)state;
    expect("2026-10-25T01:59:59", "2026-10-24T23:59:59.000Z");
    expect("2026-10-25T02:00:00", "2026-10-25T00:00:00.000Z");
    expect("2026-10-25T02:30:00", "2026-10-25T00:30:00.000Z");
    expect("2026-10-25T02:59:59", "2026-10-25T00:59:59.000Z");
    expect("2026-10-25T03:00:00", "2026-10-25T02:00:00.000Z");
    expect("2075-10-27T02:30:00", "2075-10-27T00:30:00.000Z");
}

static void an_hour_that_does_not_exist_keeps_the_offset_before_it(void **state)
{
    (void)state;
    expect("2026-03-29T01:59:59", "2026-03-29T00:59:59.000Z");
    expect("2026-03-29T02:00:00", "2026-03-29T01:00:00.000Z");
    expect("2026-03-29T02:30:00", "2026-03-29T01:30:00.000Z");
    expect("2026-03-29T03:00:00", "2026-03-29T01:00:00.000Z");
    expect("2026-03-29T03:30:00", "2026-03-29T01:30:00.000Z");
    expect("2075-03-31T02:30:00", "2075-03-31T01:30:00.000Z");
}

static void an_offset_in_the_text_wins(void **state)
{
    (void)state;
    expect("2026-11-20T14:03:11Z", "2026-11-20T14:03:11.000Z");
    expect("2026-11-20T14:03:11.1239999Z", "2026-11-20T14:03:11.123Z");
    expect("2026-11-20T14:03:11+05:30", "2026-11-20T08:33:11.000Z");
    expect("2026-11-20T14:03:11-0800", "2026-11-20T22:03:11.000Z");
    expect("2026-11-20T14:03+01", "2026-11-20T13:03:00.000Z");
    expect("2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00.000Z");
    expect("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z");
    expect("2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000Z");
    expect("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z");
}

static void what_is_no_moment_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "2026",
                                      "2026-11",
                                      "2026-13-01",
                                      "2026-00-01",
                                      "2026-02-29",
                                      "2026-02-30",
                                      "1900-02-29",
                                      "2026-04-31",
                                      "2026-11-00",
                                      "0000-01-01",
                                      "20261120",
                                      "2026-11-20T",
                                      "2026-11-20T14",
                                      "2026-11-20T14:",
                                      "2026-11-20T24:00",
                                      "2026-11-20T14:60",
                                      "2026-11-20T14:03:60",
                                      "2026-11-20T14:03:1",
                                      "2026-11-20T14:03:11.",
                                      "2026-11-20T14:03:11 ",
                                      "2026-11-20T14:03:11ZZ",
                                      "2026-11-20T14:03:11+24:00",
                                      "2026-11-20T14:03:11+01:60",
                                      "2026-11-20T14:03:11+1",
                                      "2026-11-20T14:03:11+01:",
                                      "2026-11-20Z",
                                      " 2026-11-20",
                                      "20.11.2026",
                                      "-026-11-20",
                                      "2026-11-2x",
                                      "now"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect(bad[i], NULL);
}

static void a_date_is_the_one_written_there(void **state)
{
    struct err e;
    int32_t days;
    (void)state;
    assert_int_equal(zone_parse_date("1970-01-02", 10, &days, &e), RC_OK);
    assert_int_equal(days, 1);
    assert_int_equal(zone_parse_date("2026-11-20T23:59:59-11:00", 25, &days, &e), RC_OK);
    assert_int_equal(days, 20777);
    assert_int_equal(zone_parse_date("0001-01-01", 10, &days, &e), RC_OK);
    assert_int_equal(days, -719162);
    assert_int_equal(zone_parse_date("2026-02-29", 10, &days, &e), RC_REJECT);
    assert_int_equal(zone_parse_date("2026-11-20T99", 13, &days, &e), RC_REJECT);
}

static void an_unknown_zone_is_refused(void **state)
{
    static const char *const bad[] = {"", "Europe/Warsawa", "../../../etc/passwd", "/etc/localtime", ":Europe/Warsaw", "Europe", "CET-1CEST"};
    struct zone *z = NULL;
    struct err e;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(zone_open(bad[i], &z, &e), RC_REJECT);
    assert_null(z);
    expect("2026-11-20T14:03:11", "2026-11-20T13:03:11.000Z");
}

static void moments_out_of_range_print_within_bounds(void **state)
{
    char made[32];
    (void)state;
    zone_print_moment(INT64_MAX, made);
    assert_string_equal(made, "9999-12-31T23:59:59.999Z");
    zone_print_moment(INT64_MIN, made);
    assert_string_equal(made, "0001-01-01T00:00:00.000Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(local_times_follow_the_zone),
        cmocka_unit_test(an_hour_that_exists_twice_is_the_first),
        cmocka_unit_test(an_hour_that_does_not_exist_keeps_the_offset_before_it),
        cmocka_unit_test(an_offset_in_the_text_wins),
        cmocka_unit_test(what_is_no_moment_is_refused),
        cmocka_unit_test(a_date_is_the_one_written_there),
        cmocka_unit_test(an_unknown_zone_is_refused),
        cmocka_unit_test(moments_out_of_range_print_within_bounds),
    };
    return cmocka_run_group_tests(tests, open_warsaw, close_warsaw);
}
