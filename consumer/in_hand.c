#include "consumer/in_hand.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/net/http_client.h"

enum { BODY_MAX = 4 * 1024 * 1024, URL_MAX = 4096 };

struct one {
    struct in_hand_ask *owner;
    struct http_call *call; /* NULL: over */
    size_t at;              /* of in_hand.programs */
};

struct in_hand_ask {
    struct loop *loop;
    struct http_client *client;
    struct in_hand *hand;
    struct one *all; /* one for each program */
    size_t open;
    struct loop_timer over;
    in_hand_fn *done;
    void *arg;
};

void in_hand_release(struct in_hand *h)
{
    if (h == NULL)
        return;
    for (size_t i = 0; i < h->programs_n; i++)
        free(h->programs[i].orders);
    free(h->programs);
    free(h);
}

const struct in_hand_order *in_hand_find(const struct in_hand *h, const char *key, const char *warehouse, const struct in_hand_program **program)
{
    for (size_t i = 0; h != NULL && i < h->programs_n; i++) {
        const struct in_hand_program *p = &h->programs[i];
        for (size_t k = 0; k < p->orders_n; k++) {
            if (strcmp(p->orders[k].key, key) != 0 || (warehouse != NULL && strcmp(p->orders[k].warehouse, warehouse) != 0))
                continue;
            if (program != NULL)
                *program = p;
            return &p->orders[k];
        }
    }
    return NULL;
}

static void copy_text(char *out, size_t room, const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    (void)snprintf(out, room, "%s", text != NULL ? text : "");
}

static int64_t number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_integer(value) ? json_integer_value(value) : -1;
}

static void take_order(struct in_hand_order *o, const json_t *from)
{
    char organization[256];
    copy_text(organization, sizeof organization, from, "organization");
    if (order_key_format(o->key, organization, number(from, "orderId")) == 0)
        o->key[0] = '\0';
    copy_text(o->warehouse, sizeof o->warehouse, from, "warehouse");
    copy_text(o->state, sizeof o->state, from, "state");
    copy_text(o->words, sizeof o->words, from, "words");
    o->publication = number(from, "publication");
    o->since = number(from, "since");
    o->next_in = number(from, "nextIn");
    o->tries = number(from, "tries");
}

/* Nothing is believed beyond its room. */
static void take_reply(struct in_hand_program *p, const struct http_reply *reply)
{
    if (reply->end != HTTP_REPLIED || (reply->status != 200 && reply->status != 404)) {
        (void)snprintf(p->words, sizeof p->words, "%s", reply->words);
        return;
    }
    json_t *root = json_loadb(reply->body, reply->body_n, 0, NULL);
    const json_t *orders = json_object_get(root, "orders");
    copy_text(p->program, sizeof p->program, root, "program");
    copy_text(p->warehouse, sizeof p->warehouse, root, "warehouse");
    copy_text(p->paused, sizeof p->paused, root, "paused");
    size_t n = json_array_size(orders);
    n = n < IN_HAND_ORDERS_MAX ? n : IN_HAND_ORDERS_MAX;
    if (p->program[0] == '\0')
        (void)snprintf(p->words, sizeof p->words, "what answers there is no program of the bridge, or an older one");
    else if (n > 0 && (p->orders = calloc(n, sizeof *p->orders)) == NULL)
        (void)snprintf(p->words, sizeof p->words, "out of memory");
    for (size_t i = 0; p->orders != NULL && i < n; i++)
        take_order(&p->orders[p->orders_n++], json_array_get(orders, i));
    int64_t more = number(root, "more");
    p->more = more > 0 ? (uint64_t)more : 0;
    json_decref(root);
}

static void finish(void *arg)
{
    struct in_hand_ask *a = arg;
    struct in_hand *h = a->hand;
    a->hand = NULL;
    a->done(a->arg, h);
}

static void on_reply(void *arg, const struct http_reply *reply)
{
    struct one *o = arg;
    struct in_hand_ask *a = o->owner;
    o->call = NULL;
    take_reply(&a->hand->programs[o->at], reply);
    if (--a->open == 0)
        loop_timer_in(a->loop, &a->over, 0, finish, a);
}

static bool add(struct in_hand *h, const char *at, size_t n)
{
    struct in_hand_program *p = &h->programs[h->programs_n];
    for (size_t i = 0; i < h->programs_n; i++)
        if (strlen(h->programs[i].at) == n && memcmp(h->programs[i].at, at, n) == 0)
            return true;
    if (h->programs_n == IN_HAND_PROGRAMS_MAX || n >= sizeof p->at || n == 0 || memchr(at, '/', n) != NULL || memchr(at, '@', n) != NULL || memchr(at, ':', n) == NULL)
        return false;
    memcpy(p->at, at, n);
    h->programs_n++;
    return true;
}

