#include "consumer/newest.h"

#include <stdlib.h>

#include <xxhash.h>

enum { FILTER_BITS_A_KEY = 16, ROWS_FIRST = 1024 };

struct row {
    uint64_t hash; /* 0: free */
    int64_t publication;
};

struct newest {
    size_t most, count;
    struct row *rows; /* open addressing, at most 7/8 full */
    size_t rows_n;
    uint64_t *filter;
    uint64_t filter_bits;
};

/* Spreads over 0 .. n - 1 by the high bits; unlike a mask it fits any n. */
static size_t place(uint64_t hash, uint64_t n)
{
    return (size_t)(((__uint128_t)hash * n) >> 64);
}

struct newest *newest_create(size_t most)
{
    struct newest *n = calloc(1, sizeof *n);
    if (n == NULL)
        return NULL;
    n->most = most;
    n->filter_bits = (most < ROWS_FIRST ? ROWS_FIRST : (uint64_t)most) * FILTER_BITS_A_KEY;
    n->rows_n = ROWS_FIRST;
    n->rows = calloc(n->rows_n, sizeof *n->rows);
    n->filter = calloc(n->filter_bits / 64 + 1, sizeof *n->filter);
    if (n->rows != NULL && n->filter != NULL)
        return n;
    newest_destroy(n);
    return NULL;
}

void newest_destroy(struct newest *n)
{
    if (n == NULL)
        return;
    free(n->rows);
    free(n->filter);
    free(n);
}

static uint64_t hash_of(const void *key, size_t key_n, const char *warehouse, size_t warehouse_n)
{
    uint64_t hash = XXH3_64bits_withSeed(warehouse, warehouse_n, XXH3_64bits(key, key_n));
    return hash != 0 ? hash : 1;
}

/* Sets the bit; true: it was set. */
static bool filter_bit(struct newest *n, uint64_t at)
{
    uint64_t *word = &n->filter[at / 64], bit = UINT64_C(1) << (at % 64);
    bool was = (*word & bit) != 0;
    *word |= bit;
    return was;
}

static bool seen_before(struct newest *n, uint64_t hash)
{
    bool one = filter_bit(n, place(hash, n->filter_bits));
    bool two = filter_bit(n, place(hash * UINT64_C(0x9E3779B97F4A7C15), n->filter_bits));
    return one && two;
}

/* The row of that hash, or the free one where it belongs. */
static struct row *row_find(struct row *rows, size_t rows_n, uint64_t hash)
{
    size_t i = place(hash, rows_n);
    while (rows[i].hash != 0 && rows[i].hash != hash)
        i = i + 1 < rows_n ? i + 1 : 0;
    return &rows[i];
}

static bool grow(struct newest *n)
{
    size_t rows_n = n->rows_n + n->rows_n / 2, enough = n->most + n->most / 7 + 8;
    if (rows_n > enough)
        rows_n = enough;
    struct row *rows = rows_n > n->rows_n ? calloc(rows_n, sizeof *rows) : NULL;
    if (rows == NULL)
        return false;
    for (size_t i = 0; i < n->rows_n; i++)
        if (n->rows[i].hash != 0)
            *row_find(rows, rows_n, n->rows[i].hash) = n->rows[i];
    free(n->rows);
    n->rows = rows;
    n->rows_n = rows_n;
    return true;
}

bool newest_note(struct newest *n, const void *key, size_t key_n, const char *warehouse, size_t warehouse_n, int64_t publication)
{
    uint64_t hash = hash_of(key, key_n, warehouse, warehouse_n);
    if (!seen_before(n, hash))
        return true;
    struct row *row = row_find(n->rows, n->rows_n, hash);
    if (row->hash == 0) {
        if (n->count == n->most)
            return false;
        if (n->count + 1 > n->rows_n - n->rows_n / 8) {
            if (!grow(n))
                return false;
            row = row_find(n->rows, n->rows_n, hash);
        }
        row->hash = hash;
        n->count++;
    }
    if (publication > row->publication)
        row->publication = publication;
    return true;
}

int64_t newest_publication(const struct newest *n, const void *key, size_t key_n, const char *warehouse, size_t warehouse_n)
{
    return row_find(n->rows, n->rows_n, hash_of(key, key_n, warehouse, warehouse_n))->publication;
}

size_t newest_count(const struct newest *n)
{
    return n->count;
}
