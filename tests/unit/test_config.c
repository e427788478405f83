#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/config.h"

/* What a consumer needs at least. */
#define LEAST "[kafka]\nbootstrap.servers = 127.0.0.1:1\n[registry]\nurl = http://127.0.0.1:2\n"

struct bench {
    char folder[64];
    char file[96];
    char secret[96];
    struct config *config;
    struct config_problems problems;
    unsigned program;
    const char *environment[8];
    const char *overrides[8];
    size_t overrides_n;
    char text[64 * 1024];
};

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    if (b == NULL)
        return -1;
    (void)snprintf(b->folder, sizeof b->folder, "/tmp/bridge-config-XXXXXX");
    if (mkdtemp(b->folder) == NULL)
        return -1;
    (void)snprintf(b->file, sizeof b->file, "%s/b.ini", b->folder);
    (void)snprintf(b->secret, sizeof b->secret, "%s/secret", b->folder);
    buf_init(&b->problems.text, 1024 * 1024);
    b->program = CONFIG_CONSUMER;
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    config_destroy(b->config);
    buf_release(&b->problems.text);
    (void)unlink(b->file);
    (void)unlink(b->secret);
    int failed = rmdir(b->folder);
    free(b);
    return failed;
}

static void write_bytes(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static enum rc load_bytes(struct bench *b, const void *bytes, size_t n)
{
    if (bytes != NULL)
        write_bytes(b->file, bytes, n);
    config_destroy(b->config);
    b->config = NULL;
    b->problems.count = 0;
    buf_reset(&b->problems.text);
    struct config_source source = {b->file, b->overrides, b->overrides_n, b->environment, b->program};
    return config_load(&source, &b->config, &b->problems);
}

static enum rc load(struct bench *b, const char *text)
{
    return load_bytes(b, text, strlen(text));
}

/* The problems with the file's path as "F". */
static const char *problems(struct bench *b)
{
    size_t n = 0, path = strlen(b->file);
    for (const char *p = buf_text(&b->problems.text); *p != '\0' && n + 2 < sizeof b->text;) {
        bool is_path = strncmp(p, b->file, path) == 0;
        b->text[n++] = is_path ? 'F' : *p;
        p += is_path ? path : 1;
    }
    b->text[n] = '\0';
    return b->text;
}

static void assert_loads(struct bench *b, const char *text)
{
    if (load(b, text) != RC_OK)
        fail_msg("%s", problems(b));
}

/* Exactly one problem, this one. */
static void assert_wrong(struct bench *b, const char *body, const char *problem)
{
    char text[4096];
    (void)snprintf(text, sizeof text, "%s%s", LEAST, body);
    assert_int_equal(load(b, text), RC_REJECT);
    assert_null(b->config);
    assert_string_equal(problems(b), problem);
    assert_int_equal(b->problems.count, 1);
}

static const char *printed(struct bench *b)
{
    struct buf out;
    buf_init(&out, 1024 * 1024);
    config_print(b->config, &out);
    (void)snprintf(b->text, sizeof b->text, "%s", buf_text(&out));
    buf_release(&out);
    return b->text;
}

static void defaults_are_all_right(void **state)
{
    struct bench *b = *state;
    assert_loads(b, LEAST);
    assert_int_equal(b->problems.count, 0);
    assert_string_equal(config_text(b->config, "xsale.api_url"), "https://api.xsale.ai");
    assert_string_equal(config_text(b->config, "xsale.organization"), "");
    assert_string_equal(config_text(b->config, "xsale.manual_status"), "Do obsługi ręcznej");
    assert_int_equal(config_int(b->config, "consumer.concurrency"), 32);
    assert_int_equal(config_int(b->config, "erp.max_body"), 1024 * 1024);
    assert_int_equal(config_int(b->config, "erp.http.exists_status"), 0);
    assert_int_equal(config_int(b->config, "topics.replication"), -1);
    assert_true(config_ms(b->config, "consumer.unknown_schema_after") == 86400000);
    assert_false(config_bool(b->config, "xsale.insecure"));
    assert_int_equal(config_list_count(b->config, "xsale.new_statuses"), 1);
    assert_int_equal(config_list_count(b->config, "warehouses.known"), 0);
    assert_string_equal(config_text(b->config, "kafka.sasl.password"), "");
}

static void every_type_is_read(void **state)
{
    struct bench *b = *state;
    assert_loads(b, LEAST "[xsale]\ntimeout = 500ms\nconnect_timeout = 2m\nmax_body = 64k\ninsecure = true\npage_size=7\n"
                          "new_statuses = Nowe ,  W toku,,Zapłacone \npaging = offset\napi_url = http://h:8/x\n"
                          "[producer]\nreoffer_after = 7d\n[erp.sql]\nconnection = DSN=x;Password=a ; b # c\n");
    assert_true(config_ms(b->config, "xsale.timeout") == 500);
    assert_true(config_ms(b->config, "xsale.connect_timeout") == 120000);
    assert_true(config_ms(b->config, "producer.reoffer_after") == 7 * 86400000);
    assert_int_equal(config_int(b->config, "xsale.max_body"), 65536);
    assert_int_equal(config_int(b->config, "xsale.page_size"), 7);
    assert_true(config_bool(b->config, "xsale.insecure"));
    assert_int_equal(config_list_count(b->config, "xsale.new_statuses"), 3);
    assert_string_equal(config_list_item(b->config, "xsale.new_statuses", 1), "W toku");
    assert_string_equal(config_list_item(b->config, "xsale.new_statuses", 2), "Zapłacone");
    assert_string_equal(config_text(b->config, "xsale.paging"), "offset");
    assert_string_equal(config_text(b->config, "erp.sql.connection"), "DSN=x;Password=a ; b # c");
}

static void wrong_values_say_what_is_allowed(void **state)
{
    struct bench *b = *state;
    static const char duration[] = " is not a duration; write for example 500ms, 30s, 5m, 12h or 7d\n";
    static const char *const bad[] = {"30", "s", "-", "1 s", "3x", "1.5s", "0x10s", "99999999999999999999s", "9223372036854775807d"};
    char body[128], problem[256];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(body, sizeof body, "[xsale]\ntimeout = %s\n", bad[i]);
        (void)snprintf(problem, sizeof problem, "F:6: xsale.timeout: \"%s\"%s", bad[i], duration);
        assert_wrong(b, body, problem);
    }
    assert_wrong(b, "[xsale]\ntimeout = 1h\n", "F:6: xsale.timeout: 1h is not within 10ms and 10m\n");
    assert_wrong(b, "[xsale]\ntimeout =\n", "F:6: xsale.timeout: needs a value, for example 30s\n");
    assert_wrong(b, "[xsale]\nmax_body = 1t\n", "F:6: xsale.max_body: \"1t\" is not a size; write for example 64k or 16m\n");
    assert_wrong(b, "[xsale]\nmax_body = 1\n", "F:6: xsale.max_body: 1 is not within 1k and 1g\n");
    assert_wrong(b, "[xsale]\npage_size = many\n", "F:6: xsale.page_size: \"many\" is not a whole number\n");
    assert_wrong(b, "[xsale]\npage_size = 0\n", "F:6: xsale.page_size: 0 is not within 1 and 10000\n");
    assert_wrong(b, "[xsale]\ninsecure = yes\n", "F:6: xsale.insecure: \"yes\" is neither true nor false\n");
    assert_wrong(b, "[xsale]\narray_style = repeats\n",
                 "F:6: xsale.array_style: \"repeats\" is none of repeat|comma|brackets|indexed; did you mean \"repeat\"?\n");
    assert_wrong(b, "[xsale]\napi_url = ftp://h\n",
                 "F:6: xsale.api_url: not an absolute URL; write for example https://host/path\n");
    assert_wrong(b, "[xsale]\napi_url = https://me:canary@h/\n",
                 "F:6: xsale.api_url: a URL must not hold a user name or password; there are keys for them\n");
    assert_wrong(b, "[xsale]\napi_url = https:///x\n", "F:6: xsale.api_url: the URL names no host\n");
    assert_wrong(b, "[xsale]\napi_url = https://h/a b\n",
                 "F:6: xsale.api_url: a URL must not hold blanks or control characters\n");
    assert_wrong(b, "[erp.http]\nexists_status = 600\n", "F:6: erp.http.exists_status: 600 is not within 100 and 599\n");
}

