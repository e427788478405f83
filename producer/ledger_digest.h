/* Finished orders of the ledger, 24 bytes each: open addressing over a flat array, grown by doubling, cleaned of what is too old when it grows.
 * Pure; thread rule: one owner. */
#ifndef BRIDGE_PRODUCER_LEDGER_DIGEST_H
#define BRIDGE_PRODUCER_LEDGER_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ledger_digest {
    uint64_t *words; /* cap entries of three words: key, publication << 8 | flags, offset << 16 | partition */
    size_t cap;      /* entries; a power of two, or 0 */
    size_t n;
    int64_t remember_ms;
};

struct ledger_digest_entry {
    int64_t publication; /* ms, < 2^55 */
    uint8_t flags;       /* 0..255, the owner's */
    int64_t offset;      /* < 2^47 */
    uint16_t partition;
};

void ledger_digest_init(struct ledger_digest *d, int64_t remember_ms);
void ledger_digest_release(struct ledger_digest *d);
/* order_id > 0. false: out of memory. */
bool ledger_digest_put(struct ledger_digest *d, int64_t order_id, const struct ledger_digest_entry *e, int64_t now_ms);
bool ledger_digest_get(const struct ledger_digest *d, int64_t order_id, struct ledger_digest_entry *out);
void ledger_digest_remove(struct ledger_digest *d, int64_t order_id);
/* Removes every entry whose partition is this one. */
void ledger_digest_drop(struct ledger_digest *d, int32_t partition);

#endif
