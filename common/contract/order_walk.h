/* The walk over one order by the plan: JSON nodes in, Avro bytes out, with holes where the bridge fills in. Used by order_encoder alone.
 * Thread rule: one owner. */
#ifndef BRIDGE_CONTRACT_ORDER_WALK_H
#define BRIDGE_CONTRACT_ORDER_WALK_H

#include "common/contract/order_encoder.h"
#include "common/contract/order_join.h"
#include "common/contract/order_plan.h"

enum {
    ORDER_ELEMENTS_MAX = 100000,       /* lines, articles and elements of other arrays together */
    ORDER_BYTES_MAX = 16 * 1024 * 1024, /* of an encoded order without its raw bytes */
    ORDER_WALK_PATH = 3 * ORDER_PLAN_DEPTH
};

/* A step of the way to where the walk is, for the words of a rejection. */
struct walk_step {
    const char *pointer;
    uint32_t index; /* of an array's element; UINT32_MAX: none */
    bool absolute;  /* begins at the order, whatever stands before */
};

struct order_walk {
    struct order_plan *plan;
    const struct zone *zone;
    const struct warehouse_rules *rules;
    const struct json_tape *tape;
    uint32_t order; /* node */
    struct err *e;
    struct buf body;    /* the encoded fields one behind the other, nothing at the holes */
    size_t *ends;       /* in body, behind each of the order's fields */
    struct buf scratch; /* an unescaped text */
    struct order_joined *joined; /* plan->joins of them */
    struct walk_step path[ORDER_WALK_PATH];
    size_t path_n;
    size_t elements, articles;
    char own[ORDER_WAREHOUSE_BYTES]; /* the order's warehouse; "": none */
    struct warehouse_set warehouses; /* with something to deliver */
};

/* RC_OK or RC_FATAL (memory). plan is owned from here on, also after a failure. */
enum rc order_walk_init(struct order_walk *w, struct order_plan *plan, struct err *e);
void order_walk_release(struct order_walk *w);

/* Binds the order's object; RC_REJECT: not an object, or a mapped key is there twice. */
enum rc order_walk_begin(struct order_walk *w, const struct json_tape *t, uint32_t order, struct err *e);
/* The integer of a field of the order, as far as it can be told; false: none. After order_walk_begin. */
bool order_walk_integer(const struct order_walk *w, const struct order_field *f, int64_t *out);
/* Everything else. */
enum rc order_walk_encode(struct order_walk *w, int64_t order_id);

#endif
