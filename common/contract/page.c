#include "common/contract/page.h"

static const char *type_name(enum json_type type)
{
    static const char *const names[] = {"null", "false", "true", "a number", "a text", "an array", "an object"};
    return names[type];
}

void page_init(struct page *p)
{
    *p = (struct page){0};
    json_tape_init(&p->tape);
}

void page_release(struct page *p)
{
    json_tape_release(&p->tape);
    page_init(p);
}

enum rc page_parse(struct page *p, const char *text, size_t n, const char *envelope, struct err *e)
{
    p->at = p->left = p->count = 0;
    enum rc rc = json_tape_parse(&p->tape, text, n, e);
    if (rc != RC_OK)
        return rc;
    uint32_t array = json_tape_pointer(&p->tape, 0, envelope);
    if (array == UINT32_MAX) {
        err_set(e, "no array of orders at \"%.100s\": nothing is there, the body is %s", envelope,
                type_name((enum json_type)p->tape.nodes[0].type));
        return RC_REJECT;
    }
    if (p->tape.nodes[array].type != JSON_TAPE_ARRAY) {
        err_set(e, "no array of orders at \"%.100s\": %s is there", envelope,
                type_name((enum json_type)p->tape.nodes[array].type));
        return RC_REJECT;
    }
    p->at = array + 1;
    p->left = p->count = p->tape.nodes[array].count;
    return RC_OK;
}

bool page_next(struct page *p, uint32_t *order)
{
    if (p->left == 0)
        return false;
    *order = p->at;
    p->at = p->tape.nodes[p->at].next;
    p->left--;
    return true;
}
