/* The real producer against thousands of random histories of an xSale whose orders appear, are edited, set back, cancelled and deleted, whose pages shift and whose
 * answers fail, and of a producer that is killed between any two of its effects, restarts, is stopped, or is taken over from. After each history everything is mended, and
 * then:
 *   - an order that complete polls keep showing is published as it is; nothing stands in the new status for ever, or is open for ever at the producer;
 *   - nothing is published, withdrawn or offered again without a cause (an edit, a status that a person set, a re-offer after days), crashes included, except after a
 *     replica that was stopped woke up in the middle of a takeover; publications of an order rise strictly;
 *   - while a row of the ledger waits for a schema that is lost, polls go on, show what is new, and take back nothing that they do not show;
 *   - an order that a person took out is not loaded for long, and what the ERP has and the status says is the newest publication's.
 * Usage: test_producer_model [histories [first seed]]; one history alone with its log: test_producer_model 1 SEED -v. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/model/world.h"

enum { HISTORIES = 5000, STEPS_MOST = 60, WORK_MOST = 60, SETTLED_POLLS = 4, CALM_POLLS = 400, CALM_STEPS = 400000, HELD_POLLS = 6 };

static struct world world;
struct world *the = &world;

static struct config *config;
static struct log *quiet;
static struct order_mapping *mapping;
static uint64_t causes[ORDER_CAUSES], rejected, crashes, woken, taken_over, held;

uint64_t dice(uint64_t sides)
{
    the->random ^= the->random << 13;
    the->random ^= the->random >> 7;
    the->random ^= the->random << 17;
    return the->random % sides;
}

bool chance(unsigned percent)
{
    return dice(100) < percent;
}

void say(const char *format, ...)
{
    va_list args;
    if (!the->verbose)
        return;
    printf("%12" PRId64 "  ", the->now);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

void broke(const char *what, int k)
{
    say("*** %s: %d", what, k);
    if (the->broken != NULL)
        return;
    the->broken = what;
    the->broken_k = k;
}

void need(bool truth)
{
    if (!truth)
        abort();
}

int key_of_id(int64_t id)
{
    return id >= FIRST_ID && id < FIRST_ID + KEYS ? (int)(id - FIRST_ID) : -1;
}

/* ---- metrics, counted for the proof that the histories reach everything */

void metrics_add(struct metrics *m, size_t row, const char *label, double amount)
{
    (void)m;
    (void)amount;
    for (int i = 0; row == PRODUCER_PUBLISHED && i < ORDER_CAUSES; i++)
        causes[i] += strcmp(label, order_book_cause_name((enum order_book_cause)i)) == 0;
    rejected += row == PRODUCER_REJECTED;
}

void metrics_set(struct metrics *m, size_t row, const char *label, double value)
{
    (void)m, (void)row, (void)label, (void)value;
}

size_t metrics_shared(const struct metrics *m, enum shared_metric which)
{
    (void)m;
    return PRODUCER_METRICS + which;
}

void metrics_observe(struct metrics *m, size_t row, const char *label, double seconds)
{
    (void)m, (void)row, (void)label, (void)seconds;
}

/* ---- what must hold at any moment */

static const struct rec *newest_of(int k)
{
    const struct rec *newest = NULL;
    for (size_t i = 0; i < the->recs_n; i++)
        if (the->recs[i].k == k && (newest == NULL || the->recs[i].p > newest->p))
            newest = &the->recs[i];
    return newest;
}

static int64_t refused_of(int k)
{
    int64_t p = -1;
    for (size_t i = 0; i < the->outs_n; i++)
        if (the->outs[i].k == k && the->outs[i].wh < 0 && the->outs[i].p > p)
            p = the->outs[i].p;
    return p;
}

/* By the producer's clock, which may have been another host's; and days may pass while a poll goes on, between a publication and its record. */
static bool is_reoffer(const struct rec *before, const struct rec *r)
{
    int64_t days = 3 * DAY_MS - 5000 * 1000, from = before->t < before->p ? before->t : before->p;
    return (r->t > r->p ? r->t : r->p) - from > days;
}

