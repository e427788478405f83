#include "consumer/assignment.h"

#include <stdlib.h>

struct assignment {
    const char *topic;
    uint64_t generations;
    struct owned **owned;
    size_t n, cap;
};

struct assignment *assignment_create(const char *topic)
{
    struct assignment *a = calloc(1, sizeof *a);
    if (a != NULL)
        a->topic = topic;
    return a;
}

static void owned_destroy(struct owned *o)
{
    offset_track_destroy(o->track);
    free(o);
}

void assignment_destroy(struct assignment *a)
{
    if (a == NULL)
        return;
    for (size_t i = 0; i < a->n; i++)
        owned_destroy(a->owned[i]);
    free(a->owned);
    free(a);
}

struct owned *assignment_add(struct assignment *a, const struct group_partition *p, bool *understood)
{
    assignment_remove(a, p->partition);
    if (a->n == a->cap) {
        size_t cap = a->cap == 0 ? 16 : a->cap * 2;
        struct owned **more = realloc(a->owned, cap * sizeof *more);
        if (more == NULL)
            return NULL;
        a->owned = more;
        a->cap = cap;
    }
    struct owned *o = calloc(1, sizeof *o);
    if (o == NULL || (o->track = offset_track_create()) == NULL) {
        free(o);
        return NULL;
    }
    o->partition = p->partition;
    o->generation = ++a->generations;
    *understood = p->offset < 0 || offset_track_restore(o->track, p->offset, p->metadata);
    a->owned[a->n++] = o;
    return o;
}

struct owned *assignment_find(const struct assignment *a, int32_t partition)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->owned[i]->partition == partition)
            return a->owned[i];
    return NULL;
}

struct owned *assignment_find_generation(const struct assignment *a, int32_t partition, uint64_t generation)
{
    struct owned *o = assignment_find(a, partition);
    return o != NULL && o->generation == generation ? o : NULL;
}

void assignment_remove(struct assignment *a, int32_t partition)
{
    for (size_t i = 0; i < a->n; i++) {
        if (a->owned[i]->partition != partition)
            continue;
        owned_destroy(a->owned[i]);
        a->owned[i] = a->owned[--a->n];
        return;
    }
}

size_t assignment_count(const struct assignment *a)
{
    return a->n;
}

struct owned *assignment_at(const struct assignment *a, size_t i)
{
    return a->owned[i];
}

void assignment_flow(struct assignment *a, struct group *g, bool stop)
{
    for (size_t i = 0; i < a->n; i++) {
        struct owned *o = a->owned[i];
        if (o->leaving)
            continue;
        o->full = o->full ? !offset_track_roomy(o->track) : offset_track_full(o->track);
        bool pause = stop || o->full;
        if (pause && !o->paused)
            group_pause(g, a->topic, o->partition);
        else if (!pause && o->paused)
            group_resume(g, a->topic, o->partition);
        o->paused = pause;
    }
}

bool assignment_commit(struct assignment *a, struct group *g, void (*done)(void *arg, enum rc rc), void *arg)
{
    struct group_partition *parts = NULL;
    char (*metadata)[OFFSET_METADATA + 1] = NULL;
    size_t n = 0;
    if (!assignment_changed(a))
        return false;
    parts = calloc(a->n, sizeof *parts);
    metadata = malloc(a->n * sizeof *metadata);
    for (size_t i = 0; parts != NULL && metadata != NULL && i < a->n; i++) {
        struct owned *o = a->owned[i];
        if (!o->changed)
            continue;
        offset_track_metadata(o->track, metadata[n]);
        parts[n] = (struct group_partition){a->topic, o->partition, offset_track_position(o->track), metadata[n]};
        o->changed = false;
        o->loads_asked += o->loads_ended;
        o->loads_ended = 0;
        n++;
    }
    if (n > 0)
        group_commit(g, parts, n, done, arg);
    free(metadata);
    free(parts);
    return n > 0; /* without memory the next tick tries again */
}

void assignment_commit_failed(struct assignment *a)
{
    for (size_t i = 0; i < a->n; i++) {
        struct owned *o = a->owned[i];
        o->changed = offset_track_position(o->track) >= 0;
        o->loads_ended += o->loads_asked;
        o->loads_asked = 0;
    }
}

void assignment_committed(struct assignment *a)
{
    for (size_t i = 0; i < a->n; i++)
        a->owned[i]->loads_asked = 0;
}

size_t assignment_uncommitted(const struct assignment *a)
{
    size_t n = 0;
    for (size_t i = 0; i < a->n; i++)
        n += a->owned[i]->loads_ended + a->owned[i]->loads_asked;
    return n;
}

bool assignment_changed(const struct assignment *a)
{
    bool changed = false;
    for (size_t i = 0; i < a->n; i++)
        changed = changed || a->owned[i]->changed;
    return changed;
}

bool assignment_ended(const struct assignment *a)
{
    bool all = true;
    for (size_t i = 0; i < a->n; i++)
        all = all && a->owned[i]->ended;
    return all;
}

bool assignment_at_end(const struct assignment *a)
{
    bool all = true;
    for (size_t i = 0; i < a->n; i++)
        all = all && a->owned[i]->at_end;
    return all;
}

bool assignment_paused(const struct assignment *a)
{
    bool any = false;
    for (size_t i = 0; i < a->n; i++)
        any = any || a->owned[i]->paused;
    return any;
}
