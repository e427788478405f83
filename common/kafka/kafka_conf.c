#include "common/kafka/kafka_conf.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>

#include "common/kafka/kafka_new.h"

enum { PRODUCE = 1, CONSUME = 2, BOTH = 3, JOIN = 4, ASK = 8 }; /* of CONSUME: JOIN those in a group, ASK those that ask for a topic's end again and again */

struct property {
    const char *name;
    const char *value;
    unsigned direction;
};

/* What the user may change. */
static const struct property defaults[] = {
    {"socket.nagle.disable", "true", BOTH},
    {"reconnect.backoff.ms", "100", BOTH},
    {"reconnect.backoff.max.ms", "2000", BOTH}, /* a broker that is back is found within two seconds */
    {"topic.metadata.refresh.interval.ms", "60000", BOTH},
    {"statistics.interval.ms", "5000", BOTH}, /* metrics, and how a frozen broker is noticed */
    {"linger.ms", "2", PRODUCE}, /* what a load waits for behind its outcome counts in consumer.uncommitted; with 0 each record is a request of its own: four times the CPU */
    {"compression.codec", "lz4", PRODUCE},
    {"message.timeout.ms", "0", PRODUCE}, /* a record is tried until the broker has it */
    {"queue.buffering.max.messages", "10000000", PRODUCE}, /* the publisher's own bounds are the lower ones */
    {"queue.buffering.max.kbytes", "2097151", PRODUCE},
    {"queued.min.messages", "10000", CONSUME},
    {"queued.max.messages.kbytes", "6144", CONSUME}, /* the most of what a consumer takes while it looks ahead: 65 MiB with 16384, 54 with 4096, which reads slower */
    {"check.crcs", "true", CONSUME}, /* a bit that changed on the way, or on a broker's disk, is no order */
    {"fetch.message.max.bytes", "131072", CONSUME}, /* of each partition at a time: small compressed records take many times that in the queue */
    {"queued.max.messages.kbytes", "4096", JOIN}, /* a group's records are worked on one by one and held by their owner: more here is only memory */
    {"fetch.message.max.bytes", "262144", JOIN},
    /* A broker is asked one fetch at a time, and answers a connection's requests in turn: while it waits for records behind a partition's end, one that is resumed
     * gets none (JOIN), and a question no answer (ASK). */
    {"fetch.wait.max.ms", "100", JOIN | ASK},
    {"max.poll.interval.ms", "300000", CONSUME},
};

/* What librdkafka knows from 2.2 on; fetch_nudge.h says what is done before. */
static const struct property since_2_2[] = {
    {"fetch.queue.backoff.ms", "10", CONSUME},
};

/* Of the classic group protocol: the other one refuses them. */
static const struct property classic[] = {
    {"session.timeout.ms", "45000", CONSUME}, /* with less, a restart of the broker redelivers (measured) */
    {"heartbeat.interval.ms", "1000", CONSUME}, /* a member hears of another one's leaving with its next heartbeat: takeover within two seconds */
    {"partition.assignment.strategy", "range", CONSUME},
};

/* What the bridge cannot work without. */
static const struct property fixed[] = {
    {"log.queue", "true", BOTH},
    {"enable.idempotence", "true", PRODUCE},
    {"request.required.acks", "-1", PRODUCE},
    {"partitioner", "murmur2_random", PRODUCE},
    {"delivery.report.only.error", "false", PRODUCE},
    {"enable.auto.commit", "false", CONSUME},
    {"enable.auto.offset.store", "false", CONSUME},
    {"enable.partition.eof", "true", CONSUME},
    {"auto.offset.reset", "earliest", CONSUME},
};

struct refusal {
    const char *name;
    const char *words;
};

