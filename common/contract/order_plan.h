/* A mapping compiled from the schema of an order: what of the JSON becomes which Avro field, in the schema's order. Everything that the schema says wrongly
 * is found here, so that the walk over an order has nothing left to ask. Attributes of a field:
 *   "xsale"     JSON Pointers relative to the field's record, tried in order; "" (alone): a record made of the same object; a join for an array of records:
 *               {"array": pointer from the order, "reference": pointer from the element, "to": pointer from the field's record}
 *   "bridge"    a value that the bridge fills in: organization, revision, publication, round, withdrawn, warehouses, fetchedAt, raw; fields of the order only
 *   "volatile"  not in the revision; fields of the order only
 *   "required"  an order without it is rejected
 *   "resolve"   "warehouse": the order's or an article's warehouse, found by the warehouse rules
 *   "symbols"   for an enum: {"text in xSale": "SYMBOL"}; a text that is a symbol needs none
 * orderId, items and items.articles are known by their names, as are integrationId and statusId.
 * Thread rule: one owner (the scopes are scratch). */
#ifndef BRIDGE_CONTRACT_ORDER_PLAN_H
#define BRIDGE_CONTRACT_ORDER_PLAN_H

#include "common/contract/order_scope.h"
#include "common/contract/schema.h"

enum { ORDER_PLAN_DEPTH = 16, ORDER_PLAN_FIELDS = 4096 };

enum order_kind {
    ORDER_BOOLEAN,
    ORDER_INT,
    ORDER_LONG,
    ORDER_DATE,
    ORDER_MOMENT,
    ORDER_DECIMAL,
    ORDER_TEXT,
    ORDER_ENUM,
    ORDER_RECORD,
    ORDER_ARRAY
};

enum order_bridge {
    ORDER_BRIDGE_NONE,
    ORDER_BRIDGE_ORGANIZATION,
    ORDER_BRIDGE_REVISION,
    ORDER_BRIDGE_PUBLICATION,
    ORDER_BRIDGE_ROUND,
    ORDER_BRIDGE_WITHDRAWN,
    ORDER_BRIDGE_WAREHOUSES,
    ORDER_BRIDGE_FETCHED_AT,
    ORDER_BRIDGE_RAW,
    ORDER_BRIDGES
};

enum order_role {
    ORDER_ROLE_NONE,
    ORDER_ROLE_ID,
    ORDER_ROLE_ITEMS,
    ORDER_ROLE_ARTICLES,
    ORDER_ROLE_WAREHOUSE,        /* the order's */
    ORDER_ROLE_ARTICLE_WAREHOUSE
};

/* What the walk does with a field, said once. */
enum order_shape {
    ORDER_SHAPE_HOLE, /* the bridge fills it in afterwards */
    ORDER_SHAPE_DEFAULT,
    ORDER_SHAPE_SAME, /* a record made of the same object */
    ORDER_SHAPE_WAREHOUSE,
    ORDER_SHAPE_ARTICLE_WAREHOUSE,
    ORDER_SHAPE_ARRAY,
    ORDER_SHAPE_RECORD, /* from the first pointer that says something */
    ORDER_SHAPE_SCALAR  /* the same */
};

struct order_symbol {
    const char *text;
    size_t n;
    uint32_t index;
};

struct order_value {
    enum order_kind kind;
    bool nullable;
    unsigned char null_branch, value_branch; /* as encoded */
    int precision, scale;
    const struct order_symbol *symbols; /* symbols_n; the table of the attribute first */
    size_t symbols_n;
    const struct order_record *record;
    const struct order_value *items;
};

struct order_join {
    const char *array, *reference, *to;
    uint32_t array_slot; /* in the order's scope */
    uint32_t to_slot;    /* in the scope of the field's record */
    size_t number;       /* below order_plan.joins */
};

struct order_source {
    const char *pointer;
    uint32_t slot;
    const struct order_join *join; /* NULL: a pointer */
};

struct order_field {
    const char *name;
    struct order_value value;
    const struct order_source *sources; /* sources_n; none: filled in by the bridge or by the default */
    size_t sources_n;
    const unsigned char *initial; /* the default's encoding, initial_n; NULL: none */
    size_t initial_n;
    enum order_bridge bridge;
    enum order_role role;
    enum order_shape shape;
    bool required, changing; /* changing: "volatile" */
    bool same;               /* a record made of the same object */
};

struct order_record {
    struct order_field *fields; /* fields_n */
    size_t fields_n;
    struct order_scope *scope;
    bool own_scope; /* false: it is that of the record around it */
};

struct order_plan {
    struct arena arena;
    const struct order_record *order;
    const struct order_field *id, *items, *status, *integration, *warehouse; /* the last three may be NULL */
    const struct order_field *bridged[ORDER_BRIDGES];
    bool article_warehouse; /* articles carry a warehouse of their own */
    size_t joins;
};

/* s is borrowed while the plan lives. RC_REJECT: not a mapping; words name the field. */
enum rc order_plan_create(const struct schema *s, struct order_plan **out, struct err *e);
void order_plan_destroy(struct order_plan *p);

#endif
