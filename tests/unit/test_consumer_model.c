/* lanes (with gate, waits and look-ahead) and offset_track together against random histories: ends in any order, outcomes of one acknowledgement or two, rebalances, crashes, lost commits, resets by another tool.
 * A failing history prints its seed: run the test with that seed as its argument to play it alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consumer/lanes.h"
#include "consumer/offset_track.h"

#ifdef __SANITIZE_ADDRESS__
enum { HISTORIES = 5000 }; /* each takes five times as long */
#else
enum { HISTORIES = 20000 };
#endif
enum { PARTS = 2, RECORDS = 40, KEYS = 5, ITEMS = PARTS * RECORDS * 8, STEPS = 260 };

struct world {
    uint64_t random, seed;
    int64_t now;
    struct lanes *lanes;
    size_t most; /* loads that a crash may make the ERP see again; 0: any number */
    /* what the broker has */
    struct part {
        struct row {
            char key[32];
            int64_t publication;
            bool acknowledged; /* an outcome of it is durable */
            bool foreign; /* not for our warehouse: nobody loads it */
            bool seen;    /* read once */
        } rows[RECORDS];
        int64_t committed;
        char metadata[OFFSET_METADATA + 1];
        bool moved; /* by another tool: the metadata is of another position */
        bool known_done[RECORDS]; /* finished, and the broker's commit says so */
        /* this process and assignment */
        struct offset_track *track;
        bool assigned;
        int64_t read_at;
        bool must_skip[RECORDS], done[RECORDS];
        bool repeats[RECORDS]; /* loaded, and the broker's commit does not say so */
        struct hand *hand[RECORDS]; /* NULL: not in hand */
    } parts[PARTS];
    struct hand {
        struct lane_item item;
        int part;
        int64_t offset;
        bool flying, settling, sent, durable, open_ambiguous, used;
        bool owed;   /* the ERP has it, and its outcome is not told yet */
        bool orphan; /* of an assignment that is gone */
        unsigned ready_since, probed_at; /* turns; since when it could be a probe and was tried before, and when it was one; 0: not */
        unsigned acks;  /* still to come while settling: a rejection has the dead letter's first */
    } hands[ITEMS];
    size_t used;
    unsigned turns;
    bool ahead; /* this process knows what stands behind the intake */
    bool calm; /* the end of the history: everything loads */
};

static uint64_t dice(struct world *w, uint64_t sides)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random % sides;
}

