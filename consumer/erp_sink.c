#include "consumer/erp_sink.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "consumer/sink_file.h"
#include "consumer/sink_http.h"

static const struct erp_sink_ops *const sinks[] = {&sink_http_ops, &sink_file_ops};

const struct erp_sink_ops *erp_sink_find(const char *name)
{
    for (size_t i = 0; i < sizeof sinks / sizeof *sinks; i++)
        if (strcmp(sinks[i]->name, name) == 0)
            return sinks[i];
    return NULL;
}

void erp_sink_problem(struct config_problems *problems, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    if (vsnprintf(line, sizeof line, format, args) < 0)
        line[0] = '\0';
    va_end(args);
    buf_put_text(&problems->text, line);
    buf_put_byte(&problems->text, '\n');
    problems->count++;
}
