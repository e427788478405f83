/* The body of an answer of xSale, split into orders. First byte: which envelope. What the page gives out must be whole JSON documents of their own that stand
 * one behind the other inside the text; and the tape must agree with jansson, but for the differences that json_tape.h lists. */
#include <jansson.h>
#include <string.h>

#include "common/contract/page.h"
#include "tests/fuzz/fuzz.h"
#include "tests/json/json_peer.h"

static const char *const envelopes[] = {"", "/Items", "/data/0/orders", "/a~1b", "/~0", "/"};

static void check_nodes(const struct json_tape *t)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct json_node *node = &t->nodes[i];
        FUZZ_CHECK(node->start < node->end && node->end <= t->text_n, "a node is text");
        FUZZ_CHECK(node->next > i && node->next <= t->n, "a node ends");
        int64_t number;
        bool twice;
        (void)json_tape_integer(t, (uint32_t)i, &number, NULL);
        (void)json_tape_equals(t, (uint32_t)i, "Id", 2);
        (void)json_tape_blank(t, (uint32_t)i);
        if (node->type == JSON_TAPE_OBJECT)
            (void)json_tape_member(t, (uint32_t)i, "Id", 2, &twice);
    }
}

static void check_orders(struct page *p)
{
    struct json_tape alone;
    uint32_t order, orders = 0, behind = 0;
    json_tape_init(&alone);
    while (page_next(p, &order)) {
        struct err e;
        const struct json_node *node = &p->tape.nodes[order];
        FUZZ_CHECK(node->start >= behind, "orders stand one behind the other");
        behind = node->end;
        if (++orders > 64)
            continue; /* each costs a parse */
        FUZZ_CHECK(json_tape_parse(&alone, p->tape.text + node->start, node->end - node->start, &e) == RC_OK, "an order is a document");
        FUZZ_CHECK(alone.n == node->next - order && alone.nodes[0].height == node->height, "the same document");
    }
    FUZZ_CHECK(orders == p->count, "all orders were given out");
    json_tape_release(&alone);
}

void fuzz_one(const uint8_t *p, size_t n)
{
    static struct page page;
    struct err e;
    if (n == 0)
        return;
    const char *envelope = envelopes[p[0] % (sizeof envelopes / sizeof envelopes[0])];
    char *text = malloc(n); /* without the first byte, and not one more */
    FUZZ_CHECK(text != NULL, "memory");
    memcpy(text, p + 1, n - 1);
    text = realloc(text, n > 1 ? n - 1 : 1);
    FUZZ_CHECK(text != NULL, "memory");
    if (n % 4 == 3)
        page_release(&page); /* what a page keeps for the next one can hide a fault */
    enum rc rc = page_parse(&page, text, n - 1, envelope, &e);
    FUZZ_CHECK(rc == RC_OK || rc == RC_REJECT, "no other verdict");
    if (rc == RC_OK) {
        check_nodes(&page.tape);
        check_orders(&page);
    }
    json_peer_check(text, n - 1);
    free(text);
}
