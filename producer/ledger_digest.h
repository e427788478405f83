/* Finished orders of the ledger, 24 bytes each: open addressing over flat arrays, 27 to 32 bytes with what is free in them. Many small tables, so that only one of them stands
 * twice while it grows; each is cleaned of what is too old then. Pure; thread rule: one owner. */
#ifndef BRIDGE_PRODUCER_LEDGER_DIGEST_H
#define BRIDGE_PRODUCER_LEDGER_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LEDGER_DIGEST_TABLES = 64 };

struct ledger_digest {
    struct ledger_digest_table {
        uint64_t *words; /* cap entries of three words: key, publication << 8 | flags, offset << 16 | partition */
        uint32_t cap, n; /* entries */
    } tables[LEDGER_DIGEST_TABLES];
    size_t n; /* in all of them */
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
