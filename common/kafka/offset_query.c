#include "common/kafka/offset_query.h"

rd_kafka_resp_err_t offset_query(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *list, int64_t what, int wait_ms, int *failed)
{
    *failed = -1;
    if (list->cnt == 0)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; i < list->cnt; i++) {
        list->elems[i].offset = what;
        list->elems[i].err = RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    rd_kafka_resp_err_t err = rd_kafka_offsets_for_times(rk, list, wait_ms); /* "times" are the protocol's: -1 the end, -2 the beginning */
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return err;
    for (int i = 0; i < list->cnt; i++) {
        *failed = i;
        if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR)
            return list->elems[i].err;
        if (list->elems[i].offset < 0) /* not among the answers */
            return RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
    }
    *failed = -1;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}
