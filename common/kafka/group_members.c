#include "common/kafka/group_members.h"

#include <stdio.h>
#include <string.h>

enum { DESCRIBES_FROM = 0x020a0000 };

static void put(struct group_members *m, size_t i, const char *client, const char *host)
{
    if (i >= GROUP_MEMBERS_SHOWN)
        return;
    (void)snprintf(m->shown[i].client, sizeof m->shown[i].client, "%s", client != NULL ? client : "");
    (void)snprintf(m->shown[i].host, sizeof m->shown[i].host, "%s", host != NULL ? host : "");
}

static void put_state(struct group_members *m, const char *state, size_t n)
{
    (void)snprintf(m->state, sizeof m->state, "%s", state);
    m->n = n;
    m->active = n > 0 || (strcmp(state, "Empty") != 0 && strcmp(state, "Dead") != 0);
}

static void take_listed(struct group_members *m, const struct rd_kafka_group_info *info)
{
    put_state(m, info->state != NULL ? info->state : "", (size_t)(info->member_cnt > 0 ? info->member_cnt : 0));
    for (size_t i = 0; i < m->n; i++)
        put(m, i, info->members[i].client_id, info->members[i].client_host);
}

static rd_kafka_resp_err_t ask_list(rd_kafka_t *rk, const char *group, int wait_ms, struct group_members *m)
{
    const struct rd_kafka_group_list *list = NULL;
    rd_kafka_resp_err_t err = rd_kafka_list_groups(rk, group, &list, wait_ms);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR && err != RD_KAFKA_RESP_ERR__PARTIAL)
        return err;
    for (int i = 0; i < list->group_cnt; i++)
        if (strcmp(list->groups[i].group, group) == 0)
            take_listed(m, &list->groups[i]);
    rd_kafka_group_list_destroy(list);
    return strcmp(m->state, "Dead") == 0 ? err : RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t take_described(struct group_members *m, const rd_kafka_ConsumerGroupDescription_t *d)
{
    rd_kafka_resp_err_t err = rd_kafka_error_code(rd_kafka_ConsumerGroupDescription_error(d));
    if (err == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return err;
    put_state(m, rd_kafka_consumer_group_state_name(rd_kafka_ConsumerGroupDescription_state(d)), rd_kafka_ConsumerGroupDescription_member_count(d));
    for (size_t i = 0; i < m->n; i++) {
        const rd_kafka_MemberDescription_t *member = rd_kafka_ConsumerGroupDescription_member(d, i);
        put(m, i, rd_kafka_MemberDescription_client_id(member), rd_kafka_MemberDescription_host(member));
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t take_answer(struct group_members *m, rd_kafka_event_t *event)
{
    size_t n = 0;
    const rd_kafka_DescribeConsumerGroups_result_t *result = rd_kafka_event_DescribeConsumerGroups_result(event);
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return rd_kafka_event_error(event);
    const rd_kafka_ConsumerGroupDescription_t **groups = result != NULL ? rd_kafka_DescribeConsumerGroups_result_groups(result, &n) : NULL;
    return n == 1 ? take_described(m, groups[0]) : RD_KAFKA_RESP_ERR__BAD_MSG;
}

static rd_kafka_resp_err_t ask_description(rd_kafka_t *rk, const char *group, int wait_ms, struct group_members *m)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
    rd_kafka_resp_err_t err = rd_kafka_AdminOptions_set_request_timeout(options, wait_ms, NULL, 0);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_DescribeConsumerGroups(rk, &group, 1, options, queue);
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, wait_ms + 1000);
        err = event != NULL ? take_answer(m, event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
        rd_kafka_event_destroy(event);
    }
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    return err;
}

rd_kafka_resp_err_t group_members_ask(rd_kafka_t *rk, const char *group, int wait_ms, struct group_members *out)
{
    memset(out, 0, sizeof *out);
    put_state(out, "Dead", 0);
    rd_kafka_resp_err_t err = ask_list(rk, group, wait_ms, out);
    bool unseen = err == RD_KAFKA_RESP_ERR_NO_ERROR && strcmp(out->state, "Dead") == 0; /* or of the other protocol */
    return unseen && rd_kafka_version() >= DESCRIBES_FROM ? ask_description(rk, group, wait_ms, out) : err;
}