static const struct refusal refused[] = {
    {"log.queue", "the bridge writes the client's log lines itself"},
    {"enable.idempotence", "always true here: retries must neither double nor reorder records"},
    {"request.required.acks", "always all here: a record counts only when every replica in sync has it"},
    {"acks", "always all here: a record counts only when every replica in sync has it"},
    {"partitioner", "always murmur2_random here: topics stay co-partitioned with every other client"},
    {"partitioner_cb", "always murmur2_random here: topics stay co-partitioned with every other client"},
    {"delivery.report.only.error", "every record's report is needed"},
    {"transactional.id", "no transactions are used"},
    {"enable.auto.commit", "always false here: offsets are committed when the work is done"},
    {"auto.commit.enable", "always false here: offsets are committed when the work is done"},
    {"enable.auto.offset.store", "always false here: offsets are committed when the work is done"},
    {"enable.partition.eof", "always true here: the end of a topic has to be seen"},
    {"auto.offset.reset", "always earliest here: any other start loses records"},
    {"group.id", "group names follow topics.prefix and consumer.group"},
    {"test.mock.num.brokers", "records would stay inside this process"},
};

enum { COOPERATIVE_FROM = 0x020a0000, /* older ones loop or abort with it */
       QUEUE_BACKOFF_FROM = 0x02020000 };

static bool names_secret(const char *name)
{
    static const char *const parts[] = {"password", "secret", ".pem", "oauthbearer.config", "jaas", "token"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strstr(name, parts[i]) != NULL)
            return true;
    return false;
}

enum { PREFIX_MAX = 200 };

static const char *why_refused(const char *name)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (strcmp(refused[i].name, name) == 0)
            return refused[i].words;
    return NULL;
}

static void problem(const struct config *c, struct config_problems *p, const char *section, const char *name, const char *words)
{
    char full[512];
    if (p == NULL)
        return;
    (void)snprintf(full, sizeof full, "%s.%s", section, name); /* longer ones are not librdkafka's */
    config_problem(c, p, full, "%s", words);
}

struct filling {
    const struct config *config;
    rd_kafka_conf_t *conf;
    const char *section;
    struct config_problems *problems; /* or NULL: the first one goes to e */
    struct err *e;
    enum rc rc;
};

static void complain(struct filling *f, const char *name, const char *words)
{
    if (f->rc == RC_OK)
        err_set(f->e, "%s.%s: %s", f->section, name, words);
    f->rc = RC_FATAL;
    problem(f->config, f->problems, f->section, name, words);
}

struct look_up {
    const char *name;
    char value[64];
};

static void look(void *arg, const char *key, const char *value)
{
    struct look_up *l = arg;
    if (strcmp(key, l->name) == 0)
        (void)snprintf(l->value, sizeof l->value, "%s", value);
}

/* The new protocol (librdkafka 2.12 and later) refuses properties of the classic one. */
static bool wants_classic(const struct config *c)
{
    struct look_up l = {"group.protocol", ""};
    config_each(c, "kafka", look, &l);
    config_each(c, "kafka.consumer", look, &l);
    return strcasecmp(l.value, "consumer") != 0;
}

static void fill_user(void *arg, const char *key, const char *value)
{
    struct filling *f = arg;
    char words[512];
    const char *why = why_refused(key);
    if (why != NULL) {
        complain(f, key, why);
        return;
    }
    if (strcmp(key, "partition.assignment.strategy") == 0 && strstr(value, "cooperative") != NULL &&
        rd_kafka_version() < COOPERATIVE_FROM) {
        (void)snprintf(words, sizeof words, "cooperative-sticky needs librdkafka 2.10 or newer, this is %s", rd_kafka_version_str());
        complain(f, key, words);
        return;
    }
    if (strcmp(key, "group.instance.id") == 0 && !wants_classic(f->config)) {
        complain(f, key, "not together with group.protocol=consumer: the broker refuses whoever follows a member that was killed until its session has ended");
        return;
    }
    char text[512] = "";
    rd_kafka_conf_res_t set = rd_kafka_conf_set(f->conf, key, value, text, sizeof text);
    if (set == RD_KAFKA_CONF_OK)
        return;
    if (set == RD_KAFKA_CONF_UNKNOWN)
        (void)snprintf(words, sizeof words, "librdkafka %s knows no such property", rd_kafka_version_str());
    else
        (void)snprintf(words, sizeof words, "%s", names_secret(key) || text[0] == '\0' ? "not a possible value" : text);
    complain(f, key, words);
}

