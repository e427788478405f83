#include "consumer/verdict.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SET(to, ...) ((void)snprintf(to, sizeof(to), __VA_ARGS__)) /* cut words are still words */

/* What it means that a dependency is down, and what a person can do, by the names of /readyz. The longest beginning counts. */
static const struct advice {
    const char *name, *means, *todo;
} advice[] = {
    {"", "is not ready", ""},
    {"erp", "the ERP is down", "Repair the ERP or the way to it. Nothing is lost and nobody needs to be told: the orders wait in Kafka and go on by themselves. "
            "Only if the ERP comes back from a backup: load again what came since."},
    {"kafka", "Kafka is down", "Look after the brokers. Nothing is lost: every program goes on where it stood."},
    {"registry", "the schema registry is down", "Start the schema registry. What runs goes on with the schemas that it knows; what starts waits."},
    {"xsale-quota", "xSale's quota is used up", "Wait, or raise requests_per_minute if the account allows it."},
    {"xsale-statuses", "status names are wrong", "Correct the status names in the configuration before the next start."},
    {"xsale", "xSale is down", "Look whether xSale can be reached. Is the login refused, put the right one into its file and, under systemd, restart the program. New orders wait in xSale."},
    {"polling", "it does not poll as it should", "Read what the producer says beside this; no order is lost meanwhile, it stays in xSale."},
    {"looks", "xSale shows no single orders", "Look whether xSale shows single orders (xsale.order_path)."},
    {"status-change", "xSale refuses status changes", "Look in xSale why it refuses the change, or whether the setting of the status is right."},
    {"schema", "a schema is missing", "Bring the missing schema back into the registry."},
    {"outcomes", "a schema is missing", "Bring the missing schema back into the registry."},
};

static const struct advice *advice_for(const char *dependency)
{
    const struct advice *best = &advice[0];
    for (size_t i = 1; i < sizeof advice / sizeof *advice; i++) {
        size_t n = strlen(advice[i].name);
        if (n > strlen(best->name) && strncmp(dependency, advice[i].name, n) == 0)
            best = &advice[i];
    }
    return best;
}

/* Among the first n. */
static bool told_before(const struct verdict *v, size_t n, const char *todo)
{
    for (size_t i = 0; i < n; i++)
        if (v->troubles[i].todo == todo)
            return true;
    return false;
}

static struct trouble *add(struct verdict *v, enum verdict_level level)
{
    if (level > v->level)
        v->level = level;
    struct trouble *t = &v->troubles[v->troubles_n];
    v->troubles_n += v->troubles_n < TROUBLES_MAX; /* beyond that the last place is written over: more than anybody reads */
    *t = (struct trouble){.level = level, .todo = ""};
    return t;
}

/* One word of a command line that somebody will copy: a name that could be more to a shell is not put there. */
static void put_word(const char *name, char *out, size_t room)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./";
    (void)snprintf(out, room, "%s", name[strspn(name, plain)] == '\0' && *name != '-' ? name : "...");
}

static const char *name_of(const struct program_sight *p)
{
    return p->name[0] != '\0' ? p->name : p->expected[0] != '\0' ? p->expected : "a program";
}

static void put_age(int64_t ms, char *out, size_t room)
{
    int64_t s = ms > 0 ? ms / 1000 : 0;
    if (s < 120)
        (void)snprintf(out, room, "%" PRId64 " s", s);
    else if (s < 7200)
        (void)snprintf(out, room, "%" PRId64 " min", s / 60);
    else if (s < 172800)
        (void)snprintf(out, room, "%" PRId64 " h", s / 3600);
    else
        (void)snprintf(out, room, "%" PRId64 " days", s / 86400);
}

/* ---- programs */

/* "erp-consumer MAG-1", or with its address where nobody told its warehouse. */
static void put_program(const struct board_facts *f, const struct program_sight *p, char *out, size_t room)
{
    const char *more = strcmp(name_of(p), "erp-consumer") == 0 ? p->at : "";
    for (size_t i = 0; i < f->consumers_n; i++)
        if (strcmp(f->consumers[i].at, p->at) == 0)
            more = f->consumers[i].warehouse;
    (void)snprintf(out, room, "%s%s%s", name_of(p), *more != '\0' ? " " : "", more);
}

/* "2026-11-27T21:05:01.119Z" in ms since 1970; 0: not of that form. */
static int64_t parse_since(const char *text)
{
    struct tm tm = {0};
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
        return 0;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    time_t t = timegm(&tm);
    return t > 0 ? (int64_t)t * 1000 : 0;
}

