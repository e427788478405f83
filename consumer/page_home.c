#include "consumer/page_home.h"

#include <math.h>
#include <string.h>

#include "consumer/html.h"
#include "consumer/page_flow.h"
#include "consumer/page_sum.h"
#include "consumer/scan_time.h"

static void put_row(const char *name, const char *text, struct buf *out)
{
    if (*text == '\0')
        return;
    buf_printf(out, "<dt>%s</dt><dd>", name);
    html_text(out, text);
    buf_put_text(out, "</dd>");
}

static void put_trouble(const struct trouble *t, struct buf *out)
{
    buf_printf(out, "<div class=\"card %s\"><h3>", page_level(t->level));
    html_text(out, t->what);
    buf_put_text(out, "</h3><dl>");
    put_row("Why", t->why, out);
    put_row("The bridge", t->doing, out);
    put_row("You", t->todo, out);
    if (t->command[0] != '\0') {
        buf_put_text(out, "<dt>Command</dt><dd><code>");
        html_text(out, t->command);
        buf_put_text(out, "</code></dd>");
    }
    buf_put_text(out, "</dl></div>\n");
}

static const char *headline(const struct verdict *v)
{
    if (v->stale_ms > 0)
        return "Looking anew";
    if (v->troubles_n > 0)
        return v->troubles[0].what;
    return v->known ? "All is well" : "Looking for the first time";
}

static enum verdict_level shown_level(const struct verdict *v)
{
    if (v->stale_ms > 0)
        return VERDICT_WAITS;
    return v->known || v->level == VERDICT_BAD ? v->level : VERDICT_WAITS;
}

static void put_banner(const struct board_facts *f, const struct verdict *v, struct buf *out)
{
    buf_printf(out, "<section class=\"banner %s\"><h1>", page_level(shown_level(v)));
    html_text(out, headline(v));
    buf_put_text(out, "</h1><p>");
    if (v->stale_ms > 0) {
        buf_put_text(out, "<b>What follows is as it was ");
        page_age(v->stale_ms, out);
        buf_put_text(out, " ago</b>: nobody has looked since. The programs and the topics are being asked; this page comes back by itself. ");
    }
    if (v->troubles_n > 1 && v->stale_ms == 0)
        buf_printf(out, "And %zu more below. ", v->troubles_n - 1);
    if (v->known) {
        buf_put_text(out, f->waiting == 0 ? "No order waits." : "<b>");
        if (f->waiting > 0) {
            page_count(f->waiting, out);
            buf_put_text(out, f->waiting == 1 ? "</b> order waits" : "</b> orders wait (one of two warehouses counts twice)");
            buf_put_text(out, f->rows_n > 0 ? ", the oldest for " : "");
            if (f->rows_n > 0)
                page_age(f->now - f->rows[0].since, out);
            buf_put_byte(out, '.');
        }
        buf_put_text(out, " <span class=\"dim\">Figures ");
        page_age(f->now - f->scanned_at, out);
        buf_put_text(out, " old, of orders ");
        if (f->from == SCAN_TIME_BEGINNING) {
            buf_put_text(out, "that Kafka still keeps");
        } else {
            buf_put_text(out, "since ");
            page_time(f->from, out);
        }
        buf_put_text(out, f->scanning ? "; being made anew.</span>" : ".</span>");
    } else {
        buf_put_text(out, "The topics are being read. This page comes back by itself.");
    }
    buf_put_text(out, "</p></section>\n");
    for (size_t i = 0; i < v->troubles_n; i++)
        put_trouble(&v->troubles[i], out);
}

/* ---- what waits */

static void put_warehouse(const char *name, struct buf *out)
{
    if (*name != '\0')
        html_text(out, name);
    else
        buf_put_text(out, "<span class=\"dim\">status in xSale</span>");
}

static void put_sums(const struct board_facts *f, struct buf *out)
{
    buf_put_text(out, "<div class=\"scroll\"><table><thead><tr><th>Where</th><th>Why</th><th class=\"n\">Orders</th><th class=\"n\">Oldest</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < f->sums_n; i++) {
        const struct board_sum *s = &f->sums[i];
        if (s->orders == 0)
            continue;
        buf_put_text(out, "<tr><td class=\"t\">");
        put_warehouse(s->warehouse, out);
        buf_put_text(out, "</td><td class=\"w\">");
        html_text(out, waiting_reason_words(s->reason));
        buf_put_text(out, "</td><td class=\"n\">");
        page_count(s->orders, out);
        buf_put_text(out, "</td><td class=\"n\">");
        page_age(f->now - s->oldest, out);
        buf_put_text(out, "</td></tr>\n");
    }
    buf_put_text(out, "</tbody></table></div>\n");
}

