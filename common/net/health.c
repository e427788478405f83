#include "common/net/health.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/utf8.h"

enum { DEPENDENCIES = 16, WHY_ROOM = 301, DOING_ROOM = WHY_ROOM + 32 };

struct dependency {
    const char *name;
    enum health_state state;
    int64_t since_ms; /* wall clock */
    char why[WHY_ROOM];
    char doing[WHY_ROOM];
    bool timed;  /* what is done comes at due_ms, monotonic */
    int64_t due_ms;
};

struct health {
    const struct clock *clock;
    struct log *log;
    struct metrics *metrics;
    struct dependency list[DEPENDENCIES];
    size_t n;
};

static const char *const state_names[] = {"unknown", "up", "down"};

struct health *health_create(const struct clock *clock, struct log *log)
{
    struct health *h = calloc(1, sizeof *h);
    if (h == NULL)
        return NULL;
    h->clock = clock;
    h->log = log;
    return h;
}

void health_destroy(struct health *h)
{
    free(h);
}

void health_publish(struct health *h, struct metrics *m)
{
    h->metrics = m;
}

struct metrics *health_metrics(const struct health *h)
{
    return h == NULL ? NULL : h->metrics;
}

static struct dependency *find(struct health *h, const char *name)
{
    for (size_t i = 0; i < h->n; i++)
        if (strcmp(h->list[i].name, name) == 0)
            return &h->list[i];
    if (h->n == DEPENDENCIES)
        return NULL;
    struct dependency *d = &h->list[h->n++];
    *d = (struct dependency){.name = name, .since_ms = clock_wall(h->clock)};
    return d;
}

/* Cut at a character; what is no UTF-8 ends the text, since it goes into JSON. */
static void copy(char out[WHY_ROOM], const char *text)
{
    size_t n = text == NULL ? 0 : strnlen(text, WHY_ROOM - 1);
    n = n == 0 ? 0 : utf8_check(text, n);
    if (n > 0)
        memcpy(out, text, n);
    out[n] = '\0';
}

/* What is done about it, with the time that is left until then. */
static const char *doing_now(const struct health *h, const struct dependency *d, char out[DOING_ROOM])
{
    int64_t in_ms = d->timed ? d->due_ms - clock_mono(h->clock) : 0;
    if (!d->timed)
        return d->doing;
    if (in_ms > 0)
        (void)snprintf(out, DOING_ROOM, "%s in %" PRId64 " s", d->doing, (in_ms + 999) / 1000); /* fits */
    else
        (void)snprintf(out, DOING_ROOM, "%s now", d->doing); /* fits */
    return out;
}

static void tell(struct health *h, const struct dependency *d)
{
    char room[DOING_ROOM];
    enum log_level level = d->state == HEALTH_DOWN ? LOG_WARN : LOG_INFO;
    struct log_field fields[4] = {LOG_S("dependency", d->name), LOG_S("state", state_names[d->state])};
    size_t n = 2;
    if (d->why[0] != '\0')
        fields[n++] = LOG_S("why", d->why);
    if (d->doing[0] != '\0')
        fields[n++] = LOG_S("doing", doing_now(h, d, room));
    log_write_unfolded(h->log, level, "health", NULL, "dependency changed", fields, n);
}

/* d: with its new words. */
static void enter(struct health *h, struct dependency *d, enum health_state state)
{
    metrics_set(h->metrics, metrics_shared(h->metrics, SHARED_DEPENDENCY_UP), d->name, state == HEALTH_UP);
    if (d->state == state)
        return;
    d->state = state;
    d->since_ms = clock_wall(h->clock);
    tell(h, d);
}

void health_set(struct health *h, const char *name, enum health_state state, const char *why, const char *doing)
{
    struct dependency *d = h == NULL ? NULL : find(h, name);
    if (d == NULL)
        return;
    copy(d->why, why);
    copy(d->doing, doing);
    d->timed = false;
    enter(h, d, state);
}

void health_retry(struct health *h, const char *name, const char *why, const char *doing, int64_t in_ms)
{
    struct dependency *d = h == NULL ? NULL : find(h, name);
    if (d == NULL)
        return;
    copy(d->why, why);
    copy(d->doing, doing);
    d->timed = true;
    d->due_ms = clock_mono(h->clock) + in_ms;
    enter(h, d, HEALTH_DOWN);
}

bool health_ready(const struct health *h)
{
    for (size_t i = 0; i < h->n; i++)
        if (h->list[i].state != HEALTH_UP)
            return false;
    return true;
}

/* Errors may come from others: what would begin a new line does not. */
static void flatten(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20)
            *text = ' ';
}

void health_summary(const struct health *h, char *out, size_t room)
{
    char doing[DOING_ROOM];
    (void)snprintf(out, room, "ready");
    for (size_t i = 0; i < h->n; i++) {
        const struct dependency *d = &h->list[i];
        if (d->state == HEALTH_UP)
            continue;
        (void)snprintf(out, room, "not ready: %s %s%s%s%s%s", d->name, d->state == HEALTH_DOWN ? "is down" : "is not known yet", d->why[0] != '\0' ? ": " : "", d->why,
                       d->doing[0] != '\0' ? "; " : "", doing_now(h, d, doing)); /* cut is fine */
        break;
    }
    flatten(out);
}

static void put_string(struct buf *out, const char *text)
{
    buf_put_byte(out, '"');
    for (const char *p = text; *p != '\0'; p++)
        if (*p == '"' || *p == '\\')
            buf_printf(out, "\\%c", *p);
        else if ((unsigned char)*p < 0x20 || *p == 0x7F)
            buf_printf(out, "\\u%04x", (unsigned)(unsigned char)*p);
        else
            buf_put_byte(out, (unsigned char)*p);
    buf_put_byte(out, '"');
}

static void put_time(struct buf *out, int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm t;
    char made[32];
    if (gmtime_r(&seconds, &t) != NULL && strftime(made, sizeof made, "%Y-%m-%dT%H:%M:%S", &t) > 0)
        buf_printf(out, "\"%s.%03dZ\"", made, (int)(wall_ms % 1000));
    else
        buf_put_text(out, "null");
}

const char *health_why(const struct health *h, const char *name)
{
    for (size_t i = 0; i < h->n; i++)
        if (h->list[i].state == HEALTH_DOWN && strncmp(h->list[i].name, name, strlen(name)) == 0)
            return h->list[i].why;
    return "";
}

void health_print(const struct health *h, struct buf *out)
{
    char doing[DOING_ROOM];
    buf_printf(out, "{\"ready\":%s,\"dependencies\":{", health_ready(h) ? "true" : "false");
    for (size_t i = 0; i < h->n; i++) {
        const struct dependency *d = &h->list[i];
        buf_put_text(out, i > 0 ? "," : "");
        put_string(out, d->name);
        buf_printf(out, ":{\"state\":\"%s\",\"since\":", state_names[d->state]);
        put_time(out, d->since_ms);
        if (d->why[0] != '\0') {
            buf_put_text(out, ",\"error\":");
            put_string(out, d->why);
        }
        if (d->doing[0] != '\0') {
            buf_put_text(out, ",\"doing\":");
            put_string(out, doing_now(h, d, doing));
        }
        buf_put_byte(out, '}');
    }
    buf_put_text(out, "}}\n");
}
