#include "consumer/offset_track.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KNOWN_RUNS = OFFSET_METADATA / 2, HEAD_BYTES = 32 };

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

struct slot {
    int64_t offset;
    bool done;
};

struct stretch { /* finished: from <= offset < to */
    int64_t from, to;
    size_t bytes; /* of its two runs in the metadata it came from */
};

struct offset_track {
    int64_t next;       /* highest taken + 1, or the restored position; -1: nothing known */
    struct slot *slots; /* rising offsets; [first, first + n); the first is never done */
    size_t first, n, cap;
    size_t open;           /* slots not done */
    struct stretch *known; /* restored, not yet passed by next: [known_first, known_n) */
    size_t known_first, known_n;
    size_t known_bytes; /* sum of their bytes */
};

struct offset_track *offset_track_create(void)
{
    struct offset_track *t = calloc(1, sizeof *t);
    if (t != NULL)
        t->next = -1;
    return t;
}

void offset_track_destroy(struct offset_track *t)
{
    if (t == NULL)
        return;
    free(t->slots);
    free(t->known);
    free(t);
}

/* One length from *p; false at anything that is not one. */
static bool run_read(const char **p, int64_t *out)
{
    int64_t value = 0;
    for (int shift = 0; shift < 60; shift += 5) {
        const char *at = **p != '\0' ? strchr(digits, **p) : NULL;
        if (at == NULL)
            return false;
        int64_t digit = at - digits;
        (*p)++;
        value |= (digit & 31) << shift;
        if (digit < 32) {
            *out = value;
            return value > 0;
        }
    }
    return false;
}

static size_t run_write(char *out, int64_t length)
{
    size_t n = 0;
    do {
        unsigned digit = (unsigned)(length & 31);
        length >>= 5;
        out[n++] = digits[digit | (length > 0 ? 32u : 0u)];
    } while (length > 0);
    return n;
}

/* Fills known[] from the runs; false: not understood. */
static bool known_read(struct offset_track *t, int64_t position, const char *runs)
{
    int64_t at = position;
    while (*runs != '\0') {
        int64_t unfinished, finished;
        const char *begin = runs;
        if (t->known_n == KNOWN_RUNS || !run_read(&runs, &unfinished) || !run_read(&runs, &finished) ||
            unfinished > INT64_MAX - at || finished > INT64_MAX - at - unfinished)
            return false;
        at += unfinished;
        t->known[t->known_n++] = (struct stretch){at, at + finished, (size_t)(runs - begin)};
        t->known_bytes += (size_t)(runs - begin);
        at += finished;
    }
    return true;
}

bool offset_track_restore(struct offset_track *t, int64_t position, const char *metadata)
{
    t->next = position;
    if (metadata[0] == '\0')
        return true;
    if (strlen(metadata) > OFFSET_METADATA || strncmp(metadata, "x1:", 3) != 0)
        return false;
    char *end;
    int64_t of = strtoll(metadata + 3, &end, 10);
    if (end == metadata + 3 || *end != ':' || of != position)
        return false;
    t->known = malloc(KNOWN_RUNS * sizeof *t->known);
    if (t->known != NULL && known_read(t, position, end + 1))
        return true;
    free(t->known);
    t->known = NULL;
    t->known_n = 0;
    t->known_bytes = 0;
    return false;
}

/* Makes room for one more slot: closes up over finished ones first. */
static bool slots_reserve(struct offset_track *t)
{
    if (t->first + t->n < t->cap)
        return true;
    size_t kept = 0;
    for (size_t i = 0; i < t->n; i++)
        if (!t->slots[t->first + i].done)
            t->slots[kept++] = t->slots[t->first + i];
    t->first = 0;
    t->n = kept;
    if (kept < t->cap - t->cap / 4)
        return true;
    size_t cap = t->cap == 0 ? 64 : t->cap * 2;
    struct slot *more = realloc(t->slots, cap * sizeof *more);
    if (more == NULL)
        return kept < t->cap;
    t->slots = more;
    t->cap = cap;
    return true;
}

/* Is it finished as the restored metadata says? Forgets what lies below. */
static bool known_holds(struct offset_track *t, int64_t offset)
{
    while (t->known_first < t->known_n && t->known[t->known_first].to <= offset)
        t->known_bytes -= t->known[t->known_first++].bytes;
    return t->known_first < t->known_n && t->known[t->known_first].from <= offset;
}