static void put_waiting_row(const struct board_facts *f, const struct board_row *r, struct buf *out)
{
    buf_put_text(out, "<tr><td class=\"t\">");
    page_order_link(r->order, out);
    buf_put_text(out, "</td><td class=\"t\">");
    put_warehouse(r->warehouse, out);
    buf_put_text(out, "</td><td class=\"w\">");
    html_text(out, waiting_reason_words(r->reason));
    if (r->words[0] != '\0') {
        buf_put_text(out, ": ");
        html_text(out, r->words);
    }
    if (r->next_in >= 0) {
        buf_put_text(out, "; next try in ");
        page_age(r->next_in, out);
    }
    buf_put_text(out, "</td><td class=\"n\">");
    page_age(f->now - r->since, out);
    buf_put_text(out, "</td></tr>\n");
}

static void put_waiting(const struct board_facts *f, struct buf *out)
{
    buf_put_text(out, "<section id=\"waiting\"><h2>What waits</h2>\n");
    if (f->waiting == 0) {
        buf_put_text(out, f->scanned_at > 0 ? "<p class=\"dim\">Nothing.</p></section>\n" : "<p class=\"dim\">Not known yet.</p></section>\n");
        return;
    }
    put_sums(f, out);
    buf_put_text(out, "<h2>The oldest of them</h2><div class=\"scroll\"><table><thead><tr><th>Order</th><th>Where</th><th>Why</th><th class=\"n\">For</th></tr></thead>"
                      "<tbody>\n");
    for (size_t i = 0; i < f->rows_n; i++)
        put_waiting_row(f, &f->rows[i], out);
    buf_put_text(out, "</tbody></table></div>\n");
    if (f->waiting > f->rows_n)
        buf_put_text(out, "<p class=\"dim\">More of them: <code>order-replay waiting -c FILE</code></p>\n");
    buf_put_text(out, "</section>\n");
}

/* ---- programs */

static void put_state(const struct program_sight *p, struct buf *out)
{
    static const char *const words[] = {[PROGRAM_UNASKED] = "not asked yet", [PROGRAM_SILENT] = "does not answer", [PROGRAM_TROUBLED] = "not ready", [PROGRAM_READY] = "ready"};
    buf_printf(out, "<td><b class=\"%s\">%s</b></td><td class=\"w\">", page_level(verdict_program(p)), words[p->state]);
    if (p->state == PROGRAM_SILENT)
        html_text(out, p->words);
    for (size_t i = 0; p->state == PROGRAM_TROUBLED && i < p->dependencies_n; i++) {
        const struct program_dependency *d = &p->dependencies[i];
        if (strcmp(d->state, "up") == 0)
            continue;
        buf_put_text(out, "<div>");
        html_text(out, d->name);
        buf_put_byte(out, ' ');
        html_text(out, d->state);
        if (d->why[0] != '\0') {
            buf_put_text(out, ": ");
            html_text(out, d->why);
        }
        buf_put_text(out, "</div>");
    }
}

static void put_number(const struct program_sight *p, enum program_number number, const char *words, struct buf *out)
{
    double value = p->numbers[number];
    if (isnan(value) || value < 0 || value > 1e15)
        return;
    buf_put_text(out, "<div>");
    page_count((uint64_t)value, out);
    buf_printf(out, " %s</div>", words);
}

static void put_numbers(const struct board_facts *f, const struct program_sight *p, struct buf *out)
{
    double poll = p->numbers[PROGRAM_LAST_POLL];
    if (p->numbers[PROGRAM_OWNER] == 0)
        buf_put_text(out, "<div>stands by: another one polls</div>");
    if (poll > 0 && poll < 1e11) {
        buf_put_text(out, "<div>polled ");
        page_age(f->now - (int64_t)(poll * 1000), out);
        buf_put_text(out, " ago</div>");
    }
    put_number(p, PROGRAM_OPEN_ORDERS, "offered, not settled", out);
    if (p->numbers[PROGRAM_HELD] > 0)
        put_number(p, PROGRAM_HELD, "retries held back: they came too often", out);
    put_number(p, PROGRAM_IN_HAND, "in hand", out);
    if (p->numbers[PROGRAM_PARKED] > 0)
        put_number(p, PROGRAM_PARKED, "parked", out);
    if (p->numbers[PROGRAM_PAUSED] > 0)
        buf_put_text(out, "<div><b class=\"bad\">paused</b>: the ERP is down</div>");
    if (p->numbers[PROGRAM_SCHEMALESS] > 0)
        put_number(p, PROGRAM_SCHEMALESS, "wait for a schema", out);
    put_number(p, PROGRAM_STATUSES, "statuses to set", out);
    if (p->numbers[PROGRAM_QUOTA_WAITING] > 0)
        put_number(p, PROGRAM_QUOTA_WAITING, "requests wait for xSale's quota", out);
}