static enum rc set_own(rd_kafka_conf_t *conf, const struct property *table, size_t n, unsigned direction, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        char text[256] = "";
        if ((table[i].direction & direction) == 0)
            continue;
        if (rd_kafka_conf_set(conf, table[i].name, table[i].value, text, sizeof text) == RD_KAFKA_CONF_OK)
            continue;
        if (strcmp(table[i].name, "compression.codec") == 0) /* a library built without lz4 */
            continue;
        err_set(e, "kafka: %s=%s: %s", table[i].name, table[i].value, text);
        return RC_FATAL;
    }
    return RC_OK;
}

#define SET_OWN(conf, table, direction, e) set_own((conf), (table), sizeof(table) / sizeof((table)[0]), (direction), (e))

static enum rc set_names(const struct config *c, rd_kafka_conf_t *conf, const char *group_id, struct err *e)
{
    char name[17] = "", text[256] = "";
    if (rd_kafka_conf_set(conf, "bootstrap.servers", config_text(c, "kafka.bootstrap.servers"), text, sizeof text) !=
        RD_KAFKA_CONF_OK) {
        err_set(e, "kafka.bootstrap.servers: %s", text);
        return RC_FATAL;
    }
    if (prctl(PR_GET_NAME, name, 0, 0, 0) == 0 && name[0] != '\0' &&
        rd_kafka_conf_set(conf, "client.id", name, text, sizeof text) != RD_KAFKA_CONF_OK) {
        err_set(e, "kafka: client.id: %s", text);
        return RC_FATAL;
    }
    if (group_id != NULL && rd_kafka_conf_set(conf, "group.id", group_id, text, sizeof text) != RD_KAFKA_CONF_OK) {
        err_set(e, "kafka: group.id: %s", text);
        return RC_FATAL;
    }
    return RC_OK;
}

static enum rc build(const struct config *c, unsigned direction, const char *group_id, struct config_problems *problems,
                     rd_kafka_conf_t *conf, struct err *e)
{
    enum rc rc;
    if ((rc = SET_OWN(conf, defaults, direction, e)) != RC_OK)
        return rc;
    if (rd_kafka_version() >= QUEUE_BACKOFF_FROM && (rc = SET_OWN(conf, since_2_2, direction, e)) != RC_OK)
        return rc;
    if (wants_classic(c) && (rc = SET_OWN(conf, classic, direction, e)) != RC_OK)
        return rc;
    if ((rc = set_names(c, conf, group_id, e)) != RC_OK)
        return rc;
    struct filling f = {c, conf, "kafka", problems, e, RC_OK};
    config_each(c, "kafka", fill_user, &f);
    f.section = direction == PRODUCE ? "kafka.producer" : "kafka.consumer";
    config_each(c, f.section, fill_user, &f);
    if (f.rc != RC_OK)
        return f.rc;
    return SET_OWN(conf, fixed, direction, e);
}

static void silent(const rd_kafka_t *rk, int level, const char *fac, const char *text)
{
    (void)rk;
    (void)level;
    (void)fac;
    (void)text;
}

/* What only shows when all properties are there together (SASL without a user, a key file that cannot be read, ...): a handle is
 * made and thrown away. Without servers it connects to nobody. */
