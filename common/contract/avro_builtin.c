#include "common/contract/avro_builtin.h"

#include <string.h>
#include <threads.h>

static struct builtin {
    struct schema *schema;
    avro_value_iface_t *class;
} builtins[AVRO_BUILTINS];

static void read_builtins(void)
{
    static const char *const names[AVRO_BUILTINS] = {"OrderOutcome", "OrderStatus", "OrderState"};
    for (size_t i = 0; i < AVRO_BUILTINS; i++) {
        const char *text = schema_builtin(names[i]);
        if (text == NULL || schema_parse(text, strlen(text), &builtins[i].schema, NULL) != RC_OK)
            continue;
        builtins[i].class = avro_generic_class_from_schema(schema_avro(builtins[i].schema));
    }
}

static struct builtin *builtin(enum avro_builtin which)
{
    static once_flag once = ONCE_FLAG_INIT;
    call_once(&once, read_builtins);
    return &builtins[which];
}

const struct schema *avro_builtin_schema(enum avro_builtin which)
{
    return builtin(which)->schema;
}

avro_value_iface_t *avro_builtin_class(enum avro_builtin which)
{
    return builtin(which)->class;
}