/* The ports of the configuration; one that is 0 is not known. */
static void add_configured(struct in_hand *h, const struct config *c)
{
    static const char *const ports[] = {"http.producer_port", "http.updater_port", "http.consumer_port"};
    const char *address = config_text(c, "http.address");
    if (strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0)
        address = strcmp(address, "::") == 0 ? "::1" : "127.0.0.1";
    for (size_t i = 0; i < sizeof ports / sizeof *ports; i++) {
        char at[280];
        int64_t port = config_int(c, ports[i]);
        int n = snprintf(at, sizeof at, strchr(address, ':') != NULL ? "[%.250s]:%d" : "%.250s:%d", address, (int)port);
        if (port > 0 && n > 0)
            (void)add(h, at, (size_t)n);
    }
}

static enum rc add_more(struct in_hand *h, const char *more, struct err *e)
{
    for (const char *p = more; p != NULL && *p != '\0';) {
        size_t n = strcspn(p, ",");
        if (!add(h, p, n)) {
            err_set(e, "%.*s is not HOST:PORT, or there are more than %d programs", (int)(n < 80 ? n : 80), p, IN_HAND_PROGRAMS_MAX);
            return RC_REJECT;
        }
        p += n + (p[n] == ',');
    }
    return RC_OK;
}

enum rc in_hand_places_check(const char *places, struct err *e)
{
    struct in_hand h = {calloc(IN_HAND_PROGRAMS_MAX, sizeof *h.programs), 0};
    enum rc rc = RC_FATAL;
    err_set(e, "out of memory");
    if (h.programs != NULL)
        rc = add_more(&h, places, e);
    free(h.programs);
    return rc;
}

static void submit(struct in_hand_ask *a, size_t i, const char *key)
{
    struct in_hand_program *p = &a->hand->programs[i];
    struct err e = {""};
    struct buf url;
    const char *slash = key != NULL ? strrchr(key, '/') : NULL;
    buf_init(&url, URL_MAX);
    buf_printf(&url, "http://%s/orders", p->at);
    if (slash != NULL) {
        buf_put_byte(&url, '/');
        http_escape(&url, key, (size_t)(slash - key));
        buf_put_text(&url, slash);
    }
    const char *text = buf_text(&url);
    struct http_request r = {.method = "GET", .url = text};
    a->all[i] = (struct one){a, NULL, i};
    if (text != NULL)
        a->all[i].call = http_submit(a->client, &r, on_reply, &a->all[i], &e);
    if (a->all[i].call != NULL)
        a->open++;
    else
        (void)snprintf(p->words, sizeof p->words, "%.190s", e.text);
    buf_release(&url);
}

enum rc in_hand_ask_create(struct program *p, const char *more, const char *key, in_hand_fn *done, void *arg, struct in_hand_ask **out, struct err *e)
{
    struct http_settings settings = {.user_agent = "order-replay", .insecure = true, .connect_timeout_ms = IN_HAND_MS, .timeout_ms = IN_HAND_MS, .max_body = BODY_MAX};
    struct in_hand_ask *a = calloc(1, sizeof *a);
    enum rc rc = RC_FATAL;
    err_set(e, "out of memory");
    if (a == NULL)
        return rc;
    a->loop = program_loop(p);
    a->done = done;
    a->arg = arg;
    if ((a->hand = calloc(1, sizeof *a->hand)) == NULL || (a->hand->programs = calloc(IN_HAND_PROGRAMS_MAX, sizeof *a->hand->programs)) == NULL)
        goto out;
    if ((rc = add_more(a->hand, more, e)) != RC_OK)
        goto out;
    add_configured(a->hand, program_config(p));
    rc = RC_FATAL;
    if ((a->all = calloc(a->hand->programs_n + 1, sizeof *a->all)) == NULL || (a->client = http_client_create(a->loop, &settings, e)) == NULL)
        goto out;
    for (size_t i = 0; i < a->hand->programs_n; i++)
        submit(a, i, key);
    if (a->open == 0)
        loop_timer_in(a->loop, &a->over, 0, finish, a);
    *out = a;
    return RC_OK;
out:
    in_hand_ask_destroy(a);
    return rc;
}

void in_hand_ask_destroy(struct in_hand_ask *a)
{
    if (a == NULL)
        return;
    loop_timer_clear(a->loop, &a->over);
    http_client_destroy(a->client);
    in_hand_release(a->hand);
    free(a->all);
    free(a);
}