static void look_at_dependency(const struct board_facts *f, const struct program_sight *p, const struct program_dependency *d, struct verdict *v)
{
    bool down = strcmp(d->state, "down") == 0;
    const struct advice *a = advice_for(d->name);
    struct trouble *t = add(v, down ? VERDICT_BAD : VERDICT_WAITS);
    char program[200], age[40];
    int64_t since = parse_since(d->since);
    put_program(f, p, program, sizeof program);
    SET(t->what, "%s: %s%s", program, down ? a->means : d->name, down ? "" : " is not known yet");
    put_age(f->now - since, age, sizeof age);
    SET(t->why, "%s%s%s", d->why, since > 0 ? (d->why[0] != '\0' ? ", for " : "for ") : "", since > 0 ? age : "");
    SET(t->doing, "%s", d->doing);
    if (!down || told_before(v, v->troubles_n - 1, a->todo))
        return;
    t->todo = a->todo;
    if (strcmp(d->name, "erp") == 0)
        SET(t->command, "order-replay rewind -c FILE --warehouse WAREHOUSE --to 3h --dry-run");
}

static void look_at_dependencies(const struct board_facts *f, const struct program_sight *p, struct verdict *v)
{
    bool kafka = false; /* its connections are told apart by /readyz; here one of them is enough */
    for (size_t i = 0; i < p->dependencies_n; i++) {
        const struct program_dependency *d = &p->dependencies[i];
        bool down = strcmp(d->state, "down") == 0, of_kafka = strncmp(d->name, "kafka", 5) == 0;
        if (strcmp(d->state, "up") == 0 || (of_kafka && kafka))
            continue;
        kafka = kafka || (of_kafka && down);
        look_at_dependency(f, p, d, v);
    }
}

static bool answers(const struct board_facts *f, const char *program)
{
    for (size_t i = 0; i < program_sights_count(f->programs); i++) {
        const struct program_sight *p = program_sights_get(f->programs, i);
        if (p->state > PROGRAM_SILENT && strcmp(name_of(p), program) == 0)
            return true;
    }
    return false;
}

static void look_at_programs(const struct board_facts *f, struct verdict *v)
{
    for (size_t i = 0; i < program_sights_count(f->programs); i++) {
        const struct program_sight *p = program_sights_get(f->programs, i);
        if (p->state == PROGRAM_SILENT && p->expected[0] != '\0' && answers(f, p->expected))
            continue; /* another one of its kind does its work */
        if (p->state == PROGRAM_SILENT) {
            struct trouble *t = add(v, VERDICT_BAD);
            SET(t->what, "%s does not answer at %s", name_of(p), p->at);
            SET(t->why, "%s", p->words);
            SET(t->doing, "What it would do waits; nothing is lost.");
            t->todo = "Is it running? Start it, or see its log. If it runs elsewhere, name it: order-replay serve --at HOST:PORT.";
        } else if (p->state == PROGRAM_TROUBLED) {
            look_at_dependencies(f, p, v);
        }
    }
}

enum verdict_level verdict_program(const struct program_sight *p)
{
    return p->state == PROGRAM_READY ? VERDICT_WELL : p->state == PROGRAM_UNASKED ? VERDICT_WAITS : VERDICT_BAD;
}

/* ---- orders */

static const struct {
    const char *what, *doing, *todo;
    bool at_once; /* worth a look however short it lasts */
} reasons[WAITING_REASONS] = {
    [WAITING_UNREAD] = {"not read yet", "They wait in Kafka.", "Is the warehouse's erp-consumer running, and is it fast enough?", false},
    [WAITING_QUEUED] = {"in the program's hand, others first", "It loads them in turn.", "", false},
    [WAITING_FLYING] = {"at the ERP now", "It waits for the ERP's answer.", "Is the ERP slow?", false},
    [WAITING_PARKED] = {"were tried in vain and are tried again", "Each is tried again later, the others go on.",
                        "Read the ERP's words below; correct it there. After consumer.reject_after tries such an order goes to manual handling.",
                        true},
    [WAITING_PAUSED] = {"wait because the ERP is down", "One order at a time is tried; all go on by themselves.", "Repair the ERP or the way to it.",
                        true},
    [WAITING_SCHEMA] = {"have a schema that is not to be had", "The registry is asked again.", "Bring the missing schema back into the registry.", true},
    [WAITING_STATUS] = {"are loaded, their status is still to be set", "The status-updater sets them within xSale's quota.",
                        "Is the status-updater running? With a backlog the quota decides how long it takes.", false},
    [WAITING_REFUSED] = {"have a status that xSale refuses to change", "It is tried again every 10 minutes.", "Look in xSale why it refuses the change.", true},
};

