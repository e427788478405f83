#define _GNU_SOURCE /* memmem */
#include "consumer/order_search.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/kafka/kafka_conf.h"
#include "common/kafka/key_partition.h"
#include "common/kafka/partition_counts.h"
#include "common/kafka/topics.h"
#include "consumer/record_field.h"
#include "consumer/scan_time.h"
#include "consumer/topic_scan.h"

struct order_search {
    struct program *program;
    struct topic_scan *scan;
    struct partition_counts *ask; /* NULL: not asked */
    int32_t partitions[TOPIC_COUNT]; /* of each topic; 0: not known */
    char topics[TOPIC_COUNT][250];
    struct loop_timer next;
    struct order_search_result result;
    const char *organization; /* "": any */
    char asked[200];
    int64_t from;
    int64_t order; /* 0: still looked for by its number */
    struct err fault; /* "": none */
    bool tried;    /* as an id, in vain, or found by its number */
    order_search_fn *done;
    void *arg;
};

static void finish(struct order_search *s, enum rc rc, const char *words)
{
    s->result.rc = rc;
    (void)snprintf(s->result.words, sizeof s->result.words, "%s", words);
    s->done(s->arg, &s->result);
}

static bool wanted(void *arg, const struct kafka_record *r)
{
    const struct order_search *s = arg;
    const char *organization;
    size_t n;
    int64_t id;
    if (!order_key_parse(r->key, r->key_n, &organization, &n, &id))
        return false;
    if (*s->organization != '\0' && (strlen(s->organization) != n || memcmp(organization, s->organization, n) != 0))
        return false;
    if (s->order != 0)
        return id == s->order;
    /* Its text stands in the record as it is: what does not hold it need not be decoded. */
    return r->value != NULL && memmem(r->value, r->value_n, s->asked, strlen(s->asked)) != NULL;
}

static void note_key(struct order_search *s, const struct kafka_record *r)
{
    struct order_search_result *to = &s->result;
    for (size_t i = 0; i < to->keys_n; i++)
        if (strlen(to->keys[i]) == r->key_n && memcmp(to->keys[i], r->key, r->key_n) == 0)
            return;
    if (to->keys_n == ORDER_SEARCH_FOUND || r->key_n >= ORDER_KEY_BYTES)
        return;
    memcpy(to->keys[to->keys_n], r->key, r->key_n);
    to->keys[to->keys_n++][r->key_n] = '\0';
}

static void on_record(void *arg, const struct scan_record *r)
{
    struct order_search *s = arg;
    struct err e;
    bool by_number = s->order == 0;
    if (by_number && !record_field_equals(r, "number", s->asked) && !record_field_equals(r, "foreignNumber", s->asked))
        return;
    note_key(s, r->record);
    if (!by_number && s->result.keys_n == 1 && order_life_add(s->result.life, r, &e) != RC_OK)
        s->fault = e;
}

static void on_failed(void *arg, const char *words)
{
    finish(arg, RC_RETRY, words);
}

static void begin(void *arg);

static void begin_again(struct order_search *s, int64_t order)
{
    s->order = order;
    s->result.keys_n = 0;
    loop_timer_in(program_loop(s->program), &s->next, 0, begin, s);
}

static void give_up_life(struct order_search *s)
{
    order_life_destroy(s->result.life);
    s->result.life = NULL;
}

static bool partitions_known(const struct order_search *s)
{
    bool any = false;
    for (int i = 0; i < TOPIC_COUNT; i++)
        any = any || s->partitions[i] > 0;
    return any;
}

/* An older record stands where fewer partitions put it. */
static void read_all(struct order_search *s)
{
    struct order_life *fresh = order_life_create();
    if (fresh == NULL) {
        finish(s, RC_RETRY, "out of memory");
        return;
    }
    order_life_destroy(s->result.life);
    s->result.life = fresh;
    memset(s->partitions, 0, sizeof s->partitions);
    begin_again(s, s->order);
}

