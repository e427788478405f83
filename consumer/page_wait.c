#include "consumer/page_wait.h"

#include "consumer/html.h"
#include "consumer/page_frame.h"

bool page_wait_over(const struct board_lookup *l)
{
    return l != NULL && (l->state == LOOKUP_DONE || l->state == LOOKUP_FAILED);
}

bool page_wait(const struct board_lookup *l, struct buf *out)
{
    if (l == NULL) {
        buf_put_text(out, "<section class=\"banner waits\"><p>Too many look-ups wait. This page tries again by itself.</p></section>\n");
    } else if (l->state == LOOKUP_WAITS) {
        buf_put_text(out, "<section class=\"banner waits\"><p>Another pass over the topics is under way; this one comes next.</p></section>\n");
    } else if (l->state == LOOKUP_RUNS) {
        buf_put_text(out, "<section class=\"banner waits\"><p>The topics are being read. The answer comes by itself.</p></section>\n");
    } else if (l->state == LOOKUP_FAILED) {
        buf_put_text(out, "<section class=\"banner bad\"><p>No answer: ");
        html_text(out, l->words);
        buf_put_text(out, "</p></section>\n");
    } else {
        buf_put_text(out, "<p class=\"dim small\">As the topics stood at ");
        page_time(l->answered_at, out);
        buf_put_text(out, ".</p>\n");
    }
    return l != NULL && l->state == LOOKUP_DONE;
}
