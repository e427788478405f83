#include "consumer/page_sum.h"

#include "consumer/html.h"
#include "consumer/page_wait.h"

static void put_form(const char *from, const char *to, struct buf *out)
{
    buf_put_text(out, "<form action=\"/reconcile\" method=\"get\"><label for=\"from\">From</label><input id=\"from\" name=\"from\" required maxlength=\"40\" placeholder=\"3h, 2d, 2026-11-24T10:00\" value=\"");
    html_text(out, from);
    buf_put_text(out, "\"><label for=\"to\">to</label><input id=\"to\" name=\"to\" maxlength=\"40\" placeholder=\"now\" value=\"");
    html_text(out, to);
    buf_put_text(out, "\"><button>Reconcile</button></form>\n");
}

static void put_cell(uint64_t n, const char *class, struct buf *out)
{
    buf_printf(out, "<td class=\"n %s\">", class);
    page_count(n, out);
    buf_put_text(out, "</td>");
}

static void put_line(const struct board_line *l, const char *name, struct buf *out)
{
    buf_put_text(out, "<tr><td>");
    html_text(out, name);
    buf_put_text(out, "</td>");
    put_cell(l->published, "", out);
    put_cell(l->imported, "", out);
    put_cell(l->rejected, "", out);
    put_cell(l->superseded, "", out);
    put_cell(l->withdrawn, "", out);
    put_cell(l->in_flight, "", out);
    put_cell(l->lost, l->lost > 0 ? "bad" : "", out);
    buf_put_text(out, "</tr>\n");
}

static void put_faults(const struct board_totals *t, struct buf *out)
{
    if (t->faults_total == 0)
        return;
    buf_put_text(out, "<div class=\"scroll\"><table><thead><tr><th>Order</th><th>Where</th><th>What does not add up</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < t->faults_n; i++) {
        const struct board_fault *f = &t->faults[i];
        buf_put_text(out, "<tr><td>");
        page_order_link(f->order, out);
        buf_put_text(out, "</td><td>");
        html_text(out, f->warehouse);
        buf_put_text(out, "</td><td class=\"w\">");
        html_text(out, reconcile_kind_words(f->kind));
        if (f->words[0] != '\0') {
            buf_put_text(out, "<div class=\"dim\">");
            html_text(out, f->words);
            buf_put_text(out, "</div>");
        }
        buf_put_text(out, "</td></tr>\n");
    }
    buf_put_text(out, "</tbody></table></div>\n");
    if (t->faults_total > t->faults_n)
        buf_put_text(out, "<p class=\"dim\">All of them: <code>order-replay reconcile -c FILE</code></p>\n");
}

static void put_totals(const struct board_totals *t, struct buf *out)
{
    buf_put_text(out, "<p>");
    page_count(t->orders, out);
    buf_put_text(out, " orders; status set ");
    page_count(t->status_set, out);
    buf_put_text(out, ", about to be set ");
    page_count(t->status_pending, out);
    buf_put_text(out, ", not all answered ");
    page_count(t->status_open, out);
    if (t->unreadable > 0) {
        buf_put_text(out, "; <b class=\"waits\">");
        page_count(t->unreadable, out);
        buf_put_text(out, " records that cannot be read</b>");
    }
    buf_printf(out, ". <b class=\"%s\">%s</b></p>\n", t->faults_total == 0 ? "well" : "bad", t->faults_total == 0 ? "Everything adds up." : "Not everything adds up.");
    buf_put_text(out, "<div class=\"scroll\"><table><thead><tr><th>Warehouse</th><th class=\"n\">Published</th><th class=\"n\">Imported</th><th class=\"n\">Rejected</th>"
                      "<th class=\"n\">Superseded</th><th class=\"n\">Withdrawn</th><th class=\"n\">In flight</th><th class=\"n\">Lost</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < t->lines_n; i++)
        put_line(&t->lines[i], t->lines[i].warehouse[0] != '\0' ? t->lines[i].warehouse : "(became no record)", out);
    put_line(&t->all, "all", out);
    buf_put_text(out, "</tbody></table></div>\n");
    put_faults(t, out);
}

void page_sum_home(const struct board_facts *f, struct buf *out)
{
    buf_put_text(out, "<section id=\"sum\"><h2>Does it add up?</h2>\n");
    if (f->scanned_at > 0)
        put_totals(&f->totals, out);
    buf_put_text(out, "<h2>Another span</h2>\n");
    put_form("24h", "", out);
    buf_put_text(out, "</section>\n");
}

void page_sum(const struct board_lookup *l, const char *from, const char *to, const char *nonce, struct buf *out)
{
    bool over = page_wait_over(l);
    bool bad = l != NULL && (l->state == LOOKUP_FAILED || (over && l->totals.faults_total > 0));
    struct page_frame frame = {.nonce = nonce, .title = "Does it add up?", .level = bad ? VERDICT_BAD : over ? VERDICT_WELL : VERDICT_WAITS, .refresh_s = over ? 0 : 1, .order = ""};
    page_begin(&frame, out);
    buf_put_text(out, "<h1>Does it add up?</h1><p class=\"dim\">Orders published from ");
    html_text(out, from);
    buf_put_text(out, " to ");
    html_text(out, *to != '\0' ? to : "now");
    buf_put_text(out, ".</p>\n");
    if (page_wait(l, out))
        put_totals(&l->totals, out);
    buf_put_text(out, "<h2>Another span</h2>\n");
    put_form(from, to, out);
    page_end(&frame, out);
}
