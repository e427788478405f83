#include "common/kafka/frame.h"

void frame_put(struct buf *out, int32_t schema_id)
{
    uint32_t id = (uint32_t)schema_id;
    unsigned char head[FRAME_BYTES] = {0, (unsigned char)(id >> 24), (unsigned char)(id >> 16), (unsigned char)(id >> 8), (unsigned char)id};
    buf_put(out, head, sizeof head);
}

enum rc frame_parse(const void *p, size_t n, int32_t *schema_id, const unsigned char **avro, size_t *avro_n, struct err *e)
{
    const unsigned char *byte = p;
    if (n < FRAME_BYTES) {
        err_set(e, "frame: %zu bytes are shorter than a frame", n);
        return RC_REJECT;
    }
    if (byte[0] != 0) {
        err_set(e, "frame: the first byte is %u instead of 0", byte[0]);
        return RC_REJECT;
    }
    uint32_t id = (uint32_t)byte[1] << 24 | (uint32_t)byte[2] << 16 | (uint32_t)byte[3] << 8 | byte[4];
    if (id == 0 || id > INT32_MAX) { /* registries count in signed 32 bits, from 1 */
        err_set(e, "frame: schema id %lu is out of range", (unsigned long)id);
        return RC_REJECT;
    }
    *schema_id = (int32_t)id;
    *avro = byte + FRAME_BYTES;
    *avro_n = n - FRAME_BYTES;
    return RC_OK;
}