static void everything_wrong_is_told_at_once_with_its_line(void **state)
{
    struct bench *b = *state;
    assert_int_equal(load(b, "early = 1\n"
                             "; comment\n"
                             "[xsale]\n"
                             "clientid = 1\n"
                             "timeout = 30\n"
                             "no equal sign\n"
                             "paging = page\n"
                             "paging = offset\n"
                             "poll_interval = 3s\n"
                             "[broken\n"
                             "whatever = 1\n"
                             "[consumr]\n"
                             "x = 1\n"
                             "[topics]\n"
                             "prefix = a\n"
                             "[xsale]\n"
                             "page_size = x\n"
                             "[warehouses]\n"
                             "defaults = MAG-1\n"
                             "[a!b]\n"
                             "= 3\n"
                             "; end\n"
                             " lost = 1\n"),
                     RC_REJECT);
    static const char *const expected[] = {
        "F:1: stands before the first [section]\n",
        "F:4: xsale.clientid: no such key; did you mean \"client_id\"?\n",
        "F:5: xsale.timeout: \"30\" is not a duration",
        "F:6: neither a [section], nor key = value, nor a comment\n",
        "F:8: xsale.paging: given twice, first in line 7\n",
        "F:9: xsale.poll_interval: no such key; did you mean \"producer.poll_interval\"?\n",
        "F:10: a section's head must end with ]",
        "F:12: [consumr]: no such section; did you mean \"consumer\"?\n",
        "F:16: [xsale] stands in line 3 already\n",
        "F:17: xsale.page_size: \"x\" is not a whole number\n",
        "F:19: warehouses.defaults: neither a key of this section nor a whole number; did you mean \"default\"?\n",
        "F:20: a name has only ASCII letters",
        "F:21: no key before the equal sign\n",
        "F:23: begins with a blank but continues no value",
        "F: kafka.bootstrap.servers: must be set, for example 127.0.0.1:9092\n",
    };
    const char *text = problems(b);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        if (strstr(text, expected[i]) == NULL)
            fail_msg("missing: %s\nin:\n%s", expected[i], text);
    if (b->problems.count != sizeof expected / sizeof expected[0])
        fail_msg("%u problems:\n%s", b->problems.count, text);
}

