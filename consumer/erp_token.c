#include "consumer/erp_token.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"

enum { TOKEN_BYTES = 16384, FORM_BYTES = 16384, MARGIN_MS = 60000, UNKNOWN_LIFE_MS = 300000, LONGEST_LIFE_S = 30 * 24 * 3600 };

struct erp_token {
    struct loop *loop;
    struct config *config;
    struct http_client *client;
    erp_token_fn *told;
    void *arg;
    char *value; /* "Bearer ..."; NULL: none */
    unsigned number;
    int64_t good_until; /* monotonic ms */
    struct http_call *call; /* NULL: none under way */
    struct loop_timer failing; /* tells of a request that could not even begin */
    struct err failure;
};

bool erp_token_wanted(const struct config *c)
{
    return config_text(c, "erp.http.token_url")[0] != '\0';
}

void erp_token_check(const struct config *c, struct config_problems *problems)
{
    if (!erp_token_wanted(c))
        return;
    if (config_text(c, "erp.http.client_id")[0] == '\0')
        config_problem(c, problems, "erp.http.client_id", "is needed with erp.http.token_url");
    if (config_text(c, "erp.http.authorization")[0] != '\0')
        config_problem(c, problems, "erp.http.authorization", "the token of erp.http.token_url takes its place: set one of them");
}

struct erp_token *erp_token_create(struct loop *l, struct config *c, struct http_client *client, erp_token_fn *told, void *arg)
{
    struct erp_token *t = calloc(1, sizeof *t);
    if (t != NULL)
        *t = (struct erp_token){.loop = l, .config = c, .client = client, .told = told, .arg = arg};
    return t;
}

static void forget(struct erp_token *t)
{
    if (t->value != NULL)
        explicit_bzero(t->value, strlen(t->value));
    free(t->value);
    t->value = NULL;
}

void erp_token_destroy(struct erp_token *t)
{
    if (t == NULL)
        return;
    http_cancel(t->call);
    loop_timer_clear(t->loop, &t->failing);
    forget(t);
    free(t);
}

const char *erp_token_value(const struct erp_token *t, unsigned *number)
{
    *number = t->number;
    return t->value != NULL && loop_now(t->loop) < t->good_until ? t->value : NULL;
}

void erp_token_refused(struct erp_token *t, unsigned number)
{
    if (number == t->number)
        forget(t);
}

static int64_t life_ms(const json_t *reply)
{
    const json_t *expires = json_object_get(reply, "expires_in");
    double seconds = json_is_string(expires) ? strtod(json_string_value(expires), NULL) : json_number_value(expires);
    if (!(seconds > 0))
        return UNKNOWN_LIFE_MS;
    if (seconds > LONGEST_LIFE_S)
        seconds = LONGEST_LIFE_S;
    int64_t ms = (int64_t)(seconds * 1000);
    return ms - (ms / 10 < MARGIN_MS ? ms / 10 : MARGIN_MS);
}

/* true: it is there. */
static bool take(struct erp_token *t, const struct http_reply *r)
{
    static const char scheme[] = "Bearer ";
    json_t *root = json_loadb(r->body, r->body_n, 0, NULL);
    const char *token = json_string_value(json_object_get(root, "access_token"));
    size_t n = token != NULL ? strlen(token) : 0;
    char *value = n > 0 && n < TOKEN_BYTES && http_line_ok(token, n) ? malloc(sizeof scheme + n) : NULL;
    if (value != NULL) {
        memcpy(value, scheme, sizeof scheme - 1);
        memcpy(value + sizeof scheme - 1, token, n + 1);
        forget(t);
        t->value = value;
        t->number++;
        t->good_until = loop_now(t->loop) + life_ms(root);
    }
    json_decref(root);
    return value != NULL;
}

static void replied(void *arg, const struct http_reply *r)
{
    struct erp_token *t = arg;
    struct err words;
    bool refused = r->end == HTTP_REPLIED && r->status >= 400 && r->status < 500;
    t->call = NULL;
    if (r->end == HTTP_REPLIED && r->status == 200 && take(t, r)) {
        t->told(t->arg, NULL, -1);
        return;
    }
    if (r->end == HTTP_REPLIED && r->status == 200)
        err_set(&words, "the token endpoint's answer holds no access_token: check erp.http.token_url");
    else if (refused && r->status != 429)
        err_set(&words, "token refused: check erp.http.client_id, client_secret, scope and audience (%s)", r->words);
    else
        err_set(&words, "no token to be had (%s)", r->words);
    if (refused)
        (void)config_refresh_secrets(t->config);
    t->told(t->arg, words.text, r->retry_after_ms);
}

static void failed(void *arg)
{
    struct erp_token *t = arg;
    t->told(t->arg, t->failure.text, -1);
}

static void put_pair(struct buf *form, const char *name, const char *value)
{
    if (value[0] == '\0')
        return;
    buf_printf(form, "&%s=", name);
    http_escape(form, value, strlen(value));
}

void erp_token_ask(struct erp_token *t)
{
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded", "Accept: application/json"};
    const char *id = config_text(t->config, "erp.http.client_id"), *secret = config_text(t->config, "erp.http.client_secret");
    bool in_body = strcmp(config_text(t->config, "erp.http.token_auth"), "body") == 0;
    struct buf form;
    if (t->call != NULL || t->failing.armed)
        return;
    buf_init(&form, FORM_BYTES);
    buf_put_text(&form, "grant_type=client_credentials");
    put_pair(&form, "scope", config_text(t->config, "erp.http.scope"));
    put_pair(&form, "audience", config_text(t->config, "erp.http.audience"));
    if (in_body) {
        put_pair(&form, "client_id", id);
        put_pair(&form, "client_secret", secret);
    }
    struct http_request r = {.method = "POST", .url = config_text(t->config, "erp.http.token_url"), .headers = headers,
                             .headers_n = sizeof headers / sizeof *headers, .body = form.p, .body_n = form.n,
                             .username = in_body ? NULL : id, .password = in_body ? NULL : secret};
    if (buf_failed(&form))
        err_set(&t->failure, "the request for a token is too long");
    else
        t->call = http_submit(t->client, &r, replied, t, &t->failure);
    if (form.p != NULL)
        explicit_bzero(form.p, form.n);
    buf_release(&form);
    if (t->call == NULL)
        loop_timer_in(t->loop, &t->failing, 0, failed, t);
}