static void put_programs(const struct board_facts *f, struct buf *out)
{
    buf_put_text(out, "<section id=\"programs\"><h2>Programs</h2><div class=\"scroll\"><table><thead><tr><th>Program</th><th>State</th><th>Why</th><th>Now</th></tr></thead>"
                      "<tbody>\n");
    for (size_t i = 0; i < program_sights_count(f->programs); i++) {
        const struct program_sight *p = program_sights_get(f->programs, i);
        buf_put_text(out, "<tr><td>");
        html_text(out, p->name[0] != '\0' ? p->name : p->expected);
        for (size_t k = 0; k < f->consumers_n; k++)
            if (strcmp(f->consumers[k].at, p->at) == 0 && f->consumers[k].warehouse[0] != '\0') {
                buf_put_byte(out, ' ');
                html_text(out, f->consumers[k].warehouse);
            }
        buf_put_text(out, "<div class=\"dim small\">");
        html_text(out, p->at);
        buf_put_text(out, "</div></td>");
        put_state(p, out);
        buf_put_text(out, "</td><td>");
        if (p->state > PROGRAM_SILENT)
            put_numbers(f, p, out);
        buf_put_text(out, "</td></tr>\n");
    }
    buf_put_text(out, "</tbody></table></div></section>\n");
}

/* ---- dead letters */

static void put_letters(const struct board_facts *f, struct buf *out)
{
    buf_put_text(out, "<section id=\"letters\"><h2>Dead letters</h2>\n");
    if (f->letters_words[0] != '\0') {
        buf_put_text(out, "<p>Not counted: ");
        html_text(out, f->letters_words);
        buf_put_text(out, "</p>");
    } else if (f->letters.total == 0) {
        buf_put_text(out, f->letters_known ? "<p class=\"dim\">None.</p>" : "<p class=\"dim\">Not known yet.</p>");
    } else {
        buf_put_text(out, "<p class=\"dim\">Refused orders also stand in xSale's manual status. What was corrected goes back with <code>order-replay redrive -c FILE "
                          "--dry-run</code></p><div class=\"scroll\"><table><thead><tr><th>Reason</th><th>From</th><th class=\"n\">Letters</th><th class=\"n\">Newest</th></tr>"
                          "</thead><tbody>\n");
        for (size_t i = 0; i < f->letters.n; i++) {
            const struct letter_kind *k = &f->letters.all[i];
            buf_put_text(out, "<tr><td>");
            html_text(out, k->code[0] != '\0' ? k->code : "not told");
            buf_put_text(out, "</td><td>");
            html_text(out, k->program[0] != '\0' ? k->program : "not told");
            buf_put_text(out, "</td><td class=\"n\">");
            page_count(k->n, out);
            buf_put_text(out, "</td><td class=\"n\">");
            page_age(f->now - k->newest, out);
            buf_put_text(out, " ago</td></tr>\n");
        }
        buf_put_text(out, "</tbody></table></div>\n");
    }
    buf_put_text(out, "</section>\n");
}

void page_home(const struct board_facts *f, const char *nonce, struct buf *out)
{
    struct verdict v;
    verdict_make(f, &v);
    struct page_frame frame = {.nonce = nonce, .title = headline(&v), .level = shown_level(&v),
                               .refresh_s = v.known && v.stale_ms == 0 ? PAGE_HOME_REFRESH_S : 1, .order = ""};
    page_begin(&frame, out);
    put_banner(f, &v, out);
    page_flow(f, out);
    put_waiting(f, out);
    put_programs(f, out);
    put_letters(f, out);
    page_sum_home(f, out);
    if (f->notes[0] != '\0') {
        buf_put_text(out, "<p class=\"dim small\">");
        html_text(out, f->notes);
        buf_put_text(out, "</p>\n");
    }
    page_end(&frame, out);
}
