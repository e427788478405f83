/* How fast the broker gives a topic to a consumer that does nothing with it. Usage: bench-consume BROKERS TOPIC RECORDS. Prints records, seconds from the first record to
 * the last, and seconds of this process's CPU. */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { BATCH = 10000, WAITS_MS = 20, SILENCE = 3000 };

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void set(rd_kafka_conf_t *c, const char *name, const char *value)
{
    char words[512];
    if (rd_kafka_conf_set(c, name, value, words, sizeof words) != RD_KAFKA_CONF_OK) {
        (void)fprintf(stderr, "%s\n", words);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    static rd_kafka_message_t *batch[BATCH];
    char words[512];
    const struct rd_kafka_metadata *found = NULL;
    if (argc != 4)
        return 2;
    long long wanted = atoll(argv[3]), n = 0;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", argv[1]);
    set(conf, "group.id", "bench-consume");
    set(conf, "enable.auto.commit", "false");
    set(conf, "queued.min.messages", "100000");
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, words, sizeof words);
    if (rk == NULL || rd_kafka_poll_set_consumer(rk) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 1;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, argv[2], NULL);
    if (topic == NULL || rd_kafka_metadata(rk, 0, topic, &found, 10000) != RD_KAFKA_RESP_ERR_NO_ERROR || found->topic_cnt != 1)
        return 1;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(found->topics[0].partition_cnt);
    for (int i = 0; i < found->topics[0].partition_cnt; i++)
        rd_kafka_topic_partition_list_add(list, argv[2], i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    if (rd_kafka_assign(rk, list) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 1;
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(rk);
    double began = 0, ended = 0;
    for (int silent = 0; n < wanted && silent < SILENCE; silent++) {
        ssize_t got = rd_kafka_consume_batch_queue(queue, WAITS_MS, batch, BATCH);
        for (ssize_t i = 0; i < got; i++) {
            n += batch[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR;
            rd_kafka_message_destroy(batch[i]);
        }
        if (got > 0) {
            silent = 0;
            ended = now();
            began = began > 0 ? began : ended;
        }
    }
    struct rusage used;
    (void)getrusage(RUSAGE_SELF, &used);
    printf("%lld %.3f %.3f\n", n, ended - began,
           (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
    rd_kafka_queue_destroy(queue);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_metadata_destroy(found);
    rd_kafka_topic_destroy(topic);
    (void)rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return n == wanted ? 0 : 1;
}
