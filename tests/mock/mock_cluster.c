#include "tests/mock/mock_cluster.h"

#include <stdio.h>
#include <stdlib.h>

struct mock_cluster {
    rd_kafka_t *rk;
    rd_kafka_mock_cluster_t *cluster;
};

static void silent(const rd_kafka_t *rk, int level, const char *fac, const char *text)
{
    (void)rk;
    (void)level;
    (void)fac;
    (void)text;
}

struct mock_cluster *mock_cluster_create(char *text, size_t n)
{
    struct mock_cluster *m = calloc(1, sizeof *m);
    if (m == NULL)
        return NULL;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, silent); /* it says that it has no servers, which is so */
    m->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, n);
    if (m->rk == NULL) {
        rd_kafka_conf_destroy(conf);
        free(m);
        return NULL;
    }
    m->cluster = rd_kafka_mock_cluster_new(m->rk, 1);
    if (m->cluster == NULL) {
        (void)snprintf(text, n, "the cluster does not start");
        mock_cluster_destroy(m);
        return NULL;
    }
    return m;
}

void mock_cluster_destroy(struct mock_cluster *m)
{
    if (m == NULL)
        return;
    if (m->cluster != NULL)
        rd_kafka_mock_cluster_destroy(m->cluster);
    rd_kafka_destroy(m->rk);
    free(m);
}

const char *mock_cluster_servers(const struct mock_cluster *m)
{
    return rd_kafka_mock_cluster_bootstraps(m->cluster);
}

bool mock_cluster_topic(struct mock_cluster *m, const char *name, int partitions)
{
    return rd_kafka_mock_topic_create(m->cluster, name, partitions, 1) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

bool mock_cluster_down(struct mock_cluster *m)
{
    return rd_kafka_mock_broker_set_down(m->cluster, 1) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

bool mock_cluster_up(struct mock_cluster *m)
{
    return rd_kafka_mock_broker_set_up(m->cluster, 1) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

bool mock_cluster_rtt(struct mock_cluster *m, int ms)
{
    return rd_kafka_mock_broker_set_rtt(m->cluster, 1, ms) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

bool mock_cluster_errors(struct mock_cluster *m, int api_key, rd_kafka_resp_err_t err, int n)
{
    rd_kafka_resp_err_t errors[16];
    if (n < 1 || n > 16)
        return false;
    for (int i = 0; i < n; i++)
        errors[i] = err;
    rd_kafka_mock_push_request_errors_array(m->cluster, (int16_t)api_key, (size_t)n, errors);
    return true;
}
