/* JSON text of an order -> Avro, driven by a plan compiled from Order.avsc: each field's "xsale" attribute names JSON Pointers relative to
 * its record, tried in order; "bridge" names a value that the bridge fills in; "volatile" leaves the field out of the revision.
 * Of several pointers the first wins that leads to more than null, "" or an empty array. (order_plan.h lists all attributes.)
 * An array of records may name a join instead of a pointer: {"array": "/OrderItemArticles", "reference": "/OrderItemId", "to": "/Id"} takes the
 * elements of the order's array whose reference equals the item's value.
 * Two steps: order_encoder_read does the work and tells what the order is; order_encoder_write fills in what is decided afterwards.
 * Steady state allocates nothing. Thread rule: one owner. */
#ifndef BRIDGE_CONTRACT_ORDER_ENCODER_H
#define BRIDGE_CONTRACT_ORDER_ENCODER_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/contract/json_tape.h"
#include "common/contract/schema.h"
#include "common/contract/warehouse_set.h"
#include "common/contract/zone.h"

enum { ORDER_REVISION_BYTES = 17, ORDER_DEPTH = 512 };

/* Which warehouse an order goes to that names none, and which exist. Texts borrowed while the encoder lives. */
struct warehouse_rules {
    const char *const *known; /* known_n; 0: not checked */
    size_t known_n;
    const char *initial; /* warehouses.default; "": none */
    struct warehouse_channel {
        int64_t integration_id;
        const char *warehouse;
    } const *channels; /* channels_n */
    size_t channels_n;
};

struct order_facts {       /* valid until the next read */
    bool has_id;           /* order_id is usable, also when the order was rejected */
    int64_t order_id;
    bool has_status;
    int64_t status_id;
    char revision[ORDER_REVISION_BYTES]; /* 16 hex digits, zero; of the text's bytes when rejected; "" after a peek */
    struct warehouse_set warehouses;     /* those with something to deliver; none when rejected */
    const char *text;      /* the order's exact bytes, text_n, borrowed */
    size_t text_n;
};

struct order_stamp {       /* what the bridge decides; borrowed */
    const char *organization;
    int64_t publication, round, fetched_at; /* ms */
    bool withdrawn;
    bool raw;              /* keep the exact bytes */
    const struct warehouse_set *warehouses; /* all that the publication names; NULL: the order's own */
};

struct order_encoder;

/* s, z and rules are borrowed while the encoder lives. RC_REJECT: the schema cannot be a mapping; words name the field. */
enum rc order_encoder_create(const struct schema *s, const struct zone *z, const struct warehouse_rules *rules, struct order_encoder **out,
                             struct err *e);
void order_encoder_destroy(struct order_encoder *enc);

/* Encodes the order at `order` on the tape. facts is filled as far as possible in every case. RC_REJECT: this order cannot become a record;
 * words name the JSON Pointer and the reason, never the value. */
enum rc order_encoder_read(struct order_encoder *enc, const struct json_tape *t, uint32_t order, struct order_facts *facts, struct err *e);
/* Instead of a read, for the withdrawal of an order that cannot be read any more: only its id and revision (16 hex digits) are known. No lines; every other field is
 * its default, null, or else the least that its type can say. RC_FATAL: memory. */
enum rc order_encoder_vanished(struct order_encoder *enc, int64_t order_id, const char *revision, struct err *e);
/* Appends the Avro bytes (no frame) of the order read last, whose text must still be there when raw is kept. RC_REJECT: larger than out's limit. */
enum rc order_encoder_write(const struct order_encoder *enc, const struct order_stamp *stamp, struct buf *out, struct err *e);
/* Only id and status (a look at an order): facts->has_id, has_status. RC_REJECT: no usable id. */
enum rc order_encoder_peek(const struct order_encoder *enc, const struct json_tape *t, uint32_t order, struct order_facts *facts,
                           struct err *e);

#endif
