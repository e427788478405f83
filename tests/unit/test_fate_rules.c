/* The user's own fates: which codes there are, what they may say, and that they say it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "consumer/fate_rules.h"
#include "tests/mock/kafka_rig.h"

static struct config *with(const char *rules)
{
    char setting[300];
    (void)snprintf(setting, sizeof setting, "erp.fates=%s", rules);
    const char *const settings[] = {setting, "registry.url=http://127.0.0.1:1", NULL};
    return kafka_rig_config("127.0.0.1:1", settings);
}

static void a_rule_goes_before_the_table_and_only_for_its_code(void **state)
{
    (void)state;
    struct config *c = with("409 = park,422=again , curl-28=park,errno-28=park,HY000/1205=again,HY000=park,23505=reject,409=pause");
    assert_int_equal(fate_rules_http(c, 409, FATE_REJECT, false), FATE_PAUSE); /* the last one */
    assert_int_equal(fate_rules_http(c, 422, FATE_REJECT, false), FATE_AGAIN);
    assert_int_equal(fate_rules_http(c, 400, FATE_REJECT, false), FATE_REJECT);
    assert_int_equal(fate_rules_http(c, 28, FATE_PAUSE, false), FATE_PAUSE);
    assert_int_equal(fate_rules_curl(c, 28, FATE_PAUSE, true), FATE_PARK);
    assert_int_equal(fate_rules_errno(c, 28, FATE_PAUSE, false), FATE_PARK);
    assert_int_equal(fate_rules_sql(c, "HY000", 1205, FATE_PAUSE, false), FATE_AGAIN);
    assert_int_equal(fate_rules_sql(c, "HY000", 5, FATE_PAUSE, false), FATE_PARK);
    assert_int_equal(fate_rules_sql(c, "23505", 1, FATE_PARK, false), FATE_REJECT);
    assert_int_equal(fate_rules_sql(c, "", 0, FATE_PAUSE, false), FATE_PAUSE);
    config_destroy(c);
}

static void what_is_loaded_stays_so_and_what_may_be_is_not_rejected(void **state)
{
    (void)state;
    struct config *c = with("404=park,23505=reject");
    assert_int_equal(fate_rules_http(c, 404, FATE_LOADED, false), FATE_LOADED);
    assert_int_equal(fate_rules_sql(c, "23505", 0, FATE_PARK, true), FATE_PARK);
    config_destroy(c);
    c = with("");
    assert_int_equal(fate_rules_http(c, 404, FATE_PAUSE, false), FATE_PAUSE);
    config_destroy(c);
}

static unsigned problems_with(const char *rules)
{
    struct config *c = with(rules);
    struct config_problems problems = {.count = 0};
    buf_init(&problems.text, 10000);
    fate_rules_check(c, &problems);
    buf_release(&problems.text);
    config_destroy(c);
    return problems.count;
}

static void what_cannot_be_meant_is_told(void **state)
{
    (void)state;
    static const char *const wrong[] = {"409",        "409=",       "409=loaded", "=park",      "200=park",      "99=park",    "600=park",  "4090=park",
                                        "curl-=park", "curl-x=park", "errno=park", "2350=park",  "23505x=park",   "hy000=park", "HY000/=park",
                                        "401=reject", "403=reject", "408=reject", "425=reject", "429=reject",    "500=reject", "503=reject", "302=reject",
                                        "curl-28=reject", "errno-28=reject", "08S01=reject", "40001/1213=reject", "57014=reject", "HYT00=reject"};
    static const char *const right[] = {"401=park", "500=pause", "404=reject", "08S01=again", "HY000/-5=park", "HY000/1205=reject", "409=reject,422=park"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (problems_with(wrong[i]) != 1)
            fail_msg("%s", wrong[i]);
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        if (problems_with(right[i]) != 0)
            fail_msg("%s", right[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_goes_before_the_table_and_only_for_its_code),
        cmocka_unit_test(what_is_loaded_stays_so_and_what_may_be_is_not_rejected),
        cmocka_unit_test(what_cannot_be_meant_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