static void look_at_waiting(const struct board_facts *f, struct verdict *v)
{
    for (size_t i = 0; i < f->sums_n; i++) {
        const struct board_sum *s = &f->sums[i];
        int64_t age = f->now - s->oldest;
        char old[40], word[160];
        if (s->orders == 0 || (!reasons[s->reason].at_once && age < VERDICT_OLD_MS))
            continue;
        if (s->reason == WAITING_PAUSED && told_before(v, v->troubles_n, advice_for("erp")->todo))
            continue; /* its program has said so itself, with more words */
        struct trouble *t = add(v, s->reason == WAITING_PAUSED || s->reason == WAITING_REFUSED ? VERDICT_BAD : VERDICT_WAITS);
        put_age(age, old, sizeof old);
        SET(t->what, "%s%s%" PRIu64 " %s %s", s->warehouse, s->warehouse[0] != '\0' ? ": " : "", s->orders, s->orders == 1 ? "order:" : "orders", reasons[s->reason].what);
        SET(t->why, "the oldest for %s", old);
        SET(t->doing, "%s", reasons[s->reason].doing);
        t->todo = told_before(v, v->troubles_n - 1, reasons[s->reason].todo) ? "" : reasons[s->reason].todo;
        if (s->warehouse[0] != '\0') {
            put_word(s->warehouse, word, sizeof word);
            SET(t->command, "order-replay waiting -c FILE --warehouse %s", word);
        }
    }
}

static void look_at_totals(const struct board_facts *f, struct verdict *v)
{
    if (f->totals.faults_total > 0) {
        struct trouble *t = add(v, VERDICT_BAD);
        SET(t->what, "%" PRIu64 " %s not add up", f->totals.faults_total, f->totals.faults_total == 1 ? "order does" : "orders do");
        SET(t->why, "lost, doubled or contradictory: each is named below");
        t->todo = "Look each one up. An order that no program has any more is sent again by hand.";
        char word[ORDER_KEY_BYTES] = "ORDER";
        if (f->totals.faults_n > 0)
            put_word(f->totals.faults[0].order, word, sizeof word);
        SET(t->command, "order-replay explain -c FILE %s", word);
    }
}

static void look_at_figures(const struct board_facts *f, struct verdict *v)
{
    char old[40];
    int64_t age = f->now - f->scanned_at;
    if (f->words[0] != '\0') {
        struct trouble *t = add(v, VERDICT_BAD);
        SET(t->what, "the topics cannot be read: %s", f->scanned_at > 0 ? "the figures are old" : "there are no figures");
        SET(t->why, "%s", f->words);
        SET(t->doing, "It is tried again by itself.");
        t->todo = "Is Kafka there, and the schema registry? Can order-replay reach them with this configuration?";
        SET(t->command, "order-replay tail -c FILE --limit 1");
    } else if (f->scanned_at > 0 && age > VERDICT_OLD_MS && age > 5 * f->took_ms) {
        struct trouble *t = add(v, VERDICT_WAITS);
        put_age(age, old, sizeof old);
        SET(t->what, "the figures are %s old", old);
    }
    if (f->lags_words[0] != '\0') {
        struct trouble *t = add(v, VERDICT_WAITS);
        SET(t->what, "how far the consumer groups have read is not known");
        SET(t->why, "%s", f->lags_words);
    }
}

static void sort(struct verdict *v)
{
    for (size_t i = 1; i < v->troubles_n; i++)
        for (size_t k = i; k > 0 && v->troubles[k].level > v->troubles[k - 1].level; k--) {
            struct trouble t = v->troubles[k];
            v->troubles[k] = v->troubles[k - 1];
            v->troubles[k - 1] = t;
        }
}

/* How old the oldest answer is, when it is too old. Who is silent has none. */
static int64_t staleness(const struct board_facts *f)
{
    int64_t most = VERDICT_STALE_MS;
    for (size_t i = 0; i < program_sights_count(f->programs); i++) {
        const struct program_sight *p = program_sights_get(f->programs, i);
        if (p->state != PROGRAM_SILENT && p->answered_at > 0 && f->now - p->answered_at > most)
            most = f->now - p->answered_at;
    }
    return most > VERDICT_STALE_MS ? most : 0;
}

void verdict_make(const struct board_facts *f, struct verdict *out)
{
    *out = (struct verdict){.known = f->scanned_at > 0, .stale_ms = staleness(f)};
    look_at_figures(f, out);
    look_at_programs(f, out);
    look_at_totals(f, out);
    look_at_waiting(f, out);
    sort(out);
}
