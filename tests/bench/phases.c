#include "tests/bench/phases.h"

#include <stdlib.h>
#include <xxhash.h>

#include "common/contract/order_put.h"

enum { LEAVES_MAX = 1 << 17 };

struct leaf {
    const struct order_value *value;
    uint32_t node;
};

struct leaves {
    struct leaf *all; /* n of LEAVES_MAX */
    size_t n;
};

struct phases {
    struct order_walk walk;
    struct page page;
    XXH64_state_t *hash;
    bool gather; /* leaves, while the keys are looked for */
    struct leaves texts, numbers;
};

static bool visit(struct phases *p, const struct order_record *r, uint32_t node);

static bool gather(struct leaves *l, const struct order_value *v, uint32_t node)
{
    if (l->n == LEAVES_MAX)
        return false;
    l->all[l->n++] = (struct leaf){v, node};
    return true;
}

static bool visit_value(struct phases *p, const struct order_value *v, uint32_t node)
{
    bool ok = true;
    uint32_t child = node + 1;
    if (v->kind == ORDER_RECORD)
        return visit(p, v->record, node);
    if (v->kind != ORDER_ARRAY)
        return !p->gather || gather(v->kind == ORDER_TEXT || v->kind == ORDER_ENUM ? &p->texts : &p->numbers, v, node);
    for (uint32_t i = 0; ok && i < p->page.tape.nodes[node].count; i++, child = p->page.tape.nodes[child].next)
        ok = visit_value(p, v->items, child);
    return ok;
}

static bool visit(struct phases *p, const struct order_record *r, uint32_t node)
{
    struct order_twice twice;
    bool ok = true;
    if (r->own_scope)
        order_scope_find(r->scope, &p->page.tape, node, &twice);
    for (size_t i = 0; ok && i < r->fields_n; i++) {
        const struct order_field *f = &r->fields[i];
        if (f->same)
            ok = visit(p, f->value.record, node);
        else if (f->sources_n > 0 && f->sources[0].join == NULL && order_put_says(&p->walk, r->scope->values[f->sources[0].slot]))
            ok = visit_value(p, &f->value, r->scope->values[f->sources[0].slot]);
    }
    return ok;
}

static bool visit_orders(struct phases *p)
{
    struct page page = p->page;
    uint32_t order;
    bool ok = true;
    while (ok && page_next(&page, &order))
        ok = visit(p, p->walk.plan->order, order);
    return ok;
}

struct phases *phases_open(const struct schema *s, const struct zone *z, const struct page *page, struct err *e)
{
    struct order_plan *plan = NULL;
    struct phases *p = calloc(1, sizeof *p);
    if (p == NULL || order_plan_create(s, &plan, e) != RC_OK || order_walk_init(&p->walk, plan, e) != RC_OK) {
        phases_close(p);
        return NULL;
    }
    p->walk.zone = z;
    p->walk.e = e;
    p->page = *page;
    p->walk.tape = &p->page.tape;
    p->hash = XXH64_createState();
    p->texts.all = calloc(LEAVES_MAX, sizeof p->texts.all[0]);
    p->numbers.all = calloc(LEAVES_MAX, sizeof p->numbers.all[0]);
    p->gather = true;
    if (p->hash == NULL || p->texts.all == NULL || p->numbers.all == NULL || !visit_orders(p)) {
        err_set(e, "phases: out of memory, or more values than the benchmark holds");
        phases_close(p);
        return NULL;
    }
    p->gather = false;
    return p;
}

void phases_close(struct phases *p)
{
    if (p == NULL)
        return;
    if (p->walk.plan != NULL)
        order_walk_release(&p->walk);
    (void)XXH64_freeState(p->hash); /* always XXH_OK; takes NULL */
    free(p->texts.all);
    free(p->numbers.all);
    free(p);
}

bool phases_keys(struct phases *p)
{
    return visit_orders(p);
}

static bool put(struct phases *p, const struct leaves *l)
{
    bool ok = true;
    buf_reset(&p->walk.body);
    for (size_t i = 0; ok && i < l->n; i++)
        ok = order_put_scalar(&p->walk, l->all[i].value, l->all[i].node) == RC_OK;
    return ok;
}

bool phases_texts(struct phases *p)
{
    return put(p, &p->texts);
}

bool phases_numbers(struct phases *p)
{
    return put(p, &p->numbers);
}

bool phases_hash(struct phases *p, const struct buf *record)
{
    uint64_t all = 0;
    for (uint32_t i = 0; i < p->page.count; i++) {
        (void)XXH64_reset(p->hash, 0); /* fails for NULL only, as the next one does */
        (void)XXH64_update(p->hash, record->p, record->n);
        all |= XXH64_digest(p->hash);
    }
    return all != 0;
}
