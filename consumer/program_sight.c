#include "consumer/program_sight.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/net/http_client.h"

static const char *const number_names[PROGRAM_NUMBERS] = {
    [PROGRAM_PARKED] = "xsale_bridge_orders_parked",
    [PROGRAM_PAUSED] = "xsale_bridge_erp_paused",
    [PROGRAM_IN_HAND] = "xsale_bridge_orders_in_hand",
    [PROGRAM_IN_FLIGHT] = "xsale_bridge_erp_tries_in_flight",
    [PROGRAM_SCHEMALESS] = "xsale_bridge_orders_waiting_for_schema",
    [PROGRAM_OPEN_ORDERS] = "xsale_bridge_producer_open_orders",
    [PROGRAM_HELD] = "xsale_bridge_producer_held_orders",
    [PROGRAM_OWNER] = "xsale_bridge_producer_owner",
    [PROGRAM_LAST_POLL] = "xsale_bridge_producer_last_complete_poll_timestamp_seconds",
    [PROGRAM_STATUSES] = "xsale_bridge_statuses_waiting",
    [PROGRAM_QUOTA_WAITING] = "xsale_bridge_xsale_quota_waiting_requests",
};

struct asked {
    struct program_sights *owner;
    struct program_sight sight;
    struct http_call *ready, *metrics;
};

struct program_sights {
    struct loop *loop;
    struct http_client *client;
    size_t n;
    struct asked all[PROGRAM_SIGHTS_MAX];
};

static void copy_member(const json_t *object, const char *name, char *out, size_t room)
{
    const char *text = json_string_value(json_object_get(object, name));
    (void)snprintf(out, room, "%s", text != NULL ? text : ""); /* a letter cut at the end is shown as such */
}

void program_sight_ready(struct program_sight *p, int status, const char *json, size_t n)
{
    json_t *root = json_loadb(json, n, JSON_REJECT_DUPLICATES, NULL), *list = json_object_get(root, "dependencies"), *d;
    const char *name;
    if (json_is_object(list)) {
        p->state = status == 200 ? PROGRAM_READY : PROGRAM_TROUBLED;
        p->dependencies_n = 0;
        json_object_foreach (list, name, d) {
            if (p->dependencies_n == PROGRAM_DEPENDENCIES)
                break;
            struct program_dependency *to = &p->dependencies[p->dependencies_n++];
            (void)snprintf(to->name, sizeof to->name, "%s", name);
            copy_member(d, "state", to->state, sizeof to->state);
            copy_member(d, "since", to->since, sizeof to->since);
            copy_member(d, "error", to->why, sizeof to->why);
            copy_member(d, "doing", to->doing, sizeof to->doing);
        }
    } else {
        p->state = PROGRAM_SILENT;
        (void)snprintf(p->words, sizeof p->words, "what answers there is no program of the bridge (HTTP %d)", status);
    }
    json_decref(root);
}

static void take_program(struct program_sight *p, const char *line, size_t n)
{
    static const char head[] = "xsale_bridge_build_info{program=\"";
    const char *name = line + sizeof head - 1;
    if (n < sizeof head || memcmp(line, head, sizeof head - 1) != 0)
        return;
    const char *end = memchr(name, '"', n - (sizeof head - 1));
    if (end != NULL)
        (void)snprintf(p->name, sizeof p->name, "%.*s", (int)(end - name), name);
}

/* "name value" or "name{labels} value"; those of several labels are added. */
static void take_number(struct program_sight *p, const char *line, size_t n)
{
    char number[40];
    for (size_t i = 0; i < PROGRAM_NUMBERS; i++) {
        size_t m = strlen(number_names[i]);
        if (n <= m || memcmp(line, number_names[i], m) != 0 || (line[m] != ' ' && line[m] != '{'))
            continue;
        const char *blank = line + n;
        while (blank > line + m && blank[-1] != ' ')
            blank--;
        (void)snprintf(number, sizeof number, "%.*s", (int)(line + n - blank), blank);
        double value = strtod(number, NULL);
        p->numbers[i] = isnan(p->numbers[i]) ? value : p->numbers[i] + value;
    }
}