#define hold(w, truth)                                                                                                                      \
    do {                                                                                                                                    \
        if (!(truth)) {                                                                                                                     \
            print_error("history %llu: %s\n", (unsigned long long)(w)->seed, #truth);                                                       \
            fail();                                                                                                                         \
        }                                                                                                                                   \
    } while (0)

/* The look-ahead: whether a newer publication stands anywhere behind, read or not. */
static bool outdated(void *arg, const struct lane_item *item)
{
    const struct world *w = arg;
    const struct part *part = &w->parts[item->partition];
    for (int64_t o = 0; w->ahead && o < RECORDS; o++)
        if (!part->rows[o].foreign && part->rows[o].publication > item->publication && strcmp(part->rows[o].key, item->key) == 0 &&
            o >= part->committed)
            return true;
    return false;
}

static void process_begins(struct world *w)
{
    struct lanes_settings s = {.concurrency = 1 + (unsigned)dice(w, 4), .reject_after = 2 + (unsigned)dice(w, 3), .park_min_ms = 10,
                               .uncommitted_most = dice(w, 10), .park_max_ms = 80, .probe_min_ms = 10, .probe_max_ms = 40, .seed = w->random, .outdated = outdated, .arg = w};
    w->ahead = dice(w, 2) == 0;
    w->most = s.uncommitted_most;
    w->lanes = lanes_create(&s);
    assert_non_null(w->lanes);
    w->used = 0;
    memset(w->hands, 0, sizeof w->hands);
}

static size_t repeats(const struct world *w)
{
    size_t n = 0;
    for (int p = 0; p < PARTS; p++)
        for (int o = 0; o < RECORDS; o++)
            n += w->parts[p].repeats[o];
    return n;
}

static void assign(struct world *w, int p)
{
    struct part *part = &w->parts[p];
    part->track = offset_track_create();
    assert_non_null(part->track);
    bool understood = offset_track_restore(part->track, part->committed, part->metadata);
    hold(w, understood || part->moved);
    memset(part->must_skip, 0, sizeof part->must_skip);
    if (understood)
        memcpy(part->must_skip, part->known_done, sizeof part->must_skip);
    memset(part->done, 0, sizeof part->done);
    memset(part->repeats, 0, sizeof part->repeats);
    memset(part->hand, 0, sizeof part->hand);
    part->read_at = part->committed;
    part->assigned = true;
}

static void dropped(void *arg, struct lane_item *item)
{
    struct hand *h = (struct hand *)item;
    struct world *w = arg;
    hold(w, !h->flying && h->durable == item->durable);
    h->used = h->settling = h->owed = false;
}

static void unassign(struct world *w, int p)
{
    struct part *part = &w->parts[p];
    if (!part->assigned)
        return;
    lanes_drop(w->lanes, p, dropped, w);
    for (size_t i = 0; i < w->used; i++)
        if (w->hands[i].part == p)
            w->hands[i].orphan = true;
    offset_track_destroy(part->track);
    part->track = NULL;
    part->assigned = false;
    memset(part->repeats, 0, sizeof part->repeats);
    lanes_uncommitted(w->lanes, repeats(w));
}

static void crash(struct world *w)
{
    for (int p = 0; p < PARTS; p++)
        unassign(w, p);
    lanes_destroy(w->lanes);
    process_begins(w);
    for (int p = 0; p < PARTS; p++)
        assign(w, p);
}

static void intake(struct world *w, int p)
{
    struct part *part = &w->parts[p];
    if (!part->assigned || part->read_at >= RECORDS || w->used == ITEMS)
        return;
    int64_t offset = part->read_at++;
    struct row *row = &part->rows[offset];
    row->seen = true;
    if (row->foreign && !part->must_skip[offset]) {
        offset_track_pass(part->track, offset);
        row->acknowledged = true;
        part->done[offset] = true;
        return;
    }
    enum offset_take taken = offset_track_take(part->track, offset);
    hold(w, (taken == OFFSET_DONE) == part->must_skip[offset]);
    hold(w, taken == OFFSET_NEW || row->acknowledged);
    if (taken == OFFSET_DONE) {
        part->done[offset] = true;
        return;
    }
    hold(w, offset_track_take(part->track, offset) == OFFSET_OLD);
    struct hand *h = &w->hands[w->used++];
    h->item = (struct lane_item){.key = row->key, .key_n = strlen(row->key), .warehouse = "M", .publication = row->publication,
                                 .partition = p, .needs_erp = dice(w, 10) != 0, .held = dice(w, 12) == 0};
    h->part = p;
    h->offset = offset;
    h->used = true;
    part->hand[offset] = h;
    hold(w, lanes_push(w->lanes, &h->item) == RC_OK);
}

static bool older_in_hand(const struct world *w, const struct hand *h)
{
    const struct part *part = &w->parts[h->part];
    for (int64_t o = 0; o < h->offset; o++)
        if (part->hand[o] != NULL && !part->hand[o]->settling && strcmp(part->rows[o].key, part->rows[h->offset].key) == 0)
            return true;
    return false;
}

static bool newer_known(const struct world *w, const struct hand *h)
{
    const struct part *part = &w->parts[h->part];
    for (int64_t o = 0; o < (w->ahead ? RECORDS : part->read_at); o++)
        if (strcmp(part->rows[o].key, h->item.key) == 0 && part->rows[o].publication > h->item.publication)
            return true;
    return false;
}

/* An earlier load of the key whose outcome might be sent later holds it back. */
static bool held_back(const struct world *w, const struct hand *h)
{
    for (size_t i = 0; i < w->used; i++)
        if (w->hands[i].settling && !w->hands[i].sent && strcmp(w->hands[i].item.key, h->item.key) == 0)
            return true;
    return false;
}

/* Which of the loads tried already could be a probe now. */
static void readiness(struct world *w)
{
    bool paused = lanes_gate(w->lanes)->paused;
    w->turns++;
    for (size_t i = 0; i < w->used; i++) {
        struct hand *h = &w->hands[i];
        bool ready = paused && h->used && !h->orphan && !h->flying && !h->settling && h->item.state == LANE_QUEUED && h->item.tries > 0 &&
                     h->item.wait.place == 0 && h->item.needs_erp && h->item.prev != NULL && h->item.prev->next == NULL && /* first of its lane */
                     !held_back(w, h);
        h->ready_since = !ready ? 0 : h->ready_since == 0 ? w->turns : h->ready_since;
        h->probed_at = paused ? h->probed_at : 0;
    }
}

/* One at a time, and none twice while another one waited for its turn all the time. */
static void a_probe_is_made_in_turn(struct world *w, struct hand *h)
{
    for (size_t i = 0; i < w->used; i++) {
        const struct hand *g = &w->hands[i];
        hold(w, !g->flying);
        hold(w, g == h || g->ready_since == 0 || h->probed_at == 0 || g->ready_since >= h->probed_at);
    }
    h->probed_at = w->turns;
    h->ready_since = 0; /* it had its turn, even if it is back before the next one */
}

/* The publisher takes an outcome at once, or has no room and takes it some time, or says nothing. */
static void settle(struct world *w, struct hand *h, unsigned acks)
{
    h->settling = true;
    h->sent = acks == 1 && dice(w, 3) != 0;
    h->acks = acks;
    for (size_t i = 0; i < w->used; i++) /* another load of the key waits for it, and then stands at the end of those whose turn comes */
        if (strcmp(w->hands[i].item.key, h->item.key) == 0)
            w->hands[i].ready_since = 0;
    if (h->sent)
        lanes_sent(w->lanes, &h->item);
}

static void a_crash_repeats_no_more_than_it_may(const struct world *w)
{
    size_t n = repeats(w);
    for (size_t i = 0; i < w->used; i++)
        n += w->hands[i].flying || w->hands[i].owed;
    hold(w, w->most == 0 || n <= w->most);
}

static void turn(struct world *w)
{
    struct lane_item *item = NULL;
    bool paused = lanes_gate(w->lanes)->paused;
    readiness(w);
    enum lanes_turn t = lanes_next(w->lanes, w->now, &item);
    if (t == LANES_NOTHING)
        return;
    struct hand *h = (struct hand *)item;
    hold(w, h->used && !h->flying && !h->settling && !h->orphan);
    hold(w, !h->item.held);
    if (t != LANES_SUPERSEDED)
        hold(w, !older_in_hand(w, h));
    if (t == LANES_SUPERSEDED)
        hold(w, newer_known(w, h) && !h->open_ambiguous && h->item.needs_erp);
    if (t != LANES_SUPERSEDED)
        hold(w, !held_back(w, h));
    if (t != LANES_TRY) {
        settle(w, h, 1);
        return;
    }
    hold(w, h->item.needs_erp);
    if (paused)
        a_probe_is_made_in_turn(w, h);
    for (size_t i = 0; i < w->used; i++) /* stale ones count too: they are under way at the ERP */
        hold(w, !w->hands[i].flying || strcmp(w->hands[i].item.key, item->key) != 0);
    h->flying = true;
    a_crash_repeats_no_more_than_it_may(w);
}

static struct hand *pick(struct world *w, bool flying)
{
    size_t n = w->used, from = n > 0 ? dice(w, n) : 0;
    for (size_t i = 0; i < n; i++) {
        struct hand *h = &w->hands[(from + i) % n];
        if (flying ? h->flying : h->used && h->settling && !h->durable)
            return h;
    }
    return NULL;
}

static void end_one(struct world *w)
{
    struct hand *h = pick(w, true);
    if (h == NULL)
        return;
    struct lanes_result r = {FATE_LOADED, false, -1};
    if (!w->calm) {
        r.fate = (enum fate)dice(w, FATES);
        r.ambiguous = r.fate != FATE_LOADED && r.fate != FATE_REJECT && dice(w, 3) == 0;
        r.retry_after_ms = dice(w, 4) == 0 ? (int64_t)dice(w, 50) : -1;
    }
    h->flying = false;
    enum lanes_end e = lanes_end(w->lanes, &h->item, &r, w->now);
    hold(w, (e == LANES_STALE) == h->orphan);
    hold(w, h->orphan || (e == LANES_VERDICT) == (r.fate == FATE_LOADED || r.fate == FATE_REJECT));
    hold(w, e != LANES_GIVEN_UP || r.fate == FATE_PARK || r.ambiguous);
    h->open_ambiguous = (h->open_ambiguous || r.ambiguous) && e == LANES_STAYS;
    h->owed = e == LANES_VERDICT || e == LANES_GIVEN_UP;
    if (h->owed)
        settle(w, h, r.fate == FATE_LOADED ? 1 : 2);
    h->used = h->used && !h->orphan;
}

static void left(void *arg, struct lane_item *item)
{
    struct world *w = arg;
    struct hand *h = (struct hand *)item;
    struct part *part = &w->parts[h->part];
    hold(w, h->used && h->settling && h->durable);
    h->used = h->settling = h->owed = false;
    if (h->orphan)
        return;
    part->repeats[h->offset] = item->tries > 0;
    lanes_uncommitted(w->lanes, repeats(w));
    hold(w, offset_track_finish(part->track, h->offset));
    hold(w, !offset_track_finish(part->track, h->offset));
    part->rows[h->offset].acknowledged = true;
    part->done[h->offset] = true;
    part->hand[h->offset] = NULL;
}

/* In any order: the broker may refuse one for a while and take the next. */
static void acknowledge_one(struct world *w)
{
    struct hand *h = pick(w, false);
    if (h == NULL || --h->acks > 0)
        return;
    h->durable = true;
    lanes_done(w->lanes, &h->item, left, w);
}

static void send_one(struct world *w)
{
    struct hand *h = pick(w, false);
    if (h == NULL || h->sent || h->acks > 1)
        return;
    h->sent = true;
    lanes_sent(w->lanes, &h->item);
}

/* Were it otherwise, a crash now would offer an older publication to the ERP again, and the newest not after it. (One put back by hand with an older publication
 * behind the newest is not meant.) */
static void the_newest_is_finished_after_all_before_it(struct world *w, const struct part *part)
{
    for (int64_t newest = 0; newest < part->read_at; newest++) {
        const struct row *row = &part->rows[newest];
        if (!part->done[newest] || row->foreign)
            continue;
        bool is_newest = true, all = true;
        for (int64_t o = 0; o < RECORDS; o++) {
            const struct row *other = &part->rows[o];
            if (!other->seen || other->foreign || strcmp(other->key, row->key) != 0)
                continue;
            is_newest = is_newest && other->publication <= row->publication;
            all = all && (o >= newest || o < part->committed || part->done[o] || other->publication == row->publication);
        }
        hold(w, !is_newest || all);
    }
}

static void commit(struct world *w, int p)
{
    struct part *part = &w->parts[p];
    if (!part->assigned)
        return;
    int64_t position = offset_track_position(part->track);
    char metadata[OFFSET_METADATA + 1];
    offset_track_metadata(part->track, metadata);
    for (int64_t o = 0; o < position; o++)
        hold(w, part->rows[o].acknowledged);
    hold(w, strlen(metadata) <= OFFSET_METADATA);
    the_newest_is_finished_after_all_before_it(w, part);
    if (dice(w, 4) == 0)
        return; /* it never reached the broker */
    part->committed = position;
    part->moved = false;
    memcpy(part->metadata, metadata, sizeof metadata);
    for (int64_t o = 0; o < RECORDS; o++) /* what was finished before and is not read yet is still known */
        part->known_done[o] = part->done[o] || (o >= part->read_at && part->must_skip[o]);
    memset(part->repeats, 0, sizeof part->repeats);
    lanes_uncommitted(w->lanes, repeats(w));
}

/* Another tool moves the group, with or without clearing the metadata: everything from there on is loaded again. */
static void reset(struct world *w, int p)
{
    struct part *part = &w->parts[p];
    if (part->assigned)
        return;
    int64_t to = (int64_t)dice(w, (uint64_t)part->committed + 1);
    if (to == part->committed)
        return;
    part->committed = to;
    part->moved = true;
    if (dice(w, 2) == 0)
        part->metadata[0] = '\0';
    memset(part->known_done, 0, sizeof part->known_done);
    for (int64_t o = to; o < RECORDS; o++)
        part->rows[o].acknowledged = false;
}

static void unhold_one(struct world *w)
{
    for (size_t i = 0; i < w->used; i++) {
        struct hand *h = &w->hands[i];
        if (h->used && !h->orphan && h->item.held) {
            lanes_unhold(w->lanes, &h->item);
            return;
        }
    }
}

static void step(struct world *w)
{
    int p = (int)dice(w, PARTS);
    switch (dice(w, 40)) {
    case 0:
        if (dice(w, 3) == 0)
            crash(w);
        break;
    case 1:
        if (w->parts[p].assigned)
            unassign(w, p);
        else
            assign(w, p);
        break;
    case 2:
        reset(w, p);
        break;
    case 3:
    case 4:
        commit(w, p);
        break;
    case 5:
        unhold_one(w);
        break;
    case 6:
    case 7:
    case 8:
        w->now += (int64_t)dice(w, 40);
        break;
    default:
        switch (dice(w, 5)) {
        case 0:
            intake(w, p);
            break;
        case 3:
            send_one(w);
            break;
        case 1:
            turn(w);
            break;
        case 2:
            end_one(w);
            break;
        default:
            acknowledge_one(w);
        }
    }
}

static void finish_all(struct world *w)
{
    w->calm = true;
    for (int p = 0; p < PARTS; p++)
        if (!w->parts[p].assigned)
            assign(w, p);
    for (int i = 0; i < 4000; i++) {
        for (int p = 0; p < PARTS; p++)
            intake(w, p);
        unhold_one(w);
        turn(w);
        end_one(w);
        acknowledge_one(w);
        if (i % 16 == 0)
            commit(w, i / 16 % PARTS);
        w->now += 10;
    }
    for (int p = 0; p < PARTS; p++) {
        hold(w, w->used == ITEMS || offset_track_position(w->parts[p].track) == RECORDS);
        for (int o = 0; o < RECORDS && w->used < ITEMS; o++)
            hold(w, w->parts[p].rows[o].acknowledged);
    }
}

static void history(uint64_t seed)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->seed = seed;
    w->random = seed * 0x9E3779B97F4A7C15u + 1;
    for (int p = 0; p < PARTS; p++)
        for (int o = 0; o < RECORDS; o++) {
            struct row *row = &w->parts[p].rows[o];
            (void)snprintf(row->key, sizeof row->key, "%d/%d", p, (int)dice(w, KEYS));
            row->foreign = dice(w, 8) == 0;
            row->publication = dice(w, 6) == 0 ? 1 + (int64_t)dice(w, RECORDS) : o + 1; /* sometimes put back by hand */
        }
    process_begins(w);
    for (int p = 0; p < PARTS; p++)
        assign(w, p);
    for (int i = 0; i < STEPS; i++)
        step(w);
    if (seed % 16 == 0)
        finish_all(w);
    for (int p = 0; p < PARTS; p++)
        unassign(w, p);
    lanes_destroy(w->lanes);
    free(w);
}

static void every_history_keeps_the_promise(void **state)
{
    const char *only = *state;
    if (only != NULL) {
        history(strtoull(only, NULL, 10));
        return;
    }
    for (uint64_t seed = 1; seed <= HISTORIES; seed++)
        history(seed);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(every_history_keeps_the_promise, argc > 1 ? argv[1] : NULL),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