enum offset_take offset_track_take(struct offset_track *t, int64_t offset)
{
    if (offset < t->next)
        return OFFSET_OLD;
    if (known_holds(t, offset)) {
        t->next = offset + 1;
        return OFFSET_DONE;
    }
    if (!slots_reserve(t))
        return OFFSET_NO_ROOM;
    t->slots[t->first + t->n++] = (struct slot){offset, false};
    t->open++;
    t->next = offset + 1;
    return OFFSET_NEW;
}

void offset_track_pass(struct offset_track *t, int64_t offset)
{
    if (offset < t->next)
        return;
    (void)known_holds(t, offset);
    t->next = offset + 1;
}

static struct slot *slot_find(const struct offset_track *t, int64_t offset)
{
    size_t low = 0, high = t->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->slots[t->first + middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    struct slot *s = low < t->n ? &t->slots[t->first + low] : NULL;
    return s != NULL && s->offset == offset ? s : NULL;
}

bool offset_track_finish(struct offset_track *t, int64_t offset)
{
    struct slot *s = slot_find(t, offset);
    if (s == NULL || s->done)
        return false;
    s->done = true;
    t->open--;
    while (t->n > 0 && t->slots[t->first].done) {
        t->first++;
        t->n--;
    }
    if (t->n == 0)
        t->first = 0;
    return true;
}

/* Where the taken ones end; a restored stretch that begins there or below continues them. */
static int64_t taken_end(const struct offset_track *t)
{
    const struct stretch *k = t->known_first < t->known_n ? &t->known[t->known_first] : NULL;
    return k != NULL && k->from <= t->next && k->to > t->next ? k->to : t->next;
}

int64_t offset_track_position(const struct offset_track *t)
{
    return t->n > 0 ? t->slots[t->first].offset : taken_end(t);
}

size_t offset_track_open(const struct offset_track *t)
{
    return t->open;
}

int64_t offset_track_next(const struct offset_track *t)
{
    return t->next;
}

/* Alternating stretches while they are written. */
struct runs {
    char *out;
    size_t n;
    int64_t at;         /* written up to here */
    bool full;
};

/* from..to is finished; what lies between the last one and from is not. */
static void runs_finished(struct runs *r, int64_t from, int64_t to)
{
    char text[32];
    if (r->full || from >= to)
        return;
    size_t n = run_write(text, from - r->at);
    n += run_write(text + n, to - from);
    if (r->n + n > OFFSET_METADATA) {
        r->full = true;
        return;
    }
    memcpy(r->out + r->n, text, n);
    r->n += n;
    r->at = to;
}

void offset_track_metadata(const struct offset_track *t, char out[OFFSET_METADATA + 1])
{
    int64_t position = offset_track_position(t);
    struct runs r = {.out = out, .at = position};
    int64_t begin = position; /* of the finished stretch that may end at the next unfinished offset */
    int head = snprintf(out, HEAD_BYTES, "x1:%" PRId64 ":", position);
    r.n = (size_t)head;
    for (size_t i = 0; i < t->n; i++) {
        const struct slot *s = &t->slots[t->first + i];
        if (s->done)
            continue;
        runs_finished(&r, begin, s->offset);
        begin = s->offset + 1;
    }
    int64_t end = taken_end(t);
    runs_finished(&r, begin, end);
    for (size_t k = t->known_first; k < t->known_n; k++)
        if (t->known[k].from >= end)
            runs_finished(&r, t->known[k].from, t->known[k].to);
    out[r.n == (size_t)head ? 0 : r.n] = '\0';
}

static int bits_of(uint64_t value)
{
    int bits = 0;
    for (; value > 0; value >>= 1)
        bits++;
    return bits;
}

/* Upper bound of the metadata over all orders in which the open ones may finish: with n stretches over a span the sum of
 * the digits is largest when they are equally long (the logarithm is concave), and an unfinished stretch of 1 is one digit.
 * What was restored takes what it took, so that a restart with a long text can always go on. */
static size_t worst_bytes(const struct offset_track *t)
{
    if (t->open == 0)
        return 0;
    uint64_t span = (uint64_t)(t->next - offset_track_position(t));
    return HEAD_BYTES + t->known_bytes + t->open * (size_t)(3 + bits_of(span / t->open) / 5);
}

bool offset_track_full(const struct offset_track *t)
{
    return worst_bytes(t) > OFFSET_METADATA;
}

bool offset_track_roomy(const struct offset_track *t)
{
    return worst_bytes(t) <= OFFSET_METADATA / 2;
}