void world_order_stored(const struct rec *r)
{
    static const char *const words[2][2] = {{"published twice", "withdrawn without a cause"}, {"offered after a withdrawal without a cause", "withdrawn twice"}};
    const struct rec *before = newest_of(r->k);
    if (the->put_p[r->k] != 0 && the->put_p[r->k] < r->round && r->t - the->put_at[r->k] < 3600000)
        the->crossed[r->k] = true;
    say("PUBLISHED %d p %" PRId64 " rev %d cause %d names %u%s%s", r->k, r->p, r->rev, r->cause, r->named, r->wd ? " withdrawn" : "", r->replayed ? " by hand" : "");
    if (before != NULL && !r->replayed && !the->woken) {
        if (r->p <= before->p)
            broke("publications do not rise", r->k);
        else if (!before->replayed && !the->crossed[r->k] && (before->cause == r->cause || (r->wd && r->cause < before->cause)) && !is_reoffer(before, r))
            broke(words[before->wd][r->wd], r->k);
        if (r->round > r->p)
            broke("a round begins after its publication", r->k);
    }
    if (the->recs_n == RECORDS_MAX) {
        broke("endless publications", r->k);
        return;
    }
    the->recs[the->recs_n++] = *r;
}

/* What complete polls keep showing, unchanged, is what was published last. A retry may be held back by the guard, and so may what comes after a withdrawal. */
static void a_poll_is_complete(void)
{
    the->polls++;
    for (int k = 0; k < KEYS; k++) {
        const struct shop_order *x = &the->shop[k];
        const struct rec *r = newest_of(k);
        bool same = the->shown[k] && x->there && x->status == STATUS_NEW && the->stable_cause[k] == x->cause;
        the->stable[k] = same ? the->stable[k] + 1 : 0;
        the->stable_cause[k] = x->cause;
        the->shown[k] = false;
        if (the->stable[k] < 3 || the->woken)
            continue;
        if (r == NULL && refused_of(k) < 0)
            broke("complete polls show it and it was never published", k);
        else if (x->c.bad ? refused_of(k) < 0 : r == NULL || (!r->wd && refused_of(k) < r->p && r->rev != x->c.rev))
            broke("what was published last is not what polls show", k);
    }
}

/* Long enough for looks that fail, restarts, and slow looks. */
void world_loaded(const struct rec *r)
{
    const struct shop_order *x = &the->shop[r->k];
    const struct rec *newest = newest_of(r->k);
    if (the->row_schema_lost)
        return;
    bool taken_out = x->there && x->by_person && x->status == STATUS_CANCELLED && r->cause < x->cause;
    if (taken_out && the->polls > x->polls + 60 && the->now - x->since > 2 * 3600000 && newest == r && !r->replayed && !the->woken && !the->crossed[r->k])
        broke("loaded long after a person took it out", r->k);
}

/* ---- the producer's process */

static void on_commit(void *arg, const int64_t *positions, size_t n)
{
    (void)arg;
    world_commit(positions, n);
    a_poll_is_complete();
}

static void on_tenure_failed(void *arg, const char *words)
{
    (void)arg;
    say("the tenure failed: %s", words);
    the->tenure_failed = true;
}

static void boot(void)
{
    /* The Order schema is another one now and then: whether an order was edited since it was published with the other only that one can tell, if the registry gives it. */
    int32_t order_schema = chance(70) ? SCHEMA_OF_ORDER : SCHEMA_OF_ORDER_TOO;
    static const struct tenure_ops ops = {.commit = on_commit, .failed = on_tenure_failed};
    struct order_writer_needs writer = {.config = config, .log = quiet, .clock = loop_clock(NULL), .publisher = world_publisher(), .organization = "acme",
                                        .order_schema = order_mapping_schema(mapping), .order_schema_id = order_schema,
                                        .outcome_schema_id = SCHEMA_OF_OUTCOME, .state_schema_id = SCHEMA_OF_STATE};
    the->writer = order_writer_create(&writer);
    struct tenure_needs needs = {.loop = world_loop(), .config = config, .log = quiet, .publisher = world_publisher(), .schemas = world_schemas(),
                                 .xsale = world_xsale(), .mapping = mapping, .writer = the->writer, .order_schema_id = order_schema, .group_id = "g",
                                 .partitions = {[TOPIC_ORDERS] = 2, [TOPIC_STATE] = 1, [TOPIC_OUTCOMES] = 1, [TOPIC_STATUS] = 2, [TOPIC_DLQ] = 1}};
    memset(the->shown, 0, sizeof the->shown);
    the->tenure_failed = false;
    the->tenure = tenure_create(&needs, &ops, NULL);
}

