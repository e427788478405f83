#include "common/contract/avro_peek.h"

#include <string.h>

bool avro_text_equal(struct avro_text a, struct avro_text b)
{
    return a.p != NULL && b.p != NULL && a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

const struct schema_node *avro_peek_behind_null(const struct schema_node *s)
{
    if (s->kind != SCHEMA_UNION || s->count != 2)
        return s;
    if (s->branches[0]->kind == SCHEMA_NULL)
        return s->branches[1];
    return s->branches[1]->kind == SCHEMA_NULL ? s->branches[0] : s;
}

bool avro_peek_enter(const struct schema_node **type, struct avro_cursor *c)
{
    int64_t branch;
    if ((*type)->kind != SCHEMA_UNION)
        return true;
    if (!avro_read_long(c, &branch) || branch < 0 || (uint64_t)branch >= (*type)->count)
        return false;
    *type = (*type)->branches[branch];
    return true;
}

bool avro_peek_text(const struct schema_node *type, struct avro_cursor *c, struct avro_text *out)
{
    *out = (struct avro_text){0};
    if (!avro_peek_enter(&type, c))
        return false;
    return type->kind == SCHEMA_NULL || avro_read_bytes(c, &out->p, &out->n);
}

bool avro_peek_long(const struct schema_node *type, struct avro_cursor *c, int64_t none, int64_t *out)
{
    *out = none;
    if (!avro_peek_enter(&type, c))
        return false;
    return type->kind == SCHEMA_NULL || avro_read_long(c, out);
}

bool avro_peek_bool(const struct schema_node *type, struct avro_cursor *c, bool *out)
{
    *out = false;
    if (!avro_peek_enter(&type, c))
        return false;
    if (type->kind == SCHEMA_NULL)
        return true;
    if (c->p == c->end)
        return false;
    *out = *c->p++ != 0;
    return true;
}

void avro_list_begin(struct avro_list *l, const struct schema_node *type, struct avro_cursor *c)
{
    *l = (struct avro_list){0};
    l->broken = !avro_peek_enter(&type, c);
    l->ended = l->broken || type->kind == SCHEMA_NULL;
    if (!l->ended)
        l->min_item = type->branches[0]->min_bytes;
}

bool avro_list_more(struct avro_list *l, struct avro_cursor *c)
{
    if (l->ended)
        return false;
    if (l->left == 0) {
        l->broken = !avro_read_block(c, l->min_item, &l->left);
        l->ended = l->broken || l->left == 0;
        if (l->ended)
            return false;
    }
    l->left--;
    return true;
}
