/* The loop, without waiting: timers of a clock that the test moves. */
#include "tests/model/world.h"

static struct loop {
    struct loop_timer *first; /* by their times */
} the_loop;

static int64_t wall(void *arg)
{
    (void)arg;
    return 1795000000000 + the->now + the->skew;
}

static int64_t mono(void *arg)
{
    (void)arg;
    return 7000 + the->now;
}

static const struct clock the_clock = {wall, mono, NULL};

struct loop *world_loop(void)
{
    return &the_loop;
}

bool world_loop_is_empty(void)
{
    return the_loop.first == NULL;
}

const struct clock *loop_clock(const struct loop *l)
{
    (void)l;
    return &the_clock;
}

int64_t loop_now(const struct loop *l)
{
    (void)l;
    return mono(NULL);
}

void loop_timer_clear(struct loop *l, struct loop_timer *t)
{
    if (!t->armed)
        return;
    if (t->prev != NULL)
        t->prev->next = t->next;
    else
        l->first = t->next;
    if (t->next != NULL)
        t->next->prev = t->prev;
    t->armed = false;
}

void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t at, loop_fn *fn, void *arg)
{
    struct loop_timer *before = NULL, *after = NULL;
    loop_timer_clear(l, t);
    for (after = l->first; after != NULL && after->at <= at; after = after->next)
        before = after;
    *t = (struct loop_timer){.next = after, .prev = before, .at = at, .fn = fn, .arg = arg, .armed = true};
    if (before != NULL)
        before->next = t;
    else
        l->first = t;
    if (after != NULL)
        after->prev = t;
}

void loop_timer_in(struct loop *l, struct loop_timer *t, int64_t delay, loop_fn *fn, void *arg)
{
    loop_timer_set(l, t, loop_now(l) + delay, fn, arg);
}

bool world_loop_fire(void)
{
    struct loop_timer *t = the_loop.first;
    if (t == NULL || t->at > mono(NULL))
        return false;
    loop_timer_clear(&the_loop, t);
    t->fn(t->arg);
    return true;
}

int64_t world_loop_next(void)
{
    return the_loop.first == NULL ? -1 : the_loop.first->at - 7000;
}
