#include "producer/kept_row.h"

#include <stdlib.h>
#include <string.h>

struct kept_result {
    int64_t at;
    int32_t attempts;
    uint8_t result;
    bool has_document, has_reason;
};

/* Behind it: results_n of kept_result, then zero-terminated texts: organization, warehouses as a list, status_found and note when there, then for each result
 * its warehouse, and its document and reason when there. */
struct kept_row {
    int64_t order_id, publication, round, settled_at;
    char revision[ORDER_REVISION_BYTES];
    uint8_t results_n, wanted, status_set;
    bool withdrawn, closed, complete, has_found, has_note;
    _Alignas(int64_t) unsigned char behind[];
};

static size_t room(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

static void put(char **at, const char *text)
{
    size_t n = room(text);
    if (n > 0)
        memcpy(*at, text, n);
    *at += n;
}

static const char *take(const char **at, bool there)
{
    const char *text = *at;
    if (!there)
        return NULL;
    *at += strlen(text) + 1;
    return text;
}

static size_t texts_size(const struct ledger_row *row, const char *list, size_t results_n)
{
    size_t n = room(row->organization) + room(list) + room(row->status_found) + room(row->note);
    for (size_t i = 0; i < results_n; i++)
        n += room(row->results[i].warehouse) + room(row->results[i].document_id) + room(row->results[i].reason);
    return n;
}

static void fill(struct kept_row *k, const struct ledger_row *row, const char *list)
{
    struct kept_result *results = (struct kept_result *)(void *)k->behind;
    char *at = (char *)(results + k->results_n);
    put(&at, row->organization);
    put(&at, list);
    put(&at, row->status_found);
    put(&at, row->note);
    for (size_t i = 0; i < k->results_n; i++) {
        const struct ledger_result *r = &row->results[i];
        results[i] = (struct kept_result){r->at, r->attempts, (uint8_t)r->result, r->document_id != NULL, r->reason != NULL};
        put(&at, r->warehouse);
        put(&at, r->document_id);
        put(&at, r->reason);
    }
}

struct kept_row *kept_row_create(const struct ledger_row *row)
{
    size_t n = row->results_n < KEPT_RESULTS_MAX ? row->results_n : KEPT_RESULTS_MAX;
    struct kept_row *k = NULL;
    struct buf list;
    buf_init(&list, (size_t)ORDER_WAREHOUSES * ORDER_WAREHOUSE_BYTES + 1);
    warehouse_set_print(&row->warehouses, &list);
    const char *text = buf_text(&list);
    if (text != NULL)
        k = malloc(sizeof *k + n * sizeof(struct kept_result) + texts_size(row, text, n));
    if (k != NULL) {
        *k = (struct kept_row){.order_id = row->order_id, .publication = row->publication, .round = row->round, .settled_at = row->settled_at,
                               .results_n = (uint8_t)n, .wanted = (uint8_t)row->wanted, .status_set = (uint8_t)row->status_set,
                               .withdrawn = row->withdrawn, .closed = row->closed, .complete = row->complete,
                               .has_found = row->status_found != NULL, .has_note = row->note != NULL};
        memcpy(k->revision, row->revision, sizeof k->revision);
        fill(k, row, text);
    }
    buf_release(&list);
    return k;
}

void kept_row_destroy(struct kept_row *k)
{
    free(k);
}

void kept_row_view(const struct kept_row *k, struct ledger_row *out, struct ledger_result *results)
{
    const struct kept_result *kept = (const struct kept_result *)(const void *)k->behind;
    const char *at = (const char *)(kept + k->results_n);
    out->organization = take(&at, true);
    out->order_id = k->order_id;
    memcpy(out->revision, k->revision, sizeof out->revision);
    out->publication = k->publication;
    out->round = k->round;
    out->withdrawn = k->withdrawn;
    const char *list = take(&at, true);
    out->warehouses.n = 0;
    if (list[0] != '\0')
        (void)warehouse_set_parse(&out->warehouses, list, strlen(list), NULL); /* printed by us */
    out->status_found = take(&at, k->has_found);
    out->note = take(&at, k->has_note);
    for (size_t i = 0; i < k->results_n; i++) {
        struct ledger_result *r = &results[i];
        const char *warehouse = take(&at, true);
        memcpy(r->warehouse, warehouse, strlen(warehouse) + 1); /* came from such a room */
        r->result = (enum outcome_result)kept[i].result;
        r->document_id = take(&at, kept[i].has_document);
        r->reason = take(&at, kept[i].has_reason);
        r->attempts = kept[i].attempts;
        r->at = kept[i].at;
    }
    out->results = results;
    out->results_n = k->results_n;
    out->wanted = (enum ledger_wanted)k->wanted;
    out->status_set = (enum ledger_wanted)k->status_set;
    out->settled_at = k->settled_at;
    out->closed = k->closed;
    out->complete = k->complete;
}

int64_t kept_row_publication(const struct kept_row *k)
{
    return k->publication;
}

bool kept_row_waits(const struct kept_row *k)
{
    return k->wanted != LEDGER_NONE && k->settled_at == 0;
}