static void try_together(const struct config *c, unsigned direction, struct config_problems *problems)
{
    char text[512] = "";
    struct err e = {""};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (build(c, direction, direction == CONSUME ? "check" : NULL, NULL, conf, &e) != RC_OK) {
        rd_kafka_conf_destroy(conf); /* already told, property by property */
        return;
    }
    rd_kafka_conf_set_log_cb(conf, silent);
    if (rd_kafka_conf_set(conf, "bootstrap.servers", "", text, sizeof text) != RD_KAFKA_CONF_OK ||
        rd_kafka_conf_set(conf, "log.queue", "false", text, sizeof text) != RD_KAFKA_CONF_OK) {
        problem(c, problems, "kafka", "bootstrap.servers", text);
        rd_kafka_conf_destroy(conf);
        return;
    }
    rd_kafka_t *rk = kafka_new(direction == PRODUCE ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf, text, sizeof text);
    if (rk == NULL) {
        if (rd_kafka_last_error() == RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE) /* no thread: that is no mistake in the file, nor for good */
            (void)fprintf(stderr, "the properties of librdkafka could not be tried together: %s\n", text); /* nobody else would hear it */
        else
            problem(c, problems, "kafka", direction == PRODUCE ? "producer" : "consumer", text);
        rd_kafka_conf_destroy(conf);
        return;
    }
    rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

/* A topic's name: at most 249 of these characters (Kafka's Topic.java). */
static void check_prefix(const struct config *c, struct config_problems *problems)
{
    const char *prefix = config_text(c, "topics.prefix");
    size_t n = strspn(prefix, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    if (n == 0 || prefix[n] != '\0' || n > PREFIX_MAX)
        config_problem(c, problems, "topics.prefix", "must be 1 to %d letters, digits, '.', '_' and '-'", PREFIX_MAX);
}

void kafka_conf_check(const struct config *c, struct config_problems *problems)
{
    check_prefix(c, problems);
    unsigned before = problems->count;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    struct filling f = {c, conf, "kafka", problems, NULL, RC_OK};
    config_each(c, "kafka", fill_user, &f);
    f.section = "kafka.producer";
    config_each(c, f.section, fill_user, &f);
    f.section = "kafka.consumer";
    config_each(c, f.section, fill_user, &f);
    rd_kafka_conf_destroy(conf);
    if (problems->count != before)
        return;
    try_together(c, PRODUCE, problems);
    try_together(c, CONSUME, problems);
}

enum rc kafka_conf_create(const struct config *c, enum kafka_role role, const char *group_id, rd_kafka_conf_t **out, struct err *e)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char never_joined[256]; /* librdkafka assigns partitions only to a consumer with a group's name */
    if (role == KAFKA_READ) {
        (void)snprintf(never_joined, sizeof never_joined, "%s-read", config_text(c, "topics.prefix"));
        group_id = never_joined;
    }
    unsigned direction = role == KAFKA_PRODUCE ? PRODUCE : role == KAFKA_GROUP ? CONSUME | JOIN : role == KAFKA_READ ? CONSUME | ASK : CONSUME;
    enum rc rc = build(c, direction, group_id, NULL, conf, e);
    if (rc != RC_OK) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    *out = conf;
    return RC_OK;
}

struct credentials {
    const char *username, *password;
};

static void take_credential(void *arg, const char *key, const char *value)
{
    struct credentials *f = arg;
    if (strcmp(key, "sasl.username") == 0)
        f->username = value;
    else if (strcmp(key, "sasl.password") == 0)
        f->password = value;
}

void kafka_conf_credentials(const struct config *c, enum kafka_role role, rd_kafka_t *rk)
{
    const char *own = role == KAFKA_PRODUCE ? "kafka.producer" : "kafka.consumer";
    struct credentials f = {NULL, NULL};
    config_refresh_section(c, "kafka");
    config_refresh_section(c, own);
    config_each(c, "kafka", take_credential, &f);
    config_each(c, own, take_credential, &f);
    if (f.username != NULL && f.password != NULL)
        rd_kafka_error_destroy(rd_kafka_sasl_set_credentials(rk, f.username, f.password));
}

void kafka_topic_name(const struct config *c, const char *name, char out[250])
{
    (void)snprintf(out, 250, "%s.%s", config_text(c, "topics.prefix"), name);
}

static enum log_level from_syslog(int level)
{
    if (level <= 3)
        return LOG_ERROR;
    if (level == 4)
        return LOG_WARN;
    return level <= 6 ? LOG_INFO : LOG_DEBUG;
}

bool kafka_conf_event(struct log *log, rd_kafka_event_t *event)
{
    const char *fac = NULL, *text = NULL;
    int level = 0;
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_LOG:
        if (rd_kafka_event_log(event, &fac, &text, &level) == 0)
            log_event(log, from_syslog(level), "kafka", NULL, text, LOG_S("facility", fac));
        return true;
    case RD_KAFKA_EVENT_ERROR:
        log_event(log, LOG_WARN, "kafka", NULL, rd_kafka_event_error_string(event),
                  LOG_S("code", rd_kafka_err2name(rd_kafka_event_error(event))));
        return true;
    default:
        return false;
    }
}
