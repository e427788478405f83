#include "consumer/page_order.h"

#include <string.h>

#include "consumer/html.h"
#include "consumer/page_frame.h"
#include "consumer/page_wait.h"

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

/* "/buyer/email: a -> b": the name alone. */
static void put_changes(const json_t *changes, struct buf *out)
{
    size_t i;
    json_t *change;
    if (json_array_size(changes) == 0)
        return;
    buf_put_text(out, "<p class=\"small\"><span class=\"dim\">Changed:</span> ");
    json_array_foreach (changes, i, change) {
        const char *line = json_string_value(change), *end = line != NULL ? strstr(line, ": ") : NULL;
        if (line == NULL || (end == NULL && *line == '/'))
            continue;
        buf_put_text(out, i > 0 ? ", " : "");
        html_put(out, line, end != NULL ? (size_t)(end - line) : strlen(line));
    }
    buf_put_text(out, "</p>");
}

static enum verdict_level level_of(const char *kind, const char *words)
{
    if (strcmp(kind, "dead letter") == 0 || (strcmp(kind, "outcome") == 0 && strstr(words, "REJECTED") != NULL))
        return VERDICT_BAD;
    return strcmp(kind, "outcome") == 0 || strcmp(kind, "status") == 0 ? VERDICT_WELL : VERDICT_WAITS;
}

static void put_event(const json_t *event, struct buf *out)
{
    const char *kind = text_of(event, "kind"), *words = text_of(event, "words");
    enum verdict_level level = level_of(kind, words);
    buf_printf(out, "<li class=\"card %s\"><b>", level == VERDICT_WAITS ? "" : page_level(level));
    html_text(out, kind);
    buf_put_text(out, "</b> <span class=\"dim small\">");
    html_text(out, text_of(event, "time"));
    buf_put_text(out, "</span><div>");
    html_text(out, words);
    buf_put_text(out, "</div>");
    put_changes(json_object_get(event, "changes"), out);
    buf_put_text(out, "<div class=\"dim small\">");
    html_text(out, text_of(event, "where"));
    buf_put_text(out, "</div></li>\n");
}

/* Did the newest ledger row set the manual status? */
static bool manual(const json_t *life)
{
    size_t i;
    json_t *event;
    bool set = false;
    json_array_foreach (json_object_get(life, "events"), i, event)
        if (strcmp(text_of(event, "kind"), "status") == 0)
            set = strstr(text_of(event, "words"), "set MANUAL") != NULL;
    return set;
}

static void put_now(const json_t *life, struct buf *out)
{
    const json_t *waiting = json_object_get(life, "waitingFor");
    bool settled = json_is_true(json_object_get(life, "settled"));
    size_t i;
    json_t *name;
    bool waits = json_array_size(waiting) > 0;
    buf_printf(out, "<section class=\"banner %s\"><h1>", !settled || manual(life) ? "waits" : "well");
    html_text(out, text_of(life, "order"));
    buf_put_text(out, "</h1><p>");
    if (waits) {
        buf_put_text(out, "Waits for <b>");
        json_array_foreach (waiting, i, name) {
            buf_put_text(out, i > 0 ? ", " : "");
            html_text(out, json_string_value(name) != NULL ? json_string_value(name) : "");
        }
        buf_put_text(out, "</b> since ");
        page_age(json_integer_value(json_object_get(life, "waitingMs")), out);
        buf_put_text(out, json_is_true(json_object_get(life, "withdrawn")) ? " (a withdrawal)." : ".");
    } else {
        buf_put_text(out, "Every warehouse has answered.");
    }
    buf_put_text(out, !settled ? " Its status is not settled yet." : manual(life) ? " Refused: it stands in the manual status." : " Its status is settled.");
    if (*text_of(life, "now") != '\0') {
        buf_put_text(out, "</p><p class=\"lines\">");
        html_text(out, text_of(life, "now"));
    }
    buf_put_text(out, "</p></section>\n");
}

static void put_life(const json_t *life, struct buf *out)
{
    size_t i;
    json_t *event;
    put_now(life, out);
    buf_put_text(out, "<h2>What happened</h2><ol class=\"life\">\n");
    json_array_foreach (json_object_get(life, "events"), i, event)
        put_event(event, out);
    buf_put_text(out, "</ol>\n<p class=\"dim\">With the values that changed: <code>order-replay explain -c FILE ");
    const char *key = text_of(life, "order"), *slash = strrchr(key, '/');
    html_text(out, slash != NULL ? slash + 1 : key);
    buf_put_text(out, "</code></p>\n");
}

void page_order(const struct board_lookup *l, const char *asked, const char *nonce, struct buf *out)
{
    bool over = page_wait_over(l);
    struct page_frame frame = {.nonce = nonce, .title = asked, .level = over ? (l->state == LOOKUP_DONE ? VERDICT_WELL : VERDICT_BAD) : VERDICT_WAITS,
                               .refresh_s = over ? 0 : 1, .order = asked};
    page_begin(&frame, out);
    if (page_wait(l, out)) {
        if (l->life != NULL) {
            put_life(l->life, out);
        } else {
            buf_put_text(out, "<section class=\"banner waits\"><h1>");
            html_text(out, asked);
            buf_put_text(out, "</h1><p>");
            html_text(out, l->words);
            buf_put_text(out, "</p></section>\n");
        }
    }
    page_end(&frame, out);
}
