#include "consumer/replay_rewind.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/utf8.h"
#include "common/contract/avro_json.h"
#include "common/kafka/group_offsets.h"
#include "common/kafka/kafka_conf.h"
#include "consumer/ask.h"
#include "consumer/option_number.h"
#include "consumer/order_record.h"
#include "consumer/order_tally.h"
#include "consumer/record_line.h"
#include "consumer/kafka_away.h"
#include "consumer/scan_time.h"
#include "consumer/topic_scan.h"

enum { AGAIN_MS = 2000, LOOKS = 4, TEXT_MAX = 1024 * 1024 };

static const struct program_option options[] = {
    {"--warehouse", "NAME", "The group of this warehouse's erp-consumer, <prefix>-erp-NAME; \"\" for the one that serves every warehouse."},
    {"--group", "NAME", "The group by its name, where consumer.group is set."},
    {"--to", "MOMENT", "Where to go: 3h (ago; s, m, h, d), 2026-11-24T10:00 (local time), 2026-11-24T10:00Z, beginning, end, or offset:N with --partition."},
    {"--partition", "N", "Only this partition."},
    {"--new", NULL, "The group may be one that never was: it gets its place before its erp-consumer's first start, and does not begin at the beginning."},
    {"--wait", NULL, "While the group has members, wait until it has none instead of refusing."},
    {"--dry-run", NULL, "Show what would happen and change nothing."},
    {"--yes", NULL, "Do not ask."},
    {"--json", NULL, "Print one JSON object."},
};

struct rewind {
    struct program *program;
    struct loop *loop;
    struct group_offsets *offsets;
    struct topic_scan *scan;
    struct order_tally again, skipped; /* records that will be loaded again; that will never be */
    struct group_offset *plan;         /* plan_n partitions */
    size_t plan_n;
    struct ask ask;
    struct loop_timer timer;
    struct reader_start target;
    int looks;
    char group[300], topic[250];
    const char *warehouse; /* NULL or "": every one */
    bool json, dry, yes, wait, waiting, new_group;
};

static void look(void *arg);

static void finish(struct rewind *w, int code, const char *words)
{
    program_finish(w->program, code, words);
}

/* One that was never committed stands at the beginning: that is where the consumer would start. */
static int64_t position(const struct group_offset *o)
{
    return o->committed >= 0 ? o->committed : o->earliest;
}

static int64_t back(const struct group_offset *o)
{
    return position(o) > o->target ? position(o) - o->target : 0;
}

static int64_t forward(const struct group_offset *o)
{
    return o->target > position(o) ? o->target - position(o) : 0;
}

static void put_moment(struct buf *out, const char *name, const char *key, int64_t at)
{
    buf_printf(out, "  %-6s %s, ", name, key);
    record_line_time(at, out);
    buf_put_byte(out, '\n');
}

static void put_tally(struct buf *out, const struct order_tally *t, const char *title, const char *superseded_words)
{
    uint64_t orders, superseded;
    if (t->records == 0)
        return;
    order_tally_sum(t, &orders, &superseded);
    buf_printf(out, "%s: %" PRIu64 " records of %s%" PRIu64 " orders\n", title, t->records, t->full ? "at least " : "", orders);
    for (size_t i = 0; i < t->warehouses_n; i++)
        buf_printf(out, "  that name %s: %" PRIu64 "\n", t->warehouses[i].name, t->warehouses[i].records);
    put_moment(out, "first:", t->first, t->first_at);
    put_moment(out, "last:", t->last, t->last_at);
    if (superseded > 0)
        buf_printf(out, "  %s%" PRIu64 " of the records have a newer publication behind them%s\n", t->full ? "at least " : "", superseded, superseded_words);
}

static void put_text(const struct rewind *w, struct buf *out)
{
    buf_printf(out, "group %s on %s\n%9s %12s %12s %12s %12s %12s\n", w->group, w->topic, "partition", "committed", "new", "end", "again", "skipped");
    for (size_t i = 0; i < w->plan_n; i++) {
        const struct group_offset *o = &w->plan[i];
        buf_printf(out, "%9d %12" PRId64 " %12" PRId64 " %12" PRId64 " %12" PRId64 " %12" PRId64 "\n", (int)o->partition, o->committed, o->target, o->end, back(o),
                   forward(o));
    }
    put_tally(out, &w->again, "to be loaded again", " and are not loaded");
    put_tally(out, &w->skipped, "NEVER to be loaded by this group", "");
}

static void put_json_text(struct buf *out, const char *text)
{
    avro_json_text(out, (const unsigned char *)text, utf8_check(text, strlen(text)));
}

