#include "consumer/letter_count.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/kafka/kafka_conf.h"
#include "common/kafka/topics.h"
#include "consumer/scan_time.h"
#include "consumer/topic_scan.h"

struct letter_count {
    struct topic_scan *scan;
    struct letter_kinds kinds;
    letter_count_fn *done;
    void *arg;
};

/* Codes are words of ours: what is none (somebody else's record) is not shown. */
static void take(const struct kafka_record *r, const char *name, char *out, size_t room)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    const struct kafka_header *h = kafka_record_header(r, name);
    out[0] = '\0';
    if (h == NULL || h->value == NULL || h->n >= room)
        return;
    memcpy(out, h->value, h->n);
    out[h->n] = '\0';
    if (out[strspn(out, letters)] != '\0')
        out[0] = '\0';
}

void letter_kinds_add(struct letter_kinds *k, const struct kafka_record *r)
{
    struct letter_kind seen = {.n = 1, .newest = r->timestamp};
    size_t i = 0;
    take(r, "program", seen.program, sizeof seen.program);
    take(r, "reason-code", seen.code, sizeof seen.code);
    if (seen.code[0] == '\0')
        take(r, "kind", seen.code, sizeof seen.code);
    k->total++;
    while (i < k->n && (strcmp(k->all[i].program, seen.program) != 0 || strcmp(k->all[i].code, seen.code) != 0))
        i++;
    if (i == k->n && k->n < LETTER_KINDS_MAX) {
        k->all[k->n++] = seen;
        return;
    }
    if (i == k->n) {
        i = LETTER_KINDS_MAX - 1;
        (void)snprintf(k->all[i].program, sizeof k->all[i].program, "any");
        (void)snprintf(k->all[i].code, sizeof k->all[i].code, "other");
    }
    k->all[i].n++;
    if (seen.newest > k->all[i].newest)
        k->all[i].newest = seen.newest;
}

static void on_record(void *arg, const struct scan_record *r)
{
    struct letter_count *c = arg;
    letter_kinds_add(&c->kinds, r->record);
}

static void on_end(void *arg)
{
    struct letter_count *c = arg;
    c->done(c->arg, &c->kinds, "");
}

static void on_failed(void *arg, const char *words)
{
    struct letter_count *c = arg;
    c->done(c->arg, &c->kinds, words);
}

enum rc letter_count_create(struct program *p, int64_t from, letter_count_fn *done, void *arg, struct letter_count **out, struct err *e)
{
    static const struct topic_scan_ops ops = {NULL, on_record, on_end, on_failed, false};
    char topic[250];
    struct letter_count *c = calloc(1, sizeof *c);
    if (c == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    c->done = done;
    c->arg = arg;
    kafka_topic_name(program_config(p), topic_table[TOPIC_DLQ].name, topic);
    struct reader_start start = {topic, -1, from == SCAN_TIME_BEGINNING ? READER_BEGINNING : READER_TIME, from};
    enum rc rc = topic_scan_create(p, &start, 1, &ops, c, &c->scan, e);
    if (rc != RC_OK)
        free(c);
    else
        *out = c;
    return rc;
}

void letter_count_destroy(struct letter_count *c)
{
    if (c == NULL)
        return;
    topic_scan_destroy(c->scan);
    free(c);
}