static void a_file_that_cannot_be_read_is_one_problem(void **state)
{
    struct bench *b = *state;
    assert_int_equal(load_bytes(b, NULL, 0), RC_REJECT);
    assert_string_equal(problems(b), "cannot read F: No such file or directory\n");
    assert_int_equal(load_bytes(b, "[topics]\nprefix = \xff\n", 20), RC_REJECT);
    assert_string_equal(problems(b), "F:2: not valid UTF-8\n");
    assert_int_equal(load_bytes(b, "[topics]\n\nprefix = \0\n", 21), RC_REJECT);
    assert_string_equal(problems(b), "F:3: holds a zero byte\n");
    char *large = calloc(1, 2 * 1024 * 1024);
    assert_non_null(large);
    memset(large, '\n', 2 * 1024 * 1024);
    assert_int_equal(load_bytes(b, large, 2 * 1024 * 1024), RC_REJECT);
    assert_non_null(strstr(problems(b), "F is larger than"));
    assert_int_equal(b->problems.count, 1);
    free(large);
    assert_int_equal(load(b, "\n  \n"), RC_REJECT);
    assert_int_equal(b->problems.count, 1); /* an empty one is no fault by itself */
    assert_int_equal(load_bytes(b, "", 0), RC_REJECT);
    assert_int_equal(b->problems.count, 1);
}

static void a_carriage_return_belongs_to_the_end_of_a_line(void **state)
{
    struct bench *b = *state;
    assert_loads(b, LEAST "[topics]\r\nprefix = x\r\n");
    assert_string_equal(config_text(b->config, "topics.prefix"), "x");
    assert_int_equal(load(b, LEAST "[topics]\npre\rfix = x\n"), RC_REJECT);
    assert_non_null(strstr(problems(b), ": a name has only ASCII letters"));
    assert_int_equal(load(b, LEAST "[to\rpics]\nprefix = x\n"), RC_REJECT);
    assert_non_null(strstr(problems(b), ": a name has only ASCII letters"));
}