static void put_json_moment(struct buf *out, const char *name, const char *key, int64_t at)
{
    buf_printf(out, ",\"%s\":", name);
    if (at < 0) {
        buf_put_text(out, "null");
        return;
    }
    buf_put_text(out, "{\"order\":");
    put_json_text(out, key);
    buf_put_text(out, ",\"time\":\"");
    record_line_time(at, out);
    buf_put_text(out, "\"}");
}

static void put_json_tally(struct buf *out, const char *name, const struct order_tally *t)
{
    uint64_t orders, superseded;
    order_tally_sum(t, &orders, &superseded);
    buf_printf(out, ",\"%s\":{\"records\":%" PRIu64 ",\"orders\":%" PRIu64 ",\"superseded\":%" PRIu64 ",\"lowerBound\":%s,\"warehouses\":[", name, t->records, orders,
               superseded, t->full ? "true" : "false");
    for (size_t i = 0; i < t->warehouses_n; i++) {
        buf_put_text(out, i > 0 ? ",{\"warehouse\":" : "{\"warehouse\":");
        put_json_text(out, t->warehouses[i].name);
        buf_printf(out, ",\"records\":%" PRIu64 "}", t->warehouses[i].records);
    }
    buf_put_byte(out, ']');
    put_json_moment(out, "first", t->first, t->first_at);
    put_json_moment(out, "last", t->last, t->last_at);
    buf_put_byte(out, '}');
}

static void put_json(const struct rewind *w, bool done, struct buf *out)
{
    buf_put_text(out, "{\"group\":");
    put_json_text(out, w->group);
    buf_printf(out, ",\"topic\":\"%s\",\"done\":%s,\"partitions\":[", w->topic, done ? "true" : "false");
    for (size_t i = 0; i < w->plan_n; i++) {
        const struct group_offset *o = &w->plan[i];
        buf_printf(out, "%s{\"partition\":%d,\"committed\":%" PRId64 ",\"new\":%" PRId64 ",\"end\":%" PRId64 "}", i > 0 ? "," : "", (int)o->partition, o->committed,
                   o->target, o->end);
    }
    buf_put_byte(out, ']');
    put_json_tally(out, "again", &w->again);
    put_json_tally(out, "skipped", &w->skipped);
    buf_put_text(out, "}\n");
}

static bool show(const struct rewind *w, bool done)
{
    struct buf out;
    buf_init(&out, TEXT_MAX);
    if (w->json)
        put_json(w, done, &out);
    else if (!done)
        put_text(w, &out);
    else
        buf_printf(&out, "done: group %s stands at the new offsets, start its erp-consumer\n", w->group);
    bool ok = !buf_failed(&out) && fwrite(out.p, 1, out.n, stdout) == out.n && fflush(stdout) == 0;
    buf_release(&out);
    return ok;
}

static void on_set(void *arg, enum rc rc, const struct group_sight *sight, const char *words)
{
    struct rewind *w = arg;
    for (size_t i = 0; rc == RC_OK && i < sight->offsets_n; i++)
        if (sight->offsets[i].committed != sight->offsets[i].target || sight->offsets[i].metadata) {
            rc = RC_REJECT;
            words = "the offsets do not stand where they were set: somebody else commits for this group";
        }
    if (rc != RC_OK)
        finish(w, 1, words);
    else
        finish(w, show(w, true) ? 0 : 1, NULL);
}

static void apply(struct rewind *w)
{
    struct group_offset *changed = calloc(w->plan_n + 1, sizeof *changed);
    size_t n = 0;
    for (size_t i = 0; changed != NULL && i < w->plan_n; i++)
        if (w->plan[i].target >= 0 && (w->plan[i].target != w->plan[i].committed || w->plan[i].metadata))
            changed[n++] = w->plan[i];
    if (changed == NULL || (n > 0 && group_offsets_set(w->offsets, changed, n, on_set, w) != RC_OK))
        finish(w, 1, "out of memory");
    else if (n == 0)
        finish(w, show(w, true) ? 0 : 1, NULL);
    free(changed);
}

static void on_answer(void *arg, bool yes)
{
    struct rewind *w = arg;
    if (yes) {
        apply(w);
        return;
    }
    (void)fprintf(stderr, "nothing was changed\n");
    finish(w, 1, NULL);
}

static void decide(struct rewind *w)
{
    if ((w->dry || !w->json) && !show(w, false)) {
        finish(w, 1, "cannot write to standard output");
    } else if (w->dry) {
        finish(w, 0, NULL);
    } else if (w->yes) {
        apply(w);
    } else if (ask_possible()) {
        ask_begin(&w->ask, w->loop, "Commit the new offsets?", on_answer, w);
    } else {
        finish(w, 2, "nobody can be asked here: add --yes, or --dry-run to look only");
    }
}

/* Does the record reach this group's ERP? One that names no warehouses is the consumer's to judge. */
static bool for_us(const struct rewind *w, const struct kafka_record *r)
{
    return w->warehouse == NULL || *w->warehouse == '\0' || !order_record_not_for(r, w->warehouse);
}

