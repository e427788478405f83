/* The words that a user gets are those of librdkafka 2.0.2 and 2.13, seen against a real broker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/kafka/broker_trouble.h"

static void expect(const char *words, int x509_error, const char *why, const char *doing)
{
    struct broker_trouble t = broker_trouble_find(words, x509_error);
    assert_non_null(strstr(t.why, why));
    assert_non_null(strstr(t.doing, doing));
}

static void a_certificate_that_is_refused_says_why(void **state)
{
    static const char words[] = "ssl://localhost:1/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed";
    (void)state;
    expect(words, 10, "has expired", "new certificate");
    expect(words, 62, "another name", "bootstrap.servers");
    expect(words, 64, "another address", "bootstrap.servers");
    expect(words, 18, "vouches", "ssl.ca.location");
    expect(words, 20, "vouches", "ssl.ca.location");
    expect(words, 0, "vouches", "ssl.ca.location");
}

static void what_the_broker_refuses_names_the_setting(void **state)
{
    (void)state;
    expect("SASL authentication error: Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-512", 0, "password", "sasl.password");
    expect("Receive failed: error:0A000416:SSL routines::sslv3 alert certificate unknown: SSL alert number 46", 0, "client certificate", "ssl.certificate.location");
    expect("Receive failed: error:0A000412:SSL routines::sslv3 alert bad certificate: SSL alert number 42", 0, "client certificate", "ssl.certificate.location");
    expect("SSL handshake failed: error:0A000126:SSL routines::unexpected eof while reading", 0, "no TLS", "security.protocol");
    expect("Disconnected while requesting ApiVersion: might be caused by incorrect security.protocol configuration", 0, "", "security.protocol");
    expect("ApiVersionRequest failed: Local: Timed out: probably due to broker version < 0.10 (after 10009ms in state APIVERSION_QUERY)", 0, "frozen", "security.protocol");
    expect("Disconnected: connection closed by peer: receive 0 after POLLIN (after 2ms in state APIVERSION_QUERY, 1 identical error(s) suppressed)", 0, "wants TLS", "security.protocol");
    expect("Connect to ipv4#127.0.0.1:1 failed: Connection refused", 0, "", "connects again");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_that_is_refused_says_why),
        cmocka_unit_test(what_the_broker_refuses_names_the_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
