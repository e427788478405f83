#include "consumer/loading_parts.h"

#include <stddef.h>

#include "common/base/traceparent.h"
#include "consumer/consumer_metrics.h"

void loading_settle(struct loading *l, struct load *load, enum outcome_result result)
{
    struct outbox_entry *en = &load->entry;
    en->record = load->record;
    en->warehouse = load->warehouse;
    en->result = result;
    en->attempts = (int32_t)load->item.tries;
    en->reason_code = load->reason_code;
    en->reason = load->reason;
    en->document_id = load->document_id;
    outbox_put(l->outbox, en);
    if (outbox_sent(en))
        lanes_sent(l->lanes, &load->item);
}

void loading_reject(struct loading *l, struct load *load, const char *code, const char *reason)
{
    char trace[TRACEPARENT_ID];
    traceparent_id(load->record->traceparent, trace);
    load_words(load, code, reason, NULL);
    load->entry.outcome = load->entry.dead_letter = true;
    log_event(l->log, LOG_WARN, "erp", load->record->key, "order rejected", LOG_S("warehouse", load->warehouse), LOG_S("code", code),
              LOG_I("tries", load->item.tries), LOG_S("trace", trace));
    loading_settle(l, load, OUTCOME_REJECTED);
}

static void left(void *arg, struct lane_item *item)
{
    loading_release(arg, (struct load *)item, true);
}

/* There is nothing more to do about it. */
void loading_over(struct loading *l, struct load *load)
{
    if (load->item.lane != NULL)
        lanes_done(l->lanes, &load->item, left, l);
    else
        loading_release(l, load, true);
}

/* One line an order is too many but for who asked for it. */
static void tell_outcome(struct loading *l, const struct load *load)
{
    char trace[TRACEPARENT_ID];
    traceparent_id(load->record->traceparent, trace);
    log_fact(l->log, LOG_DEBUG, "erp", load->record->key, "outcome published", LOG_S("result", outcome_result_name(load->entry.result)),
             LOG_S("warehouse", load->warehouse), LOG_I("publication", load->record->publication), LOG_S("trace", trace));
}

void loading_published(void *arg, struct outbox_entry *en)
{
    struct loading *l = arg;
    struct load *load = (struct load *)(void *)((char *)en - offsetof(struct load, entry));
    if (en->outcome)
        metrics_add(l->env.metrics, METRIC_OUTCOMES, outcome_result_name(en->result), 1);
    if (en->outcome && log_enabled(l->log, LOG_DEBUG))
        tell_outcome(l, load);
    if (en->result == OUTCOME_REJECTED && en->reason_code != NULL)
        metrics_add(l->env.metrics, METRIC_DLQ, NULL, 1);
    loading_over(l, load);
    loading_pump(l); /* its key's next load may go now */
    l->env.ops.progress(l->env.arg);
}