/* Everything is told by key and headers, so no record is wanted whole. */
static bool count(void *arg, const struct kafka_record *r)
{
    struct rewind *w = arg;
    for (size_t i = 0; i < w->plan_n; i++) {
        const struct group_offset *o = &w->plan[i];
        if (o->partition != r->partition || o->target < 0)
            continue;
        bool ours = for_us(w, r);
        order_tally_add(&w->again, r, ours && r->offset >= o->target && r->offset < position(o));
        if (ours && r->offset >= position(o) && r->offset < o->target)
            order_tally_add(&w->skipped, r, true);
    }
    return false;
}

static void on_record(void *arg, const struct scan_record *r)
{
    (void)arg;
    (void)r;
}

static void on_end(void *arg)
{
    decide(arg);
}

static void on_failed(void *arg, const char *words)
{
    finish(arg, 1, words);
}

static void begin_scan(struct rewind *w)
{
    static const struct topic_scan_ops ops = {count, on_record, on_end, on_failed, false};
    struct err e;
    struct reader_start *starts = calloc(w->plan_n + 1, sizeof *starts);
    size_t n = 0;
    for (size_t i = 0; starts != NULL && i < w->plan_n; i++) {
        const struct group_offset *o = &w->plan[i];
        int64_t from = o->target >= 0 && o->target < position(o) ? o->target : position(o);
        if (from < o->end && o->target != o->committed)
            starts[n++] = (struct reader_start){w->topic, o->partition, READER_OFFSET, from};
    }
    if (starts == NULL)
        finish(w, 1, "out of memory");
    else if (n == 0)
        decide(w);
    else if (topic_scan_create(w->program, starts, n, &ops, w, &w->scan, &e) != RC_OK)
        finish(w, 1, e.text);
    free(starts);
}

static void refuse_active(struct rewind *w, const struct group_members *m)
{
    struct buf words;
    buf_init(&words, 8192);
    buf_printf(&words, "group %s is %s with %zu members:", w->group, m->state, m->n);
    for (size_t i = 0; i < m->n && i < GROUP_MEMBERS_SHOWN; i++)
        buf_printf(&words, " %s at %s%s", m->shown[i].client, m->shown[i].host, i + 1 < m->n ? "," : "");
    buf_put_text(&words, ". Stop its erp-consumers first (nothing is lost while they stand still)");
    const char *text = buf_text(&words);
    if (w->wait && !w->waiting)
        (void)fprintf(stderr, "%s; waiting\n", text != NULL ? text : "");
    w->waiting = true;
    if (!w->wait)
        finish(w, 1, text);
    else
        loop_timer_in(w->loop, &w->timer, AGAIN_MS, look, w);
    buf_release(&words);
}

static bool nothing_committed(const struct group_sight *sight)
{
    for (size_t i = 0; i < sight->offsets_n; i++)
        if (sight->offsets[i].committed >= 0)
            return false;
    return true;
}

static bool partition_there(const struct rewind *w, const struct group_sight *sight)
{
    bool there = w->target.partition < 0;
    for (size_t i = 0; i < sight->offsets_n; i++)
        there = there || sight->offsets[i].partition == w->target.partition;
    return there;
}

static void refuse_unknown(struct rewind *w)
{
    struct err words;
    err_set(&words, "there is no group %s: it has neither members nor offsets. Is the warehouse's name right, or has its erp-consumer never run? --new gives it a "
                    "place all the same.", w->group);
    finish(w, 1, words.text);
}

static void on_look(void *arg, enum rc rc, const struct group_sight *sight, const char *words)
{
    struct rewind *w = arg;
    if (rc == RC_RETRY && ++w->looks < LOOKS) {
        log_event(program_log(w->program), LOG_WARN, "rewind", NULL, "asks again", LOG_S("why", words));
        loop_timer_in(w->loop, &w->timer, AGAIN_MS, look, w);
    } else if (rc != RC_OK) {
        struct err e;
        kafka_away_words(config_text(program_config(w->program), "kafka.bootstrap.servers"), words, health_why(program_health(w->program), "kafka"), &e);
        finish(w, 1, e.text);
    } else if (sight->members.active && !w->dry) {
        refuse_active(w, &sight->members);
    } else if (!w->new_group && strcmp(sight->members.state, "Dead") == 0 && nothing_committed(sight)) {
        refuse_unknown(w);
    } else if (!partition_there(w, sight)) {
        finish(w, 2, "the topic has no such partition");
    } else if ((w->plan = calloc(sight->offsets_n + 1, sizeof *w->plan)) == NULL) {
        finish(w, 1, "out of memory");
    } else {
        memcpy(w->plan, sight->offsets, sight->offsets_n * sizeof *w->plan);
        w->plan_n = sight->offsets_n;
        begin_scan(w);
    }
}

