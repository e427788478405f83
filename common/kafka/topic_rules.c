#include "common/kafka/topic_rules.h"

#include <stdlib.h>
#include <string.h>

const struct topic_row topic_table[TOPIC_COUNT] = {
    [TOPIC_ORDERS] = {"orders", 0, "delete", "2592000000", "LogAppendTime"},
    [TOPIC_STATE] = {"order-state", 1, "compact", NULL, "LogAppendTime"},
    [TOPIC_OUTCOMES] = {"order-outcomes", 0, "delete", "2592000000", NULL},
    [TOPIC_STATUS] = {"order-status", 0, "compact,delete", "31536000000", NULL},
    [TOPIC_DLQ] = {"orders-dlq", 1, "delete", "2592000000", NULL},
};

static bool has_word(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = list; *at != '\0'; at += *at == ',') {
        at += strspn(at, " ");
        size_t length = strcspn(at, ", ");
        if (length == n && strncmp(at, word, n) == 0)
            return true;
        at += strcspn(at, ",");
    }
    return false;
}

static const char *danger_of_cleanup(int topic, const char *cleanup)
{
    bool compacted = has_word(cleanup, "compact"), deleted = has_word(cleanup, "delete");
    switch (topic) {
    case TOPIC_STATE:
        if (deleted)
            return "old rows would be deleted and their orders published again";
        return compacted ? NULL : "it has to be compacted";
    case TOPIC_STATUS:
        return compacted ? NULL : "it has to be compacted, or the ledger's newest rows are lost";
    default:
        return compacted ? "compaction would drop records before they are read" : NULL;
    }
}

static enum rc check_cleanup(int topic, const struct topic_seen *seen, const char *prefix, const char *servers, struct err *e)
{
    const struct topic_row *row = &topic_table[topic];
    const char *danger = seen->cleanup[0] == '\0' ? NULL : danger_of_cleanup(topic, seen->cleanup);
    if (danger == NULL)
        return RC_OK;
    err_set(e,
            "topic %s.%s has cleanup.policy=%s: %s; mend it with: kafka-configs.sh --bootstrap-server %s --alter --entity-type topics "
            "--entity-name %s.%s --add-config cleanup.policy=[%s]",
            prefix, row->name, seen->cleanup, danger, servers, prefix, row->name, row->cleanup);
    return RC_FATAL;
}

/* orders, order-outcomes and order-status are joined by partition. */
static enum rc check_counts(const struct topic_seen seen[TOPIC_COUNT], const char *prefix, const char *servers, struct err *e)
{
    static const int joined[] = {TOPIC_ORDERS, TOPIC_OUTCOMES, TOPIC_STATUS};
    int most = 0;
    for (size_t i = 0; i < sizeof joined / sizeof joined[0]; i++)
        if (seen[joined[i]].partitions > seen[joined[most]].partitions)
            most = (int)i;
    for (size_t i = 0; i < sizeof joined / sizeof joined[0]; i++) {
        int n = seen[joined[i]].partitions;
        if (n == 0 || n == seen[joined[most]].partitions)
            continue;
        const char *name = topic_table[joined[i]].name;
        err_set(e,
                "topic %s.%s has %d partitions, %s.%s has %d, and the same order must lie in the same partition of both; before "
                "records are written, mend it with: kafka-topics.sh --bootstrap-server %s --alter --topic %s.%s --partitions %d",
                prefix, name, n, prefix, topic_table[joined[most]].name, seen[joined[most]].partitions, servers, prefix, name,
                seen[joined[most]].partitions);
        return RC_FATAL;
    }
    if (seen[TOPIC_STATE].partitions > 1) {
        err_set(e,
                "topic %s.order-state has %d partitions and needs exactly one, whose owner is the one producer that polls; delete it "
                "while no producer runs and it is made anew: kafka-topics.sh --bootstrap-server %s --delete --topic %s.order-state",
                prefix, seen[TOPIC_STATE].partitions, servers, prefix);
        return RC_FATAL;
    }
    return RC_OK;
}

enum rc topic_rules_check(const struct topic_seen seen[TOPIC_COUNT], const char *prefix, const char *servers, struct err *e)
{
    for (int i = 0; i < TOPIC_COUNT; i++) {
        enum rc rc = seen[i].partitions == 0 ? RC_OK : check_cleanup(i, &seen[i], prefix, servers, e);
        if (rc != RC_OK)
            return rc;
    }
    return check_counts(seen, prefix, servers, e);
}

bool topic_rules_wrong_time(int topic, const struct topic_seen *seen)
{
    const char *wanted = topic_table[topic].timestamp;
    return wanted != NULL && seen->timestamp[0] != '\0' && strcmp(seen->timestamp, wanted) != 0;
}

bool topic_rules_short_retention(int topic, const struct topic_seen *seen)
{
    const char *wanted = topic_table[topic].retention;
    if (wanted == NULL || seen->retention[0] == '\0')
        return false;
    long long kept = strtoll(seen->retention, NULL, 10); /* -1: for ever */
    return kept >= 0 && kept < strtoll(wanted, NULL, 10);
}

void topic_rules_command(int topic, const char *prefix, const char *servers, int partitions, struct buf *out)
{
    const struct topic_row *row = &topic_table[topic];
    buf_printf(out, "kafka-topics.sh --bootstrap-server %s --create --topic %s.%s --partitions %d --config cleanup.policy=%s", servers,
               prefix, row->name, partitions, row->cleanup);
    if (row->retention != NULL)
        buf_printf(out, " --config retention.ms=%s", row->retention);
    if (row->timestamp != NULL)
        buf_printf(out, " --config message.timestamp.type=%s", row->timestamp);
}