/* No record has that id as its key: it may stand elsewhere, since the topics got more partitions or another program put it there, or be the shop's own number. */
static void on_end(void *arg)
{
    struct order_search *s = arg;
    const char *organization;
    size_t n;
    int64_t id;
    if (s->fault.text[0] != '\0') {
        finish(s, RC_RETRY, s->fault.text);
    } else if (s->order > 0 && s->result.keys_n == 1 && partitions_known(s) && order_life_misses(s->result.life)) {
        read_all(s);
    } else if (s->order > 0 && s->result.keys_n == 1) {
        finish(s, RC_OK, "");
    } else if (s->order > 0 && s->result.keys_n == 0 && partitions_known(s)) {
        memset(s->partitions, 0, sizeof s->partitions);
        begin_again(s, s->order);
    } else if (s->order > 0 && s->result.keys_n == 0 && !s->tried) {
        s->tried = true;
        begin_again(s, 0);
    } else if (s->order == 0 && s->result.keys_n == 1 &&
               order_key_parse(s->result.keys[0], strlen(s->result.keys[0]), &organization, &n, &id)) {
        s->tried = true;
        begin_again(s, id);
    } else {
        give_up_life(s);
        finish(s, RC_OK, "");
    }
}

/* Everything about one order stands in one partition of each topic, by its key; -1: every one is to be read. */
static int32_t partition_of(const struct order_search *s, int topic)
{
    char key[ORDER_KEY_BYTES];
    size_t n = s->order > 0 ? order_key_format(key, s->organization, s->order) : 0;
    return n > 0 && s->partitions[topic] > 0 ? key_partition(key, n, s->partitions[topic]) : -1;
}

static enum rc open_scan(struct order_search *s, struct err *e)
{
    static const struct topic_scan_ops ops = {wanted, on_record, on_end, on_failed, false};
    struct reader_start starts[TOPIC_COUNT];
    size_t n = 0;
    for (int i = 0; i < TOPIC_COUNT; i++)
        if (s->order != 0 || i == TOPIC_ORDERS)
            starts[n++] = (struct reader_start){s->topics[i], partition_of(s, i), s->from == SCAN_TIME_BEGINNING ? READER_BEGINNING : READER_TIME, s->from};
    topic_scan_destroy(s->scan);
    s->scan = NULL;
    return topic_scan_create(s->program, starts, n, &ops, s, &s->scan, e);
}

static void begin(void *arg)
{
    struct order_search *s = arg;
    struct err e;
    if (open_scan(s, &e) != RC_OK)
        finish(s, RC_RETRY, e.text);
}

/* What is not known is read whole. */
static void on_counts(void *arg, const int32_t *counts, size_t n)
{
    struct order_search *s = arg;
    memcpy(s->partitions, counts, n * sizeof *counts);
    if (counts[TOPIC_ORDERS] != counts[TOPIC_OUTCOMES] || counts[TOPIC_OUTCOMES] != counts[TOPIC_STATUS]) /* one got more partitions: who knows how many it had */
        memset(s->partitions, 0, sizeof s->partitions);
    begin(s);
}

static enum rc ask_counts(struct order_search *s, struct err *e)
{
    struct program *p = s->program;
    const char *topics[TOPIC_COUNT];
    for (int i = 0; i < TOPIC_COUNT; i++)
        topics[i] = s->topics[i];
    return partition_counts_ask(program_loop(p), program_worker(p), program_config(p), program_log(p), program_health(p), topics, TOPIC_COUNT, on_counts, s, &s->ask, e);
}

enum rc order_search_create(struct program *p, const char *asked, int64_t from, order_search_fn *done, void *arg, struct order_search **out, struct err *e)
{
    char *end;
    struct order_search *s = calloc(1, sizeof *s);
    if (s == NULL || (s->result.life = order_life_create()) == NULL) {
        free(s);
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    s->program = p;
    s->organization = config_text(program_config(p), "xsale.organization");
    s->from = from;
    s->done = done;
    s->arg = arg;
    (void)snprintf(s->asked, sizeof s->asked, "%s", asked);
    errno = 0;
    s->order = strtoll(s->asked, &end, 10);
    if (errno != 0 || *end != '\0' || s->asked[0] < '1' || s->asked[0] > '9')
        s->order = 0;
    for (int i = 0; i < TOPIC_COUNT; i++)
        kafka_topic_name(program_config(p), topic_table[i].name, s->topics[i]);
    enum rc rc = *s->organization != '\0' ? ask_counts(s, e) : open_scan(s, e); /* without it the key is not known */
    if (rc != RC_OK)
        order_search_destroy(s);
    else
        *out = s;
    return rc;
}

void order_search_destroy(struct order_search *s)
{
    if (s == NULL)
        return;
    loop_timer_clear(program_loop(s->program), &s->next);
    partition_counts_forget(s->ask);
    topic_scan_destroy(s->scan);
    order_life_destroy(s->result.life);
    free(s);
}