static void end_process(bool freeze)
{
    world_publisher_crash(freeze);
    struct tenure *t = the->tenure;
    the->tenure = NULL;
    tenure_destroy(t);
    order_writer_destroy(the->writer);
    the->writer = NULL;
    world_kafka_restart();
    if (!world_loop_is_empty())
        broke("a timer outlives its owner", -1);
}

static void crash(bool freeze)
{
    say("-- the producer is killed%s", freeze ? ", or only stopped" : "");
    crashes++;
    end_process(freeze);
    boot();
}

static void on_stopped(void *arg)
{
    *(bool *)arg = true;
}

static bool act(void);

static void take_over(void)
{
    bool stopped = false;
    say("-- the producer is stopped");
    taken_over++;
    tenure_stop(the->tenure, on_stopped, &stopped);
    for (int i = 0; i < 200 && !stopped; i++) /* a drain may also run out of time */
        if (!act())
            the->now += 100;
    end_process(false);
    the->skew = (int64_t[]){0, -120000, 600000, -4000000}[dice(4)]; /* another host's clock */
    boot();
}

/* ---- the world goes on */

static bool act(void)
{
    static bool (*const all[])(void) = {world_loop_fire, world_xsale_serve, world_publisher_store, world_publisher_acknowledge, world_reader_step,
                                        world_consume, world_update};
    enum { ALL = sizeof all / sizeof *all };
    size_t from = dice(ALL);
    for (size_t i = 0; i < ALL; i++)
        if (((from + i) % ALL != the->slow || chance(10)) && all[(from + i) % ALL]())
            return true;
    return the->slow < ALL && all[the->slow]();
}

static void work(size_t steps)
{
    for (size_t i = 0; i < steps; i++) {
        the->now += (int64_t)dice(20);
        if (act())
            continue;
        int64_t next = world_loop_next();
        the->now = next > the->now ? next : the->now + 1000;
    }
}

static void by_person(int k)
{
    uint64_t bit = (uint64_t)1 << ++the->shop[k].cause % 64;
    the->bare[k] &= ~bit;
    if (the->shop[k].c.bad)
        the->bare[k] |= bit;
}

static void now_bare(int k)
{
    the->bare[k] |= (uint64_t)1 << the->shop[k].cause % 64;
}

static void set_status(int k, int status)
{
    struct shop_order *x = &the->shop[k];
    if (!x->there || x->status == status)
        return;
    say("-- a person sets %d to %d", k, status);
    by_person(k);
    x->status = status;
    x->by_person = true;
    x->since = the->now;
    x->polls = the->polls;
}

static void edit(int k)
{
    struct shop_order *x = &the->shop[k];
    if (!x->there || (x->status != STATUS_NEW && x->status != STATUS_MANUAL))
        return;
    by_person(k);
    x->c = (struct content){.rev = x->cause, .whs = 1 + (unsigned)dice(3), .bad = chance(15)};
    the->bare[k] &= ~((uint64_t)1 << x->cause % 64);
    if (x->c.bad)
        now_bare(k);
    say("-- %d is edited: rev %d warehouses %u%s", k, x->c.rev, x->c.whs, x->c.bad ? ", cannot become a record" : "");
}

static void appear(int k)
{
    struct shop_order *x = &the->shop[k];
    if (x->there || x->gone)
        return;
    say("-- %d appears", k);
    int cause = x->cause + 1;
    *x = (struct shop_order){.there = true, .status = STATUS_NEW, .c = {.rev = cause, .whs = 1 + (unsigned)dice(3), .bad = chance(5)}, .cause = cause};
    if (x->c.bad)
        now_bare(k);
}

static void delete(int k)
{
    struct shop_order *x = &the->shop[k];
    if (!x->there)
        return;
    say("-- %d is deleted", k);
    by_person(k);
    now_bare(k);
    x->there = false;
    x->gone = true;
    x->by_person = true;
    x->since = the->now;
    x->polls = the->polls;
}

static void pass_time(void)
{
    int64_t ms = (int64_t[]){60000, 700000, 700000, 4000000, DAY_MS, 4 * DAY_MS}[dice(6)];
    for (int i = 0; i < 500 && act(); i++) /* a process that is alive does not leave things undone for so long */
        ;
    say("-- %" PRId64 " s pass", ms / 1000);
    the->now += ms;
}

