#include "tests/fuzz/schema_table.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"

static const char *const builtin[] = {"Order", "OrderOutcome", "OrderStatus", "OrderState"};

static const char *const others[] = {
    /* every kind */
    "{\"type\":\"record\",\"name\":\"R\",\"fields\":["
    "{\"name\":\"b\",\"type\":\"boolean\"},{\"name\":\"i\",\"type\":\"int\"},{\"name\":\"l\",\"type\":\"long\"},"
    "{\"name\":\"f\",\"type\":\"float\"},{\"name\":\"d\",\"type\":\"double\"},{\"name\":\"s\",\"type\":\"string\"},"
    "{\"name\":\"y\",\"type\":\"bytes\"},{\"name\":\"x\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":3}},"
    "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}},"
    "{\"name\":\"u\",\"type\":[\"null\",\"long\",\"string\"]},"
    "{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":\"int\"}},"
    "{\"name\":\"t\",\"type\":{\"type\":\"int\",\"logicalType\":\"date\"}},"
    "{\"name\":\"z\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}},"
    "{\"name\":\"w\",\"type\":{\"type\":\"fixed\",\"name\":\"W\",\"size\":5,\"logicalType\":\"decimal\",\"precision\":9,\"scale\":2}},"
    "{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"I\",\"fields\":["
    "{\"name\":\"q\",\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4,\"scale\":2}},"
    "{\"name\":\"t\",\"type\":\"string\"}]}}}]}",
    /* a nesting bomb needs a type that holds itself */
    "{\"type\":\"record\",\"name\":\"L\",\"fields\":[{\"name\":\"v\",\"type\":\"int\"},{\"name\":\"next\",\"type\":[\"null\",\"L\"]}]}",
    "{\"type\":\"record\",\"name\":\"T\",\"fields\":[{\"name\":\"v\",\"type\":[\"string\",\"null\"]},"
    "{\"name\":\"down\",\"type\":{\"type\":\"array\",\"items\":\"T\"}}]}",
    /* items that take no bytes (a record without any field avro-c cannot hold in an array) */
    "{\"type\":\"array\",\"items\":\"null\"}",
    "{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"N\",\"fields\":[{\"name\":\"n\",\"type\":\"null\"}]}}",
    "{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":\"long\"}}",
    "{\"type\":\"map\",\"values\":{\"type\":\"map\",\"values\":[\"null\",\"bytes\"]}}",
    /* roots that are no records */
    "[\"null\",\"string\",{\"type\":\"fixed\",\"name\":\"F\",\"size\":1},{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}]",
    "\"double\"",
    /* lists of nothing inside a list, and the same without them */
    "{\"type\":\"record\",\"name\":\"Rows\",\"fields\":[{\"name\":\"rows\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"Row\","
    "\"fields\":[{\"name\":\"nothing\",\"type\":{\"type\":\"array\",\"items\":\"null\"},\"default\":[]},{\"name\":\"k\",\"type\":\"long\"}]}}}]}",
    "{\"type\":\"record\",\"name\":\"Rows\",\"fields\":[{\"name\":\"rows\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"Row\","
    "\"fields\":[{\"name\":\"k\",\"type\":\"double\"}]}}}]}",
    /* the outcome of an older version: other order, an enum with other symbols, promotions */
    "{\"type\":\"record\",\"name\":\"OrderOutcome\",\"namespace\":\"xsale\",\"fields\":["
    "{\"name\":\"result\",\"type\":{\"type\":\"enum\",\"name\":\"OutcomeResult\",\"symbols\":[\"REJECTED\",\"IMPORTED\",\"WITHDRAWN\",\"SUPERSEDED\"]}},"
    "{\"name\":\"organization\",\"type\":\"string\"},{\"name\":\"orderId\",\"type\":\"int\"},{\"name\":\"revision\",\"type\":\"string\"},"
    "{\"name\":\"publication\",\"type\":\"long\"},{\"name\":\"warehouse\",\"type\":\"string\"},"
    "{\"name\":\"warehouses\",\"type\":{\"type\":\"array\",\"items\":\"string\"}},{\"name\":\"attempts\",\"type\":\"int\"},"
    "{\"name\":\"gone\",\"type\":{\"type\":\"map\",\"values\":[\"null\",\"double\"]}},{\"name\":\"at\",\"type\":\"long\"}]}",
};

enum { TABLE = sizeof builtin / sizeof builtin[0] + sizeof others / sizeof others[0] };

size_t schema_table_count(void)
{
    return TABLE;
}

const struct schema *schema_table_at(size_t i)
{
    static struct schema *parsed[TABLE];
    struct err e;
    FUZZ_CHECK(i < TABLE, "in the table");
    if (parsed[i] == NULL) {
        const char *text = i < SCHEMA_TABLE_OTHERS ? schema_builtin(builtin[i]) : others[i - SCHEMA_TABLE_OTHERS];
        FUZZ_CHECK(text != NULL, "built in");
        if (schema_parse(text, strlen(text), &parsed[i], &e) != RC_OK)
            FUZZ_CHECK(false, e.text);
    }
    return parsed[i];
}