static void the_strongest_source_wins(void **state)
{
    struct bench *b = *state;
    b->environment[0] = "BRIDGE_TOPICS_PREFIX=environment";
    b->environment[1] = "BRIDGE_ERP_HTTP_URL=http://e/";
    b->environment[2] = "PATH=/";
    b->environment[3] = "BRIDGE_=ignored";
    b->overrides[0] = "topics.prefix=option=1";
    b->overrides_n = 1;
    assert_loads(b, LEAST "[topics]\nprefix = file\npartitions = 3\n[erp.http]\nurl = http://f/\n");
    assert_string_equal(config_text(b->config, "topics.prefix"), "option=1");
    assert_string_equal(config_text(b->config, "erp.http.url"), "http://e/");
    assert_int_equal(config_int(b->config, "topics.partitions"), 3);
    const char *text = printed(b);
    assert_non_null(strstr(text, "; -X\nprefix = option=1\n"));
    assert_non_null(strstr(text, "; environment\nurl = http://e/\n"));
    assert_non_null(strstr(text, "b.ini:7\npartitions = 3\n"));
    assert_non_null(strstr(text, "; default\ncreate = true\n"));
}

struct pairs {
    char text[1024];
    size_t n;
};

static void note_pair(void *arg, const char *key, const char *value)
{
    struct pairs *p = arg;
    p->n += (size_t)snprintf(p->text + p->n, sizeof p->text - p->n, "%s=%s\n", key, value);
}

static void free_keys_come_from_everywhere(void **state)
{
    struct bench *b = *state;
    struct pairs pairs = {.n = 0};
    b->environment[0] = "BRIDGE_KAFKA_SASL_PASSWORD=p";
    b->environment[1] = "BRIDGE_KAFKA_PRODUCER_LINGER_MS=5";
    b->environment[2] = "BRIDGE_KAFKA_SOME__NAME_X=u";
    b->environment[3] = "BRIDGE_WAREHOUSES_9=MAG-9";
    b->overrides[0] = "kafka.consumer.fetch.wait.max.ms=100";
    b->overrides[1] = "kafka.client.id=o";
    b->overrides[2] = "warehouses.-1=MAG-0";
    b->overrides_n = 3;
    assert_loads(b, LEAST "[kafka.producer]\nacks = all\n[warehouses]\n7 = MAG-1\nknown = MAG-1\n");
    config_each(b->config, "kafka", note_pair, &pairs);
    assert_string_equal(pairs.text, "bootstrap.servers=127.0.0.1:1\nsasl.password=p\nsome_name.x=u\nclient.id=o\n");
    pairs.n = 0;
    config_each(b->config, "kafka.producer", note_pair, &pairs);
    assert_string_equal(pairs.text, "acks=all\nlinger.ms=5\n");
    pairs.n = 0;
    config_each(b->config, "kafka.consumer", note_pair, &pairs);
    assert_string_equal(pairs.text, "fetch.wait.max.ms=100\n");
    pairs.n = 0;
    config_each(b->config, "warehouses", note_pair, &pairs);
    assert_string_equal(pairs.text, "7=MAG-1\n9=MAG-9\n-1=MAG-0\n");
    assert_string_equal(config_text(b->config, "kafka.sasl.password"), "p");
}

static void lines_of_the_environment_and_of_options_are_read_as_folded_ones(void **state)
{
    struct bench *b = *state;
    b->environment[0] = "BRIDGE_KAFKA_SASL_PASSWORD=secret\n";
    b->environment[1] = "BRIDGE_KAFKA_SSL_CA_PEM= one \r\n\r\n  two  three\t\n";
    b->overrides[0] = "xsale.organization=a\r";
    b->overrides[1] = "kafka.client.id= of one line ";
    b->overrides_n = 2;
    assert_loads(b, LEAST);
    assert_string_equal(config_text(b->config, "kafka.sasl.password"), "secret");
    assert_string_equal(config_text(b->config, "kafka.ssl.ca.pem"), "one\ntwo  three");
    assert_string_equal(config_text(b->config, "xsale.organization"), "a");
    assert_string_equal(config_text(b->config, "kafka.client.id"), " of one line ");
}