/* Who was taken out meanwhile is looked at from now on. */
static void row_schema(bool lost)
{
    world_lose_row_schema(lost);
    for (int k = 0; k < KEYS; k++) {
        the->shop[k].since = the->now;
        the->shop[k].polls = the->polls;
    }
}

static void something_happens(void)
{
    int k = (int)dice(KEYS - 1);
    the->slow = dice(14);
    switch (dice(20)) {
    case 0: case 1: case 2:
        edit(k);
        break;
    case 3: case 4:
        set_status(k, STATUS_NEW);
        break;
    case 5:
        set_status(k, STATUS_CANCELLED);
        break;
    case 6:
        set_status(k, dice(2) ? STATUS_MANUAL : STATUS_IMPORTED);
        break;
    case 7: case 8:
        appear(k);
        break;
    case 9:
        if (chance(40))
            delete(k);
        break;
    case 10: case 11:
        the->down[dice(WAREHOUSES)] = chance(50);
        break;
    case 12:
        the->rejects[k][dice(WAREHOUSES)] = chance(50);
        break;
    case 13: case 14:
        crash(false);
        break;
    case 15:
        if (chance(20))
            crash(true);
        else
            take_over();
        break;
    case 16:
        if (chance(50))
            the->put_refused = chance(40);
        else
            row_schema(chance(40));
        break;
    case 17:
        if (chance(50))
            world_compact();
        else
            the->broker_down = chance(50);
        break;
    case 18:
        if (chance(30))
            world_replay(k);
        else if (chance(40))
            world_publisher_wake();
        break;
    default:
        pass_time();
    }
}

/* ---- the end of a history */

static bool waits(int k)
{
    struct order_state note;
    if (the->shop[k].there && the->shop[k].status == STATUS_NEW)
        return true;
    return world_note_of(k, &note) && !note.closed;
}

static bool polls_within(unsigned n, size_t steps)
{
    unsigned polls = the->polls;
    for (; steps > 0 && the->polls - polls < n && the->broken == NULL; steps--)
        work(1);
    return the->polls - polls >= n;
}

/* The schema of the ledger's rows is lost for a while, when everything was read back. What appears must be published all the same. */
static void lose_ledger(void)
{
    if (!polls_within(1, CALM_STEPS))
        return; /* the end says so */
    row_schema(true);
    appear(KEYS - 1);
    if (!polls_within(HELD_POLLS, CALM_STEPS))
        broke("polls do not go on while a row of the ledger waits for its schema", -1);
    held += world_ledger_is_held();
    row_schema(false);
}

/* Everything is mended, and time passes until nothing moves any more. */
static void calm_down(void)
{
    say("-- everything is mended");
    the->calm = true;
    the->slow = SIZE_MAX;
    memset(the->down, 0, sizeof the->down);
    memset(the->rejects, 0, sizeof the->rejects);
    the->put_refused = the->broker_down = false;
    row_schema(false);
    if (chance(70))
        appear(KEYS - 1);
    world_publisher_wake();
    if (chance(30))
        lose_ledger();
    appear(KEYS - 1);
    unsigned polls = the->polls, still = 0;
    size_t records = the->recs_n;
    for (size_t i = 0; i < CALM_STEPS && still < SETTLED_POLLS && the->polls < polls + CALM_POLLS && the->broken == NULL; i++) {
        unsigned before = the->polls;
        work(1);
        if (the->polls == before)
            continue;
        bool quiet_poll = the->recs_n == records;
        for (int k = 0; k < KEYS; k++)
            quiet_poll = quiet_poll && !waits(k);
        still = quiet_poll ? still + 1 : 0;
        records = the->recs_n;
    }
    for (int k = 0; k < KEYS && still < SETTLED_POLLS; k++)
        if (waits(k))
            broke(the->shop[k].there && the->shop[k].status == STATUS_NEW ? "stands in the new status for ever" : "open for ever at the producer", k);
    if (still < SETTLED_POLLS)
        broke("no end", -1);
}

