#include "consumer/page_flow.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "consumer/html.h"

/* What waits on one arrow. */
struct hop {
    uint64_t orders;
    int64_t oldest; /* ms since 1970; 0: none */
    enum verdict_level level;
};

static void take(const struct board_facts *f, const struct board_sum *s, struct hop *to)
{
    bool stuck = s->reason == WAITING_PAUSED || s->reason == WAITING_REFUSED;
    enum verdict_level level = stuck ? VERDICT_BAD : f->now - s->oldest > VERDICT_OLD_MS || s->reason == WAITING_PARKED ? VERDICT_WAITS : VERDICT_WELL;
    if (s->orders == 0)
        return;
    to->orders += s->orders;
    if (to->oldest == 0 || s->oldest < to->oldest)
        to->oldest = s->oldest;
    if (level > to->level)
        to->level = level;
}

static bool at_erp(enum waiting_reason r)
{
    return r == WAITING_QUEUED || r == WAITING_FLYING || r == WAITING_PARKED || r == WAITING_PAUSED || r == WAITING_SCHEMA;
}

static const struct program_sight *find_program(const struct board_facts *f, const char *name)
{
    const struct program_sight *found = NULL;
    for (size_t i = 0; i < program_sights_count(f->programs); i++) {
        const struct program_sight *p = program_sights_get(f->programs, i);
        if (strcmp(p->name[0] != '\0' ? p->name : p->expected, name) == 0 && (found == NULL || p->state > found->state))
            found = p;
    }
    return found;
}

static const struct board_consumer *find_consumer(const struct board_facts *f, const char *warehouse)
{
    for (size_t i = 0; i < f->consumers_n; i++)
        if (strcmp(f->consumers[i].warehouse, warehouse) == 0 || f->consumers[i].warehouse[0] == '\0')
            return &f->consumers[i];
    return NULL;
}

static const struct program_sight *at(const struct board_facts *f, const char *address)
{
    for (size_t i = 0; i < program_sights_count(f->programs); i++)
        if (strcmp(program_sights_get(f->programs, i)->at, address) == 0)
            return program_sights_get(f->programs, i);
    return NULL;
}

static void begin_hop(const struct hop *h, struct buf *out)
{
    buf_printf(out, "<li class=\"hop %s\"><span>", page_level(h->level));
}

/* tail: of ours, numbers and words. */
static void end_hop(const struct board_facts *f, const struct hop *h, const char *tail, struct buf *out)
{
    buf_put_text(out, "</span><span class=\"arrow\"></span><span class=\"dim\">");
    if (h->oldest > 0) {
        buf_put_text(out, "oldest ");
        page_age(f->now - h->oldest, out);
        buf_put_text(out, *tail != '\0' ? "<br>" : "");
    }
    buf_printf(out, "%s</span></li>\n", tail);
}

static void put_waiting_hop(const struct board_facts *f, const struct hop *h, const char *words, const char *tail, struct buf *out)
{
    begin_hop(h, out);
    buf_put_text(out, "<b>");
    page_count(h->orders, out);
    buf_printf(out, "</b> %s", words);
    end_hop(f, h, tail, out);
}

static void put_stop(const char *level, const char *name, const char *words, struct buf *out)
{
    buf_printf(out, "<li class=\"stop %s\"><b>", level);
    html_text(out, name);
    buf_put_text(out, "</b><span>");
    html_text(out, words);
    buf_put_text(out, "</span></li>\n");
}

static void put_program(const struct board_facts *f, const char *name, struct buf *out)
{
    static const char *const words[] = {"not asked yet", "does not answer", "not ready", "ready"};
    const struct program_sight *p = find_program(f, name);
    put_stop(p != NULL ? page_level(verdict_program(p)) : "", name, p != NULL ? words[p->state] : "not asked", out);
}

/* From xSale to the producer: how long ago it polled. */
static void put_poll(const struct board_facts *f, struct buf *out)
{
    const struct program_sight *p = find_program(f, "xsale-producer");
    double poll = p != NULL ? p->numbers[PROGRAM_LAST_POLL] : NAN;
    buf_put_text(out, "<li class=\"hop\"><span>polled</span><span class=\"arrow\"></span><span class=\"dim\">");
    if (poll > 0 && poll < 1e11) {
        page_age(f->now - (int64_t)(poll * 1000), out);
        buf_put_text(out, " ago");
    } else {
        buf_put_text(out, "not known");
    }
    buf_put_text(out, "</span></li>\n");
}

/* The group behind a warehouse's program: its records behind; the tail is of ours, numbers and words. */
static void lag_words(const struct board_facts *f, const char *warehouse, char *out, size_t room)
{
    char end[160], all[] = "-erp-all";
    out[0] = '\0';
    (void)snprintf(end, sizeof end, "-erp-%.*s", BOARD_NAME - 1, warehouse);
    for (size_t i = 0; i < f->lags_n; i++) {
        const struct group_lag *g = &f->lags[i];
        size_t n = strlen(g->group), m = strlen(end), k = strlen(all);
        bool own = n > m && strcmp(g->group + n - m, end) == 0, shared = n > k && strcmp(g->group + n - k, all) == 0;
        if ((own || shared) && g->records >= 0)
            (void)snprintf(out, room, "%lld behind", (long long)g->records);
    }
}