static void names_that_match_nothing_are_told_with_a_suggestion(void **state)
{
    struct bench *b = *state;
    b->environment[0] = "BRIDGE_XSALE_CLIENTID=canary";
    b->environment[1] = "BRIDGE_WAREHOUSES_KNOWNS=canary";
    b->overrides[0] = "xsale.client-secret=canary";
    b->overrides[1] = "canary";
    b->overrides[2] = "topics=canary";
    b->overrides[3] = "topic.prefix=canary";
    b->overrides[4] = "kafka.linger ms=5";
    b->overrides[5] = "topics.prefix=za\xBF";
    b->overrides_n = 6;
    assert_int_equal(load(b, LEAST), RC_REJECT);
    assert_string_equal(problems(b),
                        "environment: BRIDGE_XSALE_CLIENTID: no such key; did you mean \"BRIDGE_XSALE_CLIENT_ID\"?\n"
                        "environment: BRIDGE_WAREHOUSES_KNOWNS: no such key; did you mean \"BRIDGE_WAREHOUSES_KNOWN\"?\n"
                        "-X: xsale.client-secret: no such key; did you mean \"client_secret\"?\n"
                        "-X: needs section.key=value\n"
                        "-X: topics: needs a section: section.key=value\n"
                        "-X: topic.prefix: no such key; did you mean \"topics.prefix\"?\n"
                        "-X: [kafka]: the name of a property has letters, digits, dots, dashes and underscores only: linger ms\n"
                        "-X: topics.prefix: not valid UTF-8\n");
}

static void folded_values_keep_their_lines(void **state)
{
    struct bench *b = *state;
    assert_loads(b, LEAST "[erp.http]\nheader = X-A: 1\n  X-B: 2 = 3  \n\tX-C: 4\nmethod = PUT\n[xsale]\nnew_statuses =\n a,\n b\n"
                          "[erp.sql]\nstatement = SELECT 1\n  FROM t\n\tWHERE a = 2\n");
    assert_string_equal(config_text(b->config, "erp.http.header"), "X-A: 1\nX-B: 2 = 3\nX-C: 4");
    assert_string_equal(config_text(b->config, "erp.http.method"), "PUT");
    assert_int_equal(config_list_count(b->config, "xsale.new_statuses"), 2);
    assert_string_equal(config_list_item(b->config, "xsale.new_statuses", 1), "b");
    char text[64 * 1024];
    (void)snprintf(text, sizeof text, "%s", printed(b)); /* what is printed reads as the same */
    assert_loads(b, text);
    assert_string_equal(config_text(b->config, "erp.sql.statement"), "SELECT 1\nFROM t\nWHERE a = 2");
}

static void line_ends_and_byte_order_marks_of_windows_do_no_harm(void **state)
{
    struct bench *b = *state;
    assert_loads(b, "\xEF\xBB\xBF[kafka]\r\nbootstrap.servers = h:1\r\n\r\n[registry]\r\nurl = http://h\r\n[erp.http]\r\n"
                    "header = A: 1\r\n  B: 2\r\n");
    assert_string_equal(config_text(b->config, "kafka.bootstrap.servers"), "h:1");
    assert_string_equal(config_text(b->config, "registry.url"), "http://h");
    assert_string_equal(config_text(b->config, "erp.http.header"), "A: 1\nB: 2");
}

static void secrets_are_read_from_files_and_again_when_these_change(void **state)
{
    struct bench *b = *state;
    char text[1024];
    write_bytes(b->secret, "canary1\n", 8);
    (void)snprintf(text, sizeof text, "%s[erp.http]\nauthorization_file = %s\n[kafka.consumer]\nsasl.password_file = %s\n", LEAST,
                   b->secret, b->secret);
    assert_loads(b, text);
    const char *before = config_text(b->config, "erp.http.authorization");
    assert_string_equal(before, "canary1");
    assert_string_equal(config_text(b->config, "kafka.consumer.sasl.password"), "canary1");
    assert_false(config_refresh_secrets(b->config));
    write_bytes(b->secret, "second canary\r\n", 15);
    struct timespec times[2] = {{1, 0}, {1, 0}};
    assert_int_equal(utimensat(0, b->secret, times, 0), 0);
    assert_true(config_refresh_secrets(b->config));
    assert_string_equal(config_text(b->config, "erp.http.authorization"), "second canary");
    assert_string_equal(config_text(b->config, "kafka.consumer.sasl.password"), "second canary");
    assert_string_equal(before, "canary1"); /* for those who still hold it */
    assert_int_equal(unlink(b->secret), 0);
    assert_false(config_refresh_secrets(b->config));
    assert_string_equal(config_text(b->config, "erp.http.authorization"), "second canary");
}

