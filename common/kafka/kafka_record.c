#include "common/kafka/kafka_record.h"

#include <string.h>

const struct kafka_header *kafka_record_header(const struct kafka_record *r, const char *name)
{
    for (size_t i = r->headers_n; i > 0; i--)
        if (strcmp(r->headers[i - 1].name, name) == 0)
            return &r->headers[i - 1];
    return NULL;
}
