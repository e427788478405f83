#include "consumer/erp_sink.h"

#include <string.h>

#include "consumer/sink_file.h"
#include "consumer/sink_http.h"
#include "consumer/sink_sql.h"

static const struct erp_sink_ops *const sinks[] = {&sink_http_ops, &sink_sql_ops, &sink_file_ops};

const struct erp_sink_ops *erp_sink_find(const char *name)
{
    for (size_t i = 0; i < sizeof sinks / sizeof *sinks; i++)
        if (strcmp(sinks[i]->name, name) == 0)
            return sinks[i];
    return NULL;
}