static void a_relative_file_may_be_a_credential_of_the_service_manager(void **state)
{
    struct bench *b = *state;
    char path[300], directory[300];
    (void)snprintf(path, sizeof path, "%s/secrets_erp_token", b->folder);
    (void)snprintf(directory, sizeof directory, "CREDENTIALS_DIRECTORY=%s", b->folder);
    b->environment[0] = directory;
    write_bytes(path, "canary3\n", 8);
    assert_loads(b, LEAST "[erp.http]\nauthorization_file = secrets/erp/token\nca_file = secrets/erp/token\nurl = http://h/secrets\n"
                          "client_key = secrets/other\n[kafka.producer]\nssl.ca.location = secrets/erp/token\nclient.id = secrets/erp/token\n");
    assert_string_equal(config_text(b->config, "erp.http.authorization"), "canary3");
    assert_string_equal(config_text(b->config, "erp.http.ca_file"), path);
    assert_string_equal(config_text(b->config, "kafka.producer.ssl.ca.location"), path);
    assert_string_equal(config_text(b->config, "kafka.producer.client.id"), "secrets/erp/token");
    assert_string_equal(config_text(b->config, "erp.http.client_key"), "secrets/other"); /* no such credential */
    b->environment[0] = "CREDENTIALS_DIRECTORY=relative";
    assert_wrong(b, "[erp.http]\nauthorization_file = secrets/erp/token\n",
                 "F:6: erp.http.authorization: cannot read secrets/erp/token: No such file or directory\n");
    assert_int_equal(unlink(path), 0);
}

struct differences {
    char text[512];
};

static void on_difference(void *arg, const char *name, bool taken_over)
{
    struct differences *d = arg;
    size_t n = strlen(d->text);
    (void)snprintf(d->text + n, sizeof d->text - n, "%s%s ", taken_over ? "+" : "-", name);
}

static void a_secret_that_moves_to_a_file_is_taken_over(void **state)
{
    struct bench *b = *state;
    char text[1024];
    struct differences found = {""};
    write_bytes(b->secret, "canary1\n", 8);
    (void)snprintf(text, sizeof text, "%s[erp.http]\nauthorization = plain\n", LEAST);
    assert_loads(b, text);
    struct config *c = b->config;
    const char *before = config_text(c, "erp.http.authorization");
    b->config = NULL;
    (void)snprintf(text, sizeof text, "%s[erp.http]\nauthorization_file = %s\n", LEAST, b->secret);
    assert_loads(b, text);
    assert_int_equal(config_take_over(c, b->config, on_difference, &found), RC_OK);
    assert_string_equal(found.text, "+erp.http.authorization ");
    assert_string_equal(config_text(c, "erp.http.authorization"), "canary1");
    assert_string_equal(before, "plain"); /* for those who still hold it */
    config_destroy(b->config);
    b->config = c;
    write_bytes(b->secret, "canary2\n", 8);
    struct timespec times[2] = {{1, 0}, {1, 0}};
    assert_int_equal(utimensat(0, b->secret, times, 0), 0);
    assert_true(config_refresh_secrets(c)); /* from now on the file's content counts */
    assert_string_equal(config_text(c, "erp.http.authorization"), "canary2");
}

static void a_secret_of_another_program_is_not_opened(void **state)
{
    struct bench *b = *state;
    assert_loads(b, LEAST "[xsale]\nclient_secret_file = /nonexistent\n"); /* the consumer has no business with it */
    assert_string_equal(config_text(b->config, "xsale.client_secret"), "");
    assert_false(config_refresh_secrets(b->config));
}

