/* Which consumer groups there are under a prefix and how far each has read one topic; for an operator's overview. Asked once, in the worker, a few seconds long at
 * most for each group. Source: Kafka protocol, ListGroups, OffsetFetch. Thread rule: the loop's thread. */
#ifndef BRIDGE_KAFKA_GROUP_SURVEY_H
#define BRIDGE_KAFKA_GROUP_SURVEY_H

#include "common/base/config.h"
#include "common/base/log.h"
#include "common/kafka/reader.h"
#include "common/net/health.h"
#include "common/net/loop.h"
#include "common/net/worker.h"

enum { SURVEY_GROUPS_MAX = 128, SURVEY_PARTITIONS_MAX = 10000 };

struct survey_bound {
    int64_t first, start, end; /* the earliest that is left; where reading from `from` begins; one past the last record */
};

struct survey_group {
    char name[256];
    int64_t *committed; /* bounds_n, by partition; -1: none */
};

struct survey {
    struct survey_bound *bounds; /* bounds_n, by partition */
    size_t bounds_n;
    struct survey_group *groups; /* groups_n */
    size_t groups_n;
    char words[300]; /* "": the list of groups is whole; else why it may lack some (an embedded broker knows no such question) */
};

/* RC_OK: s, borrowed during the call. RC_RETRY: no answer, words say why. */
typedef void group_survey_fn(void *arg, enum rc rc, const struct survey *s, const char *words);

struct group_survey;

/* from->topic and where reading would begin; copied. prefix: of the groups' names. named: named_n >= 1 names that are asked for all the same. done: once, not from inside
 * create. RC_FATAL: configuration or memory. */
enum rc group_survey_create(struct loop *l, struct worker *w, const struct config *c, struct log *log, struct health *h, const struct reader_start *from,
                            const char *prefix, const char *const *named, size_t named_n, group_survey_fn *done, void *arg, struct group_survey **out,
                            struct err *e);
void group_survey_destroy(struct group_survey *g); /* allowed from inside done; an open question gets no answer; NULL is a no-op */

#endif
