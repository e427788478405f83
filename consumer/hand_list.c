#include "consumer/hand_list.h"

#include <string.h>

#include "common/contract/order_listing.h"
#include "consumer/load.h"

enum rank { RANK_PARKED, RANK_HELD, RANK_FLYING, RANK_QUEUED, RANKS };

struct print {
    struct order_listing list;
    enum rank rank; /* whose turn it is */
    int64_t now, wall;
};

static enum rank rank_of(const struct lane_item *item)
{
    if (item->held)
        return RANK_HELD;
    if (item->state == LANE_FLYING)
        return RANK_FLYING;
    return item->state == LANE_PARKED || ((const struct load *)item)->trouble != NULL ? RANK_PARKED : RANK_QUEUED;
}

static const char *state_name(const struct lane_item *item)
{
    switch (item->state) {
    case LANE_FLYING:
        return "flying";
    case LANE_PARKED:
        return "parked";
    case LANE_SETTLING:
        return "settling";
    default:
        return item->held ? "held" : "queued";
    }
}

static void put(void *arg, const struct lane_item *item)
{
    struct print *p = arg;
    const struct load *load = (const struct load *)item; /* its first member */
    const struct order_record *r = load->record;
    if (rank_of(item) != p->rank || r->key[0] == '\0')
        return;
    int64_t since = load->trouble != NULL ? load->troubled_since : item->state == LANE_FLYING ? item->began_at : -1;
    struct listed_order o = {.organization = r->organization, .organization_n = strlen(r->organization), .order_id = r->order_id, .publication = item->publication,
                             .warehouse = item->warehouse, .state = state_name(item), .since = since >= 0 ? p->wall - (p->now - since) : -1, .next_in = -1,
                             .tries = item->tries, .words = item->held ? "its schema is not to be had" : load->trouble};
    if (item->wait.place != 0)
        o.next_in = item->wait.at > p->now ? item->wait.at - p->now : 0;
    order_listing_add(&p->list, &o);
}

unsigned hand_list_print(const struct loading *l, const struct clock *clock, const char *warehouse, const char *rest, struct buf *out)
{
    struct print p = {.now = clock_mono(clock), .wall = clock_wall(clock)};
    if (!order_listing_begin(&p.list, rest, "erp-consumer", warehouse, loading_paused(l), out))
        return 404;
    for (p.rank = 0; p.rank < RANKS; p.rank++)
        loading_each(l, put, &p);
    return order_listing_end(&p.list);
}
