/* What librdkafka alone takes to publish what the producer publishes: the records that are on `orders` already, with their keys and as many headers, and a small record of
 * `order-state` for each, idempotent, with the producer's settings. Nothing is encoded, hashed or copied by this program.
 * Usage: bench-publish SERVERS ORDERS STATE COUNT. Prints: CPU seconds, most resident bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <librdkafka/rdkafka.h>

enum { SAMPLES = 2000, WAIT_MS = 20000, IN_AIR = 4 << 20, NOTE = 110, HEADERS = 6 };

struct sample {
    void *key, *value;
    size_t key_n, value_n;
};

static struct sample samples[SAMPLES];
static size_t samples_n, in_air;

static void die(const char *what)
{
    fprintf(stderr, "bench-publish: %s\n", what);
    exit(1);
}

static void *copy(const void *p, size_t n)
{
    void *to = malloc(n + 1);
    if (to == NULL)
        die("out of memory");
    memcpy(to, p, n);
    return to;
}

static rd_kafka_t *open_kafka(rd_kafka_type_t type, const char *const settings[][2], size_t n, const char *servers)
{
    char text[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "bootstrap.servers", servers, text, sizeof text) != RD_KAFKA_CONF_OK)
        die(text);
    for (size_t i = 0; i < n; i++)
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], text, sizeof text) != RD_KAFKA_CONF_OK)
            die(text);
    if (type == RD_KAFKA_PRODUCER)
        rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR);
    rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof text);
    if (rk == NULL)
        die(text);
    return rk;
}

static void read_samples(const char *servers, const char *topic)
{
    static const char *const settings[][2] = {{"group.id", "bench-publish"}, {"auto.offset.reset", "earliest"}, {"enable.auto.commit", "false"}};
    rd_kafka_t *rk = open_kafka(RD_KAFKA_CONSUMER, settings, 3, servers);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
    if (rd_kafka_assign(rk, list) != RD_KAFKA_RESP_ERR_NO_ERROR)
        die("assign");
    while (samples_n < SAMPLES) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, samples_n == 0 ? WAIT_MS : 1000);
        if (m == NULL)
            break;
        if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR && m->payload != NULL)
            samples[samples_n++] = (struct sample){copy(m->key, m->key_len), copy(m->payload, m->len), m->key_len, m->len};
        rd_kafka_message_destroy(m);
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(rk);
    if (samples_n == 0)
        die("no records on the topic");
}

static void take_reports(rd_kafka_queue_t *queue, int wait_ms)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, wait_ms);
    const rd_kafka_message_t *m;
    while (event != NULL && (m = rd_kafka_event_message_next(event)) != NULL) {
        if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR)
            die(rd_kafka_err2str(m->err));
        in_air -= m->len;
    }
    if (event != NULL)
        rd_kafka_event_destroy(event);
}

static void publish(rd_kafka_t *rk, rd_kafka_topic_t *topic, const struct sample *s, size_t headers_n)
{
    static const char *const names[HEADERS] = {"publication", "organization", "revision", "warehouses", "schema", "traceparent"};
    rd_kafka_vu_t v[5 + HEADERS];
    size_t n = 0;
    v[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = topic};
    v[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = 0};
    v[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {s->key, s->key_n}};
    v[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {s->value, s->value_n}};
    for (size_t i = 0; i < headers_n; i++)
        v[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_HEADER, .u.header = {names[i], i < 5 ? "1764000000000" : "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01", -1}};
    rd_kafka_error_t *error = rd_kafka_produceva(rk, v, n);
    if (error != NULL)
        die(rd_kafka_error_string(error));
    in_air += s->value_n;
}

int main(int argc, char **argv)
{
    static const char *const settings[][2] = {{"enable.idempotence", "true"}, {"compression.codec", "lz4"}, {"linger.ms", "2"}, {"socket.nagle.disable", "true"},
                                              {"partitioner", "murmur2_random"}, {"queue.buffering.max.messages", "10000000"}};
    static char note_value[NOTE];
    if (argc != 5)
        die("usage: bench-publish SERVERS ORDERS STATE COUNT");
    long count = strtol(argv[4], NULL, 10);
    read_samples(argv[1], argv[2]);
    rd_kafka_t *rk = open_kafka(RD_KAFKA_PRODUCER, settings, sizeof settings / sizeof settings[0], argv[1]);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_main(rk);
    rd_kafka_topic_t *orders = rd_kafka_topic_new(rk, argv[2], NULL), *state = rd_kafka_topic_new(rk, argv[3], NULL);
    struct rusage before, after;
    if (orders == NULL || state == NULL || getrusage(RUSAGE_SELF, &before) != 0)
        die("topics");
    for (long i = 0; i < count; i++) {
        const struct sample *s = &samples[(size_t)i % samples_n];
        const struct sample note = {s->key, note_value, s->key_n, sizeof note_value};
        publish(rk, orders, s, HEADERS);
        publish(rk, state, &note, 1);
        for (take_reports(queue, 0); in_air > IN_AIR;)
            take_reports(queue, 100);
    }
    while (in_air > 0)
        take_reports(queue, 100);
    if (getrusage(RUSAGE_SELF, &after) != 0)
        die("getrusage");
    double cpu = (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec) + (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec) / 1e6 +
                 (double)(after.ru_stime.tv_sec - before.ru_stime.tv_sec) + (double)(after.ru_stime.tv_usec - before.ru_stime.tv_usec) / 1e6;
    printf("%.3f %ld\n", cpu, after.ru_maxrss * 1024);
    rd_kafka_topic_destroy(orders);
    rd_kafka_topic_destroy(state);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(rk);
    for (size_t i = 0; i < samples_n; i++) {
        free(samples[i].key);
        free(samples[i].value);
    }
    return 0;
}