static void look(void *arg)
{
    struct rewind *w = arg;
    if (group_offsets_look(w->offsets, &w->target, on_look, w) != RC_OK)
        finish(w, 1, "out of memory");
}

static enum rc parse_target(struct rewind *w, struct err *e)
{
    const char *to = program_option_value(w->program, "--to"), *partition = program_option_value(w->program, "--partition");
    int64_t number = -1;
    w->target = (struct reader_start){w->topic, -1, READER_TIME, 0};
    if (option_number("--partition", partition, 0, GROUP_PARTITIONS_MAX, &number, e) != RC_OK)
        return RC_REJECT;
    w->target.partition = (int32_t)number;
    if (to == NULL) {
        err_set(e, "rewind needs --to MOMENT");
        return RC_REJECT;
    }
    if (strncmp(to, "offset:", 7) == 0) {
        w->target.from = READER_OFFSET;
        if (partition == NULL) {
            err_set(e, "--to %.40s: an offset needs --partition", to);
            return RC_REJECT;
        }
        return option_number("--to offset:N", to + 7, 0, INT64_MAX - 1, &w->target.value, e);
    }
    enum rc rc = scan_time_parse(to, clock_wall(loop_clock(w->loop)), &w->target.value, e);
    if (rc == RC_OK && w->target.value == SCAN_TIME_BEGINNING)
        w->target.from = READER_BEGINNING;
    if (rc != RC_OK)
        err_prefix(e, "--to");
    return rc;
}

static enum rc parse_options(struct rewind *w, struct err *e)
{
    struct program *p = w->program;
    const char *group = program_option_value(p, "--group");
    w->warehouse = program_option_value(p, "--warehouse");
    w->json = program_option_value(p, "--json") != NULL;
    w->dry = program_option_value(p, "--dry-run") != NULL;
    w->yes = program_option_value(p, "--yes") != NULL;
    w->wait = program_option_value(p, "--wait") != NULL;
    w->new_group = program_option_value(p, "--new") != NULL;
    kafka_topic_name(program_config(p), "orders", w->topic);
    if (group == NULL && w->warehouse == NULL) {
        err_set(e, "rewind needs --warehouse NAME or --group NAME");
        return RC_REJECT;
    }
    int n = group != NULL ? snprintf(w->group, sizeof w->group, "%s", group)
                          : snprintf(w->group, sizeof w->group, "%s-erp-%s", config_text(program_config(p), "topics.prefix"), *w->warehouse != '\0' ? w->warehouse : "all");
    if (n < 1 || n > 249) {
        err_set(e, "that is no name of a group");
        return RC_REJECT;
    }
    return parse_target(w, e);
}

static enum rc start_command(struct program *p, void **state, struct err *e)
{
    struct rewind *w = calloc(1, sizeof *w);
    if (w == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    w->program = p;
    w->loop = program_loop(p);
    order_tally_init(&w->again);
    order_tally_init(&w->skipped);
    *state = w;
    enum rc rc = parse_options(w, e);
    if (rc == RC_OK)
        rc = group_offsets_create(w->loop, program_worker(p), program_config(p), program_log(p), program_health(p), w->group, w->topic, &w->offsets, e);
    if (rc == RC_OK)
        look(w);
    return rc;
}

static void stop_command(void *state)
{
    struct rewind *w = state;
    (void)fprintf(stderr, "interrupted\n");
    finish(w, 1, NULL);
}

static void release_command(void *state)
{
    struct rewind *w = state;
    if (w == NULL)
        return;
    ask_release(&w->ask);
    loop_timer_clear(w->loop, &w->timer);
    topic_scan_destroy(w->scan);
    group_offsets_destroy(w->offsets);
    order_tally_release(&w->again);
    order_tally_release(&w->skipped);
    free(w->plan);
    free(w);
}

const struct program_command replay_rewind_command = {
    .name = "rewind",
    .summary = "set a group of erp-consumer back, so that orders are loaded again",
    .description = "For an ERP that was restored from a backup: its erp-consumer's group is set to an earlier moment and loads every order since then again, under "
                   "the same idempotency keys. Documents that the ERP still has stay as they are. Orders that a newer publication stands behind are not loaded.\n\n"
                   "Shows first what is committed, what will be, and which records are meant. The group must have no members: stop its erp-consumers, nothing is "
                   "lost while they stand still. Statuses in xSale change only where an order's verdict changes.\n\n"
                   "Forward (--to end) is possible too: the records between are then never loaded by this group.",
    .options = options,
    .options_n = sizeof options / sizeof *options,
    .start = start_command,
    .stop = stop_command,
    .release = release_command
};
