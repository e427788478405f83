#include "common/kafka/registry_local.h"

#include <stddef.h>
#include <string.h>

#include "common/contract/schema.h"

static const struct {
    const char *name, *schema;
} table[] = {
    /* by id - 1; ids stand in records, so rows stay where they are */
    {"orders", "Order"},
    {"order-state", "OrderState"},
    {"order-outcomes", "OrderOutcome"},
    {"order-status", "OrderStatus"},
};

enum { IDS = sizeof table / sizeof table[0] };

int32_t registry_local_id(const char *topic)
{
    const char *dot = strrchr(topic, '.');
    for (int32_t i = 0; dot != NULL && i < IDS; i++)
        if (strcmp(dot + 1, table[i].name) == 0)
            return i + 1;
    return 0;
}

const char *registry_local_text(int32_t id)
{
    return id > 0 && id <= IDS ? schema_builtin(table[id - 1].schema) : NULL;
}