/* The program of a warehouse: the one that says so; where none does, one that stands for all of them. NULL: they differ, or nobody was asked. */
static const struct program_sight *consumer_of(const struct board_facts *f, const char *warehouse)
{
    const struct board_consumer *c = find_consumer(f, warehouse);
    const struct program_sight *found = NULL;
    if (c != NULL)
        return at(f, c->at);
    for (size_t i = 0; i < program_sights_count(f->programs); i++) {
        const struct program_sight *p = program_sights_get(f->programs, i);
        if (strcmp(p->name[0] != '\0' ? p->name : p->expected, "erp-consumer") != 0)
            continue;
        if (found != NULL && found->state != p->state)
            return NULL;
        found = p;
    }
    return found;
}

static bool erp_down(const struct program_sight *p)
{
    for (size_t i = 0; p != NULL && p->state > PROGRAM_SILENT && i < p->dependencies_n; i++)
        if (strcmp(p->dependencies[i].name, "erp") == 0)
            return strcmp(p->dependencies[i].state, "down") == 0;
    return false;
}

static void put_consumer(const struct program_sight *p, bool paused, const char *warehouse, struct buf *out)
{
    static const char *const states[] = {"not asked yet", "does not answer", "not ready", "ready"};
    char words[BOARD_NAME + 40];
    const char *state = paused ? "paused" : p != NULL ? states[p->state] : "not known";
    (void)snprintf(words, sizeof words, "%.*s%s%s", BOARD_NAME, warehouse, *warehouse != '\0' ? ", " : "", state);
    put_stop(p == NULL ? "" : page_level(verdict_program(p)), "erp-consumer", words, out);
}

static void put_lane(const struct board_facts *f, const char *warehouse, struct buf *out)
{
    struct hop unread = {0}, erp = {0};
    char tail[80];
    const struct program_sight *p = consumer_of(f, warehouse);
    const struct board_consumer *c = find_consumer(f, warehouse);
    bool down = erp_down(p) || (c != NULL && c->paused[0] != '\0');
    for (size_t i = 0; i < f->sums_n; i++)
        if (strcmp(f->sums[i].warehouse, warehouse) == 0)
            take(f, &f->sums[i], f->sums[i].reason == WAITING_UNREAD ? &unread : &erp);
    if (down)
        erp.level = VERDICT_BAD;
    lag_words(f, warehouse, tail, sizeof tail);
    buf_put_text(out, "<li><ol class=\"lane\">");
    put_waiting_hop(f, &unread, "unread", tail, out);
    put_consumer(p, down, warehouse, out);
    if (c != NULL)
        put_waiting_hop(f, &erp, "in hand", "", out);
    else
        buf_printf(out, "<li class=\"hop %s\"><span class=\"dim\">not told</span><span class=\"arrow\"></span><span></span></li>\n", page_level(erp.level));
    put_stop(page_level(erp.level), "ERP", down ? "down" : warehouse, out);
    buf_put_text(out, "</ol></li>\n");
}

static bool told_before(const struct board_facts *f, const char *warehouse, size_t sums, size_t lines)
{
    for (size_t i = 0; i < lines; i++)
        if (strcmp(f->totals.lines[i].warehouse, warehouse) == 0)
            return true;
    for (size_t i = 0; i < sums; i++)
        if (strcmp(f->sums[i].warehouse, warehouse) == 0)
            return true;
    return false;
}

static void put_lanes(const struct board_facts *f, struct buf *out)
{
    size_t n = 0;
    buf_put_text(out, "<li class=\"lanes-box\"><ul class=\"lanes\">\n");
    for (size_t i = 0; i < f->totals.lines_n && n < PAGE_LANES; i++)
        if (f->totals.lines[i].warehouse[0] != '\0') {
            put_lane(f, f->totals.lines[i].warehouse, out);
            n++;
        }
    for (size_t i = 0; i < f->sums_n && n < PAGE_LANES; i++)
        if (f->sums[i].warehouse[0] != '\0' && !told_before(f, f->sums[i].warehouse, i, f->totals.lines_n)) {
            put_lane(f, f->sums[i].warehouse, out);
            n++;
        }
    if (n == 0)
        put_lane(f, "", out);
    buf_put_text(out, "</ul></li>\n");
}

static void put_outcomes(const struct board_facts *f, struct buf *out)
{
    struct hop h = {0};
    char tail[80] = "";
    uint64_t answers = f->totals.all.imported + f->totals.all.rejected + f->totals.all.superseded + f->totals.all.withdrawn;
    for (size_t i = 0; i < f->lags_n; i++)
        if (strstr(f->lags[i].group, "-updater-") != NULL && f->lags[i].records >= 0)
            (void)snprintf(tail, sizeof tail, "%lld behind", (long long)f->lags[i].records);
    begin_hop(&h, out);
    buf_put_text(out, "<b>");
    page_count(answers, out);
    buf_printf(out, "</b> %s", answers == 1 ? "outcome" : "outcomes");
    end_hop(f, &h, tail, out);
}

void page_flow(const struct board_facts *f, struct buf *out)
{
    struct hop status = {0};
    for (size_t i = 0; i < f->sums_n; i++)
        if (f->sums[i].warehouse[0] == '\0' && !at_erp(f->sums[i].reason) && f->sums[i].reason != WAITING_UNREAD)
            take(f, &f->sums[i], &status);
    buf_put_text(out, "<section id=\"flow\"><h2>The way of the orders</h2><ol class=\"flow\">\n");
    put_stop("", "xSale", "new orders", out);
    put_poll(f, out);
    put_program(f, "xsale-producer", out);
    put_lanes(f, out);
    put_outcomes(f, out);
    put_program(f, "status-updater", out);
    put_waiting_hop(f, &status, "to set", "", out);
    put_stop("", "xSale", "status set", out);
    buf_put_text(out, "</ol></section>\n");
}
