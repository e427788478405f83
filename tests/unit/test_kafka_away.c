#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "consumer/kafka_away.h"

static void an_operator_is_told_what_is_known_and_what_there_is_to_do(void **state)
{
    static const struct {
        const char *words, *why, *means, *hint;
    } cases[] = {
        {"xsale.orders: Local: Broker transport failure", "b:9092/bootstrap: Connect to ipv4#10.0.0.1:9092 failed: Connection refused", "nothing listens there", "start the broker"},
        {"xsale.orders: Local: Broker transport failure", "b:9092/bootstrap: Failed to resolve 'b:9092': Name or service not known", "no such host", "kafka.bootstrap.servers"},
        {"xsale.orders: Local: Broker transport failure", "", "frozen", "still works"},
        {"group g: its members cannot be asked for: Local: Timed out", "", "frozen", "still works"},
        {"it has not answered for a minute", "1/1 brokers are down", "frozen", "still works"},
        {"it has not answered for a minute", "xsale.orders: Broker: Unknown topic or partition", "topic is not there", "topics.prefix"},
        {"it has not answered for a minute", "SASL authentication error: wrong", "refuses the login", "[kafka]"},
    };
    struct err e;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kafka_away_words("b:9092", cases[i].words, cases[i].why, &e);
        assert_non_null(strstr(e.text, "no answer from Kafka at b:9092"));
        assert_non_null(strstr(e.text, cases[i].means));
        assert_non_null(strstr(e.text, cases[i].hint));
        assert_non_null(strstr(e.text, cases[i].words));
    }
}

static void another_trouble_keeps_its_words(void **state)
{
    struct err e;
    (void)state;
    kafka_away_words("b:9092", "out of memory", "", &e);
    assert_string_equal(e.text, "out of memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_operator_is_told_what_is_known_and_what_there_is_to_do),
        cmocka_unit_test(another_trouble_keeps_its_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
