#include "consumer/load_lag.h"

#include <string.h>

#include "consumer/consumer_metrics.h"

static size_t place_of(const struct warehouse_set *s, const char *name)
{
    size_t i = 0;
    while (i < s->n && strcmp(s->names[i], name) != 0)
        i++;
    return i;
}

void load_lag_tell(struct load_lag *lag, const char *warehouse, const struct load *all, int64_t wall_ms, struct metrics *m)
{
    double waiting[ORDER_WAREHOUSES] = {0};
    int64_t oldest[ORDER_WAREHOUSES] = {0};
    if (*warehouse != '\0')
        (void)warehouse_set_add(&lag->seen, warehouse, strlen(warehouse));
    for (const struct load *l = all; l != NULL; l = l->next)
        (void)warehouse_set_add(&lag->seen, l->warehouse, strlen(l->warehouse)); /* one too many is not told */
    for (const struct load *l = all; l != NULL; l = l->next) {
        size_t i = place_of(&lag->seen, l->warehouse);
        int64_t age = wall_ms - l->record->source.timestamp;
        if (i == lag->seen.n)
            continue;
        waiting[i]++;
        if (l->record->source.timestamp > 0 && age > oldest[i])
            oldest[i] = age;
    }
    for (size_t i = 0; i < lag->seen.n; i++) {
        metrics_set(m, METRIC_WAITING, lag->seen.names[i], waiting[i]);
        metrics_set(m, METRIC_LAG_SECONDS, lag->seen.names[i], (double)oldest[i] / 1000);
    }
}