static void problems_come_in_the_order_of_their_lines(void **state)
{
    struct config_problems p = {.count = 5};
    (void)state;
    buf_init(&p.text, 1000);
    buf_put_text(&p.text, "a.ini:10: x\nkafka: y\na.ini:9: z\n-X: v\na.ini:10: w\n");
    config_problems_sort(&p, "a.ini");
    assert_string_equal(buf_text(&p.text), "a.ini:9: z\na.ini:10: x\na.ini:10: w\nkafka: y\n-X: v\n");
    config_problems_sort(&p, NULL);
    assert_string_equal(buf_text(&p.text), "a.ini:9: z\na.ini:10: x\na.ini:10: w\nkafka: y\n-X: v\n");
    buf_release(&p.text);
}

static void secret_files_that_cannot_be_used_are_told(void **state)
{
    struct bench *b = *state;
    char text[1024], large[70000];
    (void)snprintf(text, sizeof text, "%s[erp.http]\nauthorization_file = %s\n", LEAST, b->secret);
    assert_int_equal(load(b, text), RC_REJECT);
    assert_non_null(strstr(problems(b), "F:6: erp.http.authorization: cannot read /tmp/"));
    memset(large, 'x', sizeof large);
    write_bytes(b->secret, large, sizeof large);
    assert_int_equal(load(b, text), RC_REJECT);
    assert_non_null(strstr(problems(b), "is larger than 65536 bytes"));
    write_bytes(b->secret, "a\0b", 3);
    assert_int_equal(load(b, text), RC_REJECT);
    assert_non_null(strstr(problems(b), "holds a zero byte"));
    assert_wrong(b, "[erp.http]\nauthorization = canary\nauthorization_file = /x\n",
                 "F:7: erp.http.authorization: given together with erp.http.authorization_file; one of the two\n");
    assert_wrong(b, "[erp.http]\nmethod_file = /x\n", "F:6: erp.http.method_file: no such key; did you mean \"erp.http.method\"?\n");
    b->overrides[0] = "erp.http.authorization=stronger"; /* another source may */
    b->overrides_n = 1;
    assert_loads(b, LEAST "[erp.http]\nauthorization_file = /nonexistent\n");
    assert_string_equal(config_text(b->config, "erp.http.authorization"), "stronger");
    b->overrides_n = 0;
    write_bytes(b->secret, "from the environment", 20);
    (void)snprintf(text, sizeof text, "BRIDGE_ERP_HTTP_AUTHORIZATION_FILE=%s", b->secret);
    b->environment[0] = text;
    assert_loads(b, LEAST "[erp.http]\nauthorization = weaker\n");
    assert_string_equal(config_text(b->config, "erp.http.authorization"), "from the environment");
}

static void secrets_are_never_shown(void **state)
{
    struct bench *b = *state;
    assert_loads(b, LEAST "[kafka.producer]\nsasl.password = canary1\nssl.key.pem = canary2\nssl.key.location = /k\n"
                          "sasl.oauthbearer.config = canary3\nsasl.oauthbearer.client.secret = canary4\nlinger.ms = 5\n"
                          "[xsale]\nclient_secret = canary5\npassword = canary6\n[erp.sql]\nconnection = canary7\n"
                          "[erp.http]\nauthorization = Bearer canary8\nheader = X-Api-Key: canary9\n    X-Other: canary10\n");
    const char *text = printed(b);
    assert_null(strstr(text, "canary"));
    assert_non_null(strstr(text, "\nclient_secret = ********\n"));
    assert_non_null(strstr(text, "\nssl.key.location = /k\n"));
    assert_non_null(strstr(text, "\nlinger.ms = 5\n"));
    assert_int_equal(load(b, "[xsale]\npassword = canary\npassword = canary\npasword = canary\nclient_secret\n[xsal]\nx = canary\n"
                             "[warehouses]\nx = canary\n"),
                     RC_REJECT);
    assert_in_range(b->problems.count, 6, 8);
    assert_null(strstr(problems(b), "canary"));
}

