#include "producer/blame.h"

/* How many successes the share goes back, and how many failures before one of them it takes: an outage is to be forgotten after some more of them. */
enum { MEMORY = 8, TRIES_MOST = 16 };

static bool is_failing(const struct blame_row *r)
{
    return r->own >= BLAME_FAILING_FROM;
}

static bool is_proven(const struct blame_row *r)
{
    return r->proven >= BLAME_FAILING_FROM;
}

static bool is_trying(const struct blame_row *r)
{
    return r->tries > 0 && !is_failing(r);
}

static void become(struct blame *b, struct blame_row *r, const struct blame_row *now)
{
    b->unsure = b->unsure - r->unsure + now->unsure;
    b->trying = b->trying - is_trying(r) + is_trying(now);
    b->failing = b->failing - is_failing(r) + is_failing(now);
    *r = *now;
}

/* A failure now and then is nothing that would excuse an order. */
static double share(const struct blame *b)
{
    return 8 * b->failed <= b->succeeded ? 1.0 : b->succeeded / (b->succeeded + b->failed);
}

unsigned blame_failure(struct blame *b, struct blame_row *r)
{
    struct blame_row now = *r;
    now.tries++;
    now.unsure = !is_proven(r);
    become(b, r, &now);
    if (is_proven(r))
        now.proven = now.own = r->own + share(b);
    else if (b->unsure < BLAME_OUTAGE_FROM)
        now.own = r->own + share(b);
    become(b, r, &now);
    return now.own > 1 ? (unsigned)now.own : 1;
}

void blame_success(struct blame *b, struct blame_row *r)
{
    b->succeeded += 1 - b->succeeded / MEMORY;
    b->failed += (r->tries < TRIES_MOST ? r->tries : TRIES_MOST) - b->failed / MEMORY;
    blame_forget(b, r);
}

void blame_judge(struct blame *b, struct blame_row *r)
{
    struct blame_row now = *r;
    if (!r->unsure)
        return;
    now.proven = now.own = r->proven + share(b);
    now.unsure = false;
    become(b, r, &now);
}

void blame_forget(struct blame *b, struct blame_row *r)
{
    static const struct blame_row nothing;
    become(b, r, &nothing);
}

bool blame_outage(const struct blame *b)
{
    return b->unsure >= BLAME_OUTAGE_FROM || (b->trying >= BLAME_OUTAGE_FROM && share(b) < 0.5);
}