static void check_erp(int k, const struct rec *r)
{
    int rev;
    for (int wh = 0; wh < WAREHOUSES; wh++) {
        bool wanted = !r->wd && (r->own & 1U << wh), last = false;
        int state = world_document(k, wh, &rev);
        for (size_t i = 0; i < the->outs_n; i++)
            if (the->outs[i].k == k && the->outs[i].p == r->p && the->outs[i].wh == wh)
                last = the->outs[i].result == OUTCOME_REJECTED;
        if (wanted && !last && (state != 1 || rev != r->rev))
            broke("the ERP has something else than the newest publication", k);
        if (!wanted && (r->named & 1U << wh) && state == 1)
            broke("the ERP still has what was withdrawn", k);
    }
}

static void check_end(int k)
{
    const struct shop_order *x = &the->shop[k];
    const struct rec *r = newest_of(k);
    if (r == NULL || the->woken || the->crossed[k])
        return;
    if (refused_of(k) < r->p)
        check_erp(k, r);
    if (x->there && !x->by_person && r->wd && x->status == STATUS_IMPORTED)
        broke("shown as imported, but withdrawn", k);
}

static void play(uint64_t seed, bool verbose)
{
    memset(the, 0, sizeof *the);
    the->seed = seed;
    the->random = seed * 0x9e3779b97f4a7c15U + 0x2545f4914f6cdd1dU;
    the->verbose = verbose;
    world_kafka_reset();
    world_xsale_reset();
    world_rest_reset();
    for (int k = 0; k < KEYS - 1; k++)
        if (chance(70))
            appear(k);
    boot();
    for (uint64_t i = 10 + dice(STEPS_MOST); i > 0 && the->broken == NULL; i--) {
        work(1 + dice(WORK_MOST));
        something_happens();
        if (the->tenure_failed)
            broke("the producer stopped by itself", -1);
    }
    if (the->broken == NULL)
        calm_down();
    for (int k = 0; k < KEYS && the->broken == NULL; k++)
        check_end(k);
    woken += the->woken;
    end_process(false);
}

/* ---- all of them */

static void open_all(void)
{
    const char *overrides[] = {"xsale.client_id=a", "xsale.client_secret=b", "xsale.username=c", "xsale.password=d", "kafka.bootstrap.servers=127.0.0.1:1",
                               "registry.url=http://127.0.0.1:1", "xsale.page_size=2", "producer.unknown_schema_after=0s"};
    struct config_source source = {.overrides = overrides, .overrides_n = sizeof overrides / sizeof *overrides, .program = CONFIG_PRODUCER};
    struct config_problems problems = {.count = 0};
    struct err e;
    buf_init(&problems.text, 100000);
    if (config_load(&source, &config, &problems) != RC_OK || order_mapping_open(config, &mapping, &e) != RC_OK) {
        fprintf(stderr, "%s\n", buf_text(&problems.text));
        exit(2);
    }
    buf_release(&problems.text);
    world_kafka_open();
}

int main(int argc, char **argv)
{
    uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : HISTORIES, first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1, failed = 0;
    bool verbose = argc > 3;
    setvbuf(stdout, NULL, _IOLBF, 0);
    open_all();
    quiet = log_create("model", verbose ? STDOUT_FILENO : open("/dev/null", O_WRONLY), loop_clock(NULL));
    log_set(quiet, verbose ? LOG_DEBUG : LOG_ERROR, LOG_FORMAT_TEXT);
    for (uint64_t seed = first; seed < first + n; seed++) {
        play(seed, verbose);
        if (the->broken == NULL)
            continue;
        printf("history %" PRIu64 ": %s (order %d)\n", seed, the->broken, the->broken_k);
        if (++failed == 20)
            break;
    }
    printf("%" PRIu64 " histories from seed %" PRIu64 ", %" PRIu64 " failed; published", n, first, failed);
    for (int i = 0; i < ORDER_CAUSES; i++)
        printf(" %s %" PRIu64, order_book_cause_name((enum order_book_cause)i), causes[i]);
    printf(", rejected %" PRIu64 "; killed %" PRIu64 ", stopped %" PRIu64 ", woken up %" PRIu64 ", held by a row %" PRIu64 "\n", rejected, crashes, taken_over, woken, held);
    for (int i = 0; i < ORDER_CAUSES && n >= 1000; i++)
        failed += causes[i] == 0 || held == 0;
    world_kafka_close();
    order_mapping_close(mapping);
    config_destroy(config);
    log_destroy(quiet);
    return failed == 0 ? 0 : 1;
}