static void each_program_demands_only_what_it_reads(void **state)
{
    struct bench *b = *state;
    static const unsigned programs[] = {CONFIG_PRODUCER, CONFIG_UPDATER, CONFIG_CONSUMER, CONFIG_REPLAY};
    static const unsigned missing[] = {4, 4, 0, 0};
    for (size_t i = 0; i < 4; i++) {
        b->program = programs[i];
        assert_int_equal(load(b, LEAST), missing[i] == 0 ? RC_OK : RC_REJECT);
        assert_int_equal(b->problems.count, missing[i]);
    }
}

static void the_example_file_asks_for_exactly_what_is_required(void **state)
{
    struct bench *b = *state;
    struct buf out;
    buf_init(&out, 1024 * 1024);
    config_example(&out);
    b->program = CONFIG_PRODUCER;
    assert_int_equal(load(b, buf_text(&out)), RC_REJECT);
    assert_int_equal(b->problems.count, 5);
    b->overrides[0] = "kafka.bootstrap.servers=h:1";
    b->overrides[1] = "registry.url=http://h";
    b->overrides_n = 2;
    b->program = CONFIG_CONSUMER;
    assert_loads(b, buf_text(&out));
    for (size_t i = 0; i < config_table_count; i++)
        if (strcmp(config_table[i].key, "*") != 0)
            assert_non_null(strstr(buf_text(&out), config_table[i].key));
    buf_release(&out);
}

static void programs_add_problems_with_their_place(void **state)
{
    struct bench *b = *state;
    b->overrides[0] = "erp.sink=file";
    b->overrides_n = 1;
    assert_loads(b, LEAST "[erp.http]\nmethod = PUT\n");
    config_problem(b->config, &b->problems, "erp.http.method", "is %s", "odd\nline");
    config_problem(b->config, &b->problems, "erp.file.directory", "must be set");
    config_problem(b->config, &b->problems, "erp.sink", "x");
    assert_string_equal(problems(b), "F:6: erp.http.method: is odd?line\nF: erp.file.directory: must be set\n-X: erp.sink: x\n");
    assert_int_equal(b->problems.count, 3);
}

static void a_wrong_configuration_can_still_be_looked_at(void **state)
{
    struct bench *b = *state;
    static const char text[] = "[xsale]\ntimeout = x\npaging = y\npage_size = 0\n[topics]\nprefix = a\n";
    write_bytes(b->file, text, sizeof text - 1);
    struct config_source source = {.file = b->file, .program = CONFIG_CONSUMER};
    assert_int_equal(config_load_anyway(&source, &b->config, &b->problems), RC_REJECT);
    assert_non_null(b->config);
    assert_true(config_ms(b->config, "xsale.timeout") == 30000);
    assert_string_equal(config_text(b->config, "xsale.paging"), "page");
    assert_int_equal(config_int(b->config, "xsale.page_size"), 100);
    assert_string_equal(config_text(b->config, "topics.prefix"), "a");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(defaults_are_all_right),
        TEST(every_type_is_read),
        TEST(wrong_values_say_what_is_allowed),
        TEST(everything_wrong_is_told_at_once_with_its_line),
        TEST(a_file_that_cannot_be_read_is_one_problem),
        TEST(a_carriage_return_belongs_to_the_end_of_a_line),
        TEST(the_strongest_source_wins),
        TEST(free_keys_come_from_everywhere),
        TEST(lines_of_the_environment_and_of_options_are_read_as_folded_ones),
        TEST(names_that_match_nothing_are_told_with_a_suggestion),
        TEST(folded_values_keep_their_lines),
        TEST(line_ends_and_byte_order_marks_of_windows_do_no_harm),
        TEST(secrets_are_read_from_files_and_again_when_these_change),
        TEST(a_relative_file_may_be_a_credential_of_the_service_manager),
        TEST(a_secret_that_moves_to_a_file_is_taken_over),
        TEST(a_secret_of_another_program_is_not_opened),
        TEST(problems_come_in_the_order_of_their_lines),
        TEST(secret_files_that_cannot_be_used_are_told),
        TEST(secrets_are_never_shown),
        TEST(each_program_demands_only_what_it_reads),
        TEST(the_example_file_asks_for_exactly_what_is_required),
        TEST(programs_add_problems_with_their_place),
        TEST(a_wrong_configuration_can_still_be_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