void program_sight_metrics(struct program_sight *p, const char *text, size_t n)
{
    for (size_t i = 0; i < PROGRAM_NUMBERS; i++)
        p->numbers[i] = NAN;
    for (const char *end = text + n; text < end;) {
        const char *line = text, *stop = memchr(text, '\n', (size_t)(end - text));
        size_t length = (size_t)((stop != NULL ? stop : end) - line);
        take_program(p, line, length);
        take_number(p, line, length);
        text = line + length + 1;
    }
}

static void on_ready(void *arg, const struct http_reply *r)
{
    struct asked *a = arg;
    a->ready = NULL;
    if (r->end == HTTP_REPLIED) {
        program_sight_ready(&a->sight, r->status, r->body, r->body_n);
        a->sight.answered_at = clock_wall(loop_clock(a->owner->loop));
    } else {
        a->sight.state = PROGRAM_SILENT;
        (void)snprintf(a->sight.words, sizeof a->sight.words, "%s", r->words);
    }
}

static void on_metrics(void *arg, const struct http_reply *r)
{
    struct asked *a = arg;
    a->metrics = NULL;
    bool told = r->end == HTTP_REPLIED && r->status == 200;
    program_sight_metrics(&a->sight, told ? r->body : "", told ? r->body_n : 0);
}

static struct http_call *ask(struct asked *a, const char *path, http_done_fn *done)
{
    char url[200];
    struct err e;
    (void)snprintf(url, sizeof url, "http://%s%s", a->sight.at, path);
    struct http_request r = {.method = "GET", .url = url};
    return http_submit(a->owner->client, &r, done, a, &e);
}

void program_sights_ask(struct program_sights *s)
{
    if (http_pending(s->client) > 0)
        return;
    for (size_t i = 0; i < s->n; i++) {
        s->all[i].ready = ask(&s->all[i], "/readyz", on_ready);
        s->all[i].metrics = ask(&s->all[i], "/metrics", on_metrics);
    }
}

struct program_sights *program_sights_create(struct loop *l, struct err *e)
{
    struct http_settings settings = {.user_agent = "order-replay", .insecure = true, .connect_timeout_ms = PROGRAM_ASK_MS, .timeout_ms = PROGRAM_ASK_MS,
                                     .max_body = PROGRAM_ANSWER_BYTES, .max_connections = 4};
    struct program_sights *s = calloc(1, sizeof *s);
    if (s == NULL) {
        err_set(e, "out of memory");
        return NULL;
    }
    s->loop = l;
    if ((s->client = http_client_create(l, &settings, e)) == NULL) {
        free(s);
        return NULL;
    }
    return s;
}

void program_sights_destroy(struct program_sights *s)
{
    if (s == NULL)
        return;
    http_client_destroy(s->client);
    free(s);
}

static bool address_ok(const char *at)
{
    const char *colon = strrchr(at, ':');
    size_t n = strlen(at);
    if (colon == NULL || colon == at || n >= sizeof((struct program_sight *)NULL)->at)
        return false;
    size_t digits = strspn(colon + 1, "0123456789");
    if (digits == 0 || digits > 5 || colon[1 + digits] != '\0' || atoi(colon + 1) < 1 || atoi(colon + 1) > 65535)
        return false;
    return strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]") == n;
}

enum rc program_sights_add(struct program_sights *s, const char *at, const char *expected, struct err *e)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->all[i].sight.at, at) == 0)
            return RC_OK;
    if (!address_ok(at) || s->n == PROGRAM_SIGHTS_MAX) {
        if (s->n == PROGRAM_SIGHTS_MAX)
            err_set(e, "more than %d programs", PROGRAM_SIGHTS_MAX);
        else
            err_set(e, "%s: not HOST:PORT", at);
        return RC_REJECT;
    }
    struct asked *a = &s->all[s->n++];
    *a = (struct asked){.owner = s, .sight = {.expected = expected, .state = PROGRAM_UNASKED}};
    (void)snprintf(a->sight.at, sizeof a->sight.at, "%s", at);
    program_sight_metrics(&a->sight, "", 0);
    return RC_OK;
}

size_t program_sights_count(const struct program_sights *s)
{
    return s->n;
}

const struct program_sight *program_sights_get(const struct program_sights *s, size_t i)
{
    return &s->all[i].sight;
}
