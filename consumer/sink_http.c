#include "consumer/sink_http.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <utlist.h>

#include "common/base/probe.h"
#include "common/net/http_client.h"
#include "consumer/erp_reach.h"
#include "consumer/erp_reply.h"
#include "consumer/erp_token.h"
#include "consumer/fate_rules.h"
#include "consumer/url_template.h"

enum { HEADERS_MAX = 40, OWN_HEADERS = 9, HEADER_BYTES = 65536, HEADERS_ABOUT = 1000, URL_BYTES = 8192, SPARE_CONNECTIONS = 8 };

struct try {
    struct try *prev, *next;
    struct sink_http *sink;
    struct http_call *call;      /* NULL: waits for a token */
    unsigned token;              /* number of the one that it was sent with */
    bool renewed;                /* once refused with a token, sent again with a fresh one */
    bool loading;                /* its look-up said that it is not there */
    const struct erp_load *load; /* borrowed until done */
    erp_done_fn *done;
    void *arg;
};

struct sink_http {
    struct erp_sink base;
    struct erp_sink_env env;
    struct http_client *client;
    struct erp_token *token; /* NULL: none is wanted */
    struct try *tries;
    struct erp_reach reach;
    struct http_call *look; /* of reach; NULL: none under way */
    bool credential_refused;  /* look for a new one before the next try */
    bool told_no_document;
};

static const char *text_of(const struct sink_http *s, const char *key)
{
    return config_text(s->env.config, key);
}

/* The next line of erp.http.header that is not empty; its length, 0 at the end. */
static size_t header_line(const char **at, const char **line)
{
    size_t n = 0;
    while (**at == '\n' || **at == ' ' || **at == '\t' || **at == '\r')
        (*at)++;
    *line = *at;
    n = strcspn(*at, "\r\n");
    *at += n;
    return n;
}

static void check_template(const struct config *c, const char *key, struct config_problems *problems)
{
    struct err e;
    if (url_template_check(config_text(c, key), &e) != RC_OK)
        config_problem(c, problems, key, "%s", e.text);
    else if (url_template_longest(config_text(c, key)) >= URL_BYTES)
        config_problem(c, problems, key, "filled in, it could grow longer than %d bytes", URL_BYTES - 1);
}

/* What no request can carry would otherwise be found out with the first order. No value is named: it may be a credential. */
static void check_headers(const struct config *c, struct config_problems *problems)
{
    const char *authorization = config_text(c, "erp.http.authorization"), *at = config_text(c, "erp.http.header"), *line;
    size_t n, lines = 0;
    if (!http_line_ok(authorization, strlen(authorization)))
        config_problem(c, problems, "erp.http.authorization", "more than one line, or a control character in it");
    if (strlen(authorization) + strlen(at) > HEADER_BYTES / 2)
        config_problem(c, problems, "erp.http.header", "it and authorization are longer than %d bytes", HEADER_BYTES / 2);
    for (; (n = header_line(&at, &line)) > 0; lines++)
        if (!http_line_ok(line, n))
            config_problem(c, problems, "erp.http.header", "line %zu: a control character (a tab?) in it", lines + 1);
        else if (!http_header_ok(line, n))
            config_problem(c, problems, "erp.http.header", "line %zu: write Name: value", lines + 1);
    if (lines > HEADERS_MAX - OWN_HEADERS)
        config_problem(c, problems, "erp.http.header", "at most %d lines", HEADERS_MAX - OWN_HEADERS);
}

static const char header_name[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static size_t connections(const struct config *c)
{
    return (size_t)config_int(c, "consumer.concurrency") + SPARE_CONNECTIONS;
}

static void check(const struct config *c, struct config_problems *problems)
{
    if (config_text(c, "erp.http.url")[0] == '\0')
        config_problem(c, problems, "erp.http.url", "is needed with erp.sink = http");
    check_template(c, "erp.http.url", problems);
    check_template(c, "erp.http.withdraw_url", problems);
    check_template(c, "erp.http.lookup_url", problems);
    if (!erp_reply_pointer_ok(config_text(c, "erp.http.document_pointer")))
        config_problem(c, problems, "erp.http.document_pointer", "not a JSON Pointer; it begins with '/'");
    check_headers(c, problems);
    config_problem_unreadable(c, problems, "erp.http.ca_file");
    config_problem_unreadable(c, problems, "erp.http.client_certificate");
    config_problem_unreadable(c, problems, "erp.http.client_key");
    erp_token_check(c, problems);
    if (strspn(config_text(c, "erp.http.document_header"), header_name) != strlen(config_text(c, "erp.http.document_header")))
        config_problem(c, problems, "erp.http.document_header", "not the name of a header");
    if ((config_text(c, "erp.http.client_key")[0] == '\0') != (config_text(c, "erp.http.client_certificate")[0] == '\0'))
        config_problem(c, problems, "erp.http.client_certificate", "it and client_key are needed both");
}

static void looked(void *arg, const struct http_reply *r)
{
    struct sink_http *s = arg;
    struct err words;
    s->look = NULL;
    err_set(&words, "%s (%s)", fate_of(CAUSE_HTTP_NOT_SENT, r->curl_code)->words, r->words);
    erp_reach_ended(&s->reach, r->end == HTTP_REPLIED, r->end == HTTP_REPLIED ? r->words : words.text);
}

/* A connection only. A host that differs from order to order cannot be looked at. */
static void look(void *arg)
{
    struct sink_http *s = arg;
    const char *url = text_of(s, "erp.http.url"), *host = strstr(url, "://");
    struct buf root;
    struct err e;
    host = host != NULL ? host + 3 : url;
    size_t n = (size_t)(host - url) + strcspn(host, "/?#");
    if (memchr(url, '{', n) != NULL) {
        erp_reach_ended(&s->reach, true, "its host is a part of the order");
        return;
    }
    buf_init(&root, URL_BYTES);
    buf_put(&root, url, n);
    buf_put_byte(&root, '/');
    if (buf_text(&root) == NULL)
        err_set(&e, "erp.http: out of memory");
    else
        s->look = http_reach(s->client, buf_text(&root), looked, s, &e);
    buf_release(&root);
    if (s->look == NULL)
        erp_reach_ended(&s->reach, false, e.text);
}

/* A request got through to the ERP. */
static void reached_by(struct sink_http *s, const struct http_reply *r)
{
    if (r->end == HTTP_NOT_SENT)
        return;
    http_cancel(s->look);
    s->look = NULL;
    erp_reach_proved(&s->reach);
}

static void token_told(void *arg, const char *words, int64_t retry_after_ms);

static enum rc sink_open(const struct erp_sink_env *env, struct erp_sink **out, struct err *e)
{
    struct sink_http *s = calloc(1, sizeof *s);
    if (s == NULL) {
        err_set(e, "erp.http: out of memory");
        return RC_FATAL;
    }
    s->base.ops = &sink_http_ops;
    s->env = *env;
    struct http_settings settings = {
        .user_agent = "xsale-bridge/" BRIDGE_VERSION,
        .ca_file = text_of(s, "erp.http.ca_file"),
        .client_certificate = text_of(s, "erp.http.client_certificate"),
        .client_key = text_of(s, "erp.http.client_key"),
        .insecure = true, /* many an ERP stands in the next room */
        .connect_timeout_ms = config_ms(env->config, "erp.connect_timeout"),
        .timeout_ms = config_ms(env->config, "erp.http.timeout"),
        .max_body = (size_t)config_int(env->config, "erp.max_body"),
        .keep_connections = (long)connections(env->config),
    };
    s->client = http_client_create(env->loop, &settings, e);
    if (s->client == NULL) {
        err_prefix(e, "erp.http");
        free(s);
        return RC_REJECT;
    }
    if (erp_token_wanted(env->config) && (s->token = erp_token_create(env->loop, env->config, s->client, token_told, s)) == NULL) {
        err_set(e, "erp.http: out of memory");
        http_client_destroy(s->client);
        free(s);
        return RC_FATAL;
    }
    const char *lookup = text_of(s, "erp.http.lookup_url");
    if (lookup[0] != '\0' && strstr(lookup, "{revision}") == NULL && strstr(lookup, "{publication}") == NULL)
        log_event(env->log, LOG_WARN, "erp", NULL, "an edit of an order that the ERP has will count as loaded",
                  LOG_S("why", "erp.http.lookup_url names neither {revision} nor {publication}"));
    erp_reach_begin(&s->reach, env, look, s);
    *out = &s->base;
    return RC_OK;
}

static bool withdraws(const struct erp_sink *sink)
{
    return text_of((const struct sink_http *)sink, "erp.http.withdraw_url")[0] != '\0';
}

/* Visible ASCII as it is, anything else and '%' percent-encoded. */
static void put_value(struct buf *out, const char *text)
{
    while (*text != '\0') {
        size_t n = 0;
        while (text[n] > 0x20 && text[n] < 0x7F && text[n] != '%')
            n++;
        buf_put(out, text, n);
        text += n;
        if (*text != '\0')
            buf_printf(out, "%%%02X", (unsigned char)*text++);
    }
}

static void put_header(struct buf *out, const char *name, const char *value)
{
    buf_put_text(out, name);
    buf_put_text(out, ": ");
    put_value(out, value);
    buf_put_byte(out, '\0');
}

static void put_number(struct buf *out, const char *name, int64_t v)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRId64, v); /* fits */
    put_header(out, name, text);
}

/* All headers one behind the other, each with its zero; returns how many. */
static size_t headers_put(struct sink_http *s, const struct erp_load *l, bool body, struct buf *out)
{
    const char *authorization = text_of(s, "erp.http.authorization"), *at = text_of(s, "erp.http.header"), *line;
    unsigned number;
    size_t count = 6, n;
    if (s->token != NULL)
        authorization = erp_token_value(s->token, &number); /* nothing is sent without */
    put_header(out, "Idempotency-Key", l->key);
    put_header(out, "X-Xsale-Organization", l->organization);
    put_number(out, "X-Xsale-Order", l->order_id);
    put_header(out, "X-Xsale-Warehouse", l->warehouse);
    put_header(out, "X-Xsale-Revision", l->revision);
    put_number(out, "X-Xsale-Publication", l->publication);
    if (l->traceparent != NULL && ++count > 0)
        put_header(out, "traceparent", l->traceparent);
    if (body && ++count > 0)
        buf_put(out, "Content-Type: application/json", sizeof "Content-Type: application/json");
    if (authorization[0] != '\0' && ++count > 0) {
        buf_put_text(out, "Authorization: ");
        buf_put(out, authorization, strlen(authorization) + 1);
    }
    while (count < HEADERS_MAX && (n = header_line(&at, &line)) > 0) {
        buf_put(out, line, n);
        buf_put_byte(out, '\0');
        count++;
    }
    return count;
}

/* Sends one request about the load; NULL: words in e. */
static struct http_call *send_request(struct sink_http *s, const struct erp_load *l, const char *method, const char *template, http_done_fn *done,
                                      struct try *t, struct err *e)
{
    struct http_call *call = NULL;
    struct buf url, headers;
    const char *lines[HEADERS_MAX];
    bool body = strcmp(method, "GET") != 0 && strcmp(method, "DELETE") != 0;
    buf_init(&url, URL_BYTES);
    buf_init(&headers, HEADER_BYTES);
    (void)buf_reserve(&headers, HEADERS_ABOUT); /* at once what they nearly always are */
    url_template_fill(template, l, &url);
    size_t count = headers_put(s, l, body, &headers);
    const char *address = buf_text(&url);
    if (address == NULL || buf_failed(&headers)) {
        err_set(e, "erp.http: the request's head is too long");
        goto out;
    }
    const char *line = (const char *)headers.p;
    for (size_t i = 0; i < count; i++, line += strlen(line) + 1)
        lines[i] = line;
    struct http_request r = {.method = method, .url = address, .headers = lines, .headers_n = count, .body = body ? l->document : NULL,
                             .body_n = body ? l->document_n : 0, .body_stays = true};
    call = http_submit(s->client, &r, done, t, e);
out:
    buf_release(&headers);
    buf_release(&url);
    return call;
}

static void finish(struct try *t, const struct erp_verdict *v)
{
    struct sink_http *s = t->sink;
    erp_done_fn *done = t->done;
    void *arg = t->arg;
    DL_DELETE(s->tries, t);
    free(t);
    done(arg, v);
}

static const char a_web_page[] = "a web page instead of an answer: check the address and the credential";

static bool is_html(const struct http_reply *r)
{
    return strncasecmp(r->content_type, "text/html", 9) == 0 || strncasecmp(r->content_type, "application/xhtml", 17) == 0;
}

/* The table's row, and what only this reply tells. */
static void judge(const struct sink_http *s, const struct erp_load *l, const struct http_reply *r, struct erp_verdict *v)
{
    enum fate_cause cause = r->end == HTTP_REPLIED ? CAUSE_HTTP : r->end == HTTP_NOT_SENT ? CAUSE_HTTP_NOT_SENT : CAUSE_HTTP_AMBIGUOUS;
    const struct fate_row *row = fate_of(cause, r->end == HTTP_REPLIED ? r->status : r->curl_code);
    *v = (struct erp_verdict){.fate = row->fate, .ambiguous = row->ambiguous, .retry_after_ms = r->retry_after_ms, .words = row->words};
    if (r->end != HTTP_REPLIED) {
        v->fate = fate_rules_curl(s->env.config, r->curl_code, v->fate, v->ambiguous);
        return;
    }
    v->fate = fate_rules_http(s->env.config, r->status, v->fate, v->ambiguous);
    int64_t exists = config_int(s->env.config, "erp.http.exists_status");
    bool gone = l->withdrawn && (r->status == 404 || r->status == 410); /* nothing there to take back */
    if (exists != 0 && r->status == exists && !l->withdrawn) {
        v->fate = FATE_LOADED;
    } else if (is_html(r) && (v->fate == FATE_LOADED || gone)) {
        v->fate = FATE_PAUSE;
        v->words = a_web_page;
    } else if (is_html(r) && v->fate == FATE_REJECT) {
        v->fate = FATE_PARK; /* rather a proxy's word than the ERP's */
        v->words = "refused with a web page instead of an answer";
    } else if (gone) {
        v->fate = FATE_LOADED;
    }
}

static void document_missing(struct sink_http *s)
{
    const char *header = text_of(s, "erp.http.document_header");
    if (!s->told_no_document)
        log_event(s->env.log, LOG_WARN, "erp", NULL,
                  "the ERP's reply names no document where erp.http.document_pointer or document_header looks; accepted all the same",
                  LOG_S("where", header[0] != '\0' ? header : text_of(s, "erp.http.document_pointer")));
    s->told_no_document = true;
}

/* Is anything said of where the document is named? */
static bool names_documents(const struct sink_http *s)
{
    return text_of(s, "erp.http.document_pointer")[0] != '\0' || text_of(s, "erp.http.document_header")[0] != '\0';
}

/* The document that the reply names; false: none. */
static bool document_of(const struct sink_http *s, const struct http_reply *r, char out[ERP_DOCUMENT_BYTES])
{
    const char *header = text_of(s, "erp.http.document_header");
    if (header[0] == '\0')
        return erp_reply_document(r->body, r->body_n, text_of(s, "erp.http.document_pointer"), out);
    const char *value = http_reply_header(r, header);
    return value != NULL && (strcasecmp(header, "Location") == 0 ? erp_reply_location(value, out) : erp_reply_header(value, strlen(value), out));
}

static bool token_renewed(struct try *t, const struct http_reply *r);

static void load_done(void *arg, const struct http_reply *r)
{
    struct try *t = arg;
    struct sink_http *s = t->sink;
    char document[ERP_DOCUMENT_BYTES], reason[ERP_REASON_BYTES], words[512];
    struct erp_verdict v;
    PROBE(load_answered);
    reached_by(s, r);
    if (token_renewed(t, r))
        return;
    judge(s, t->load, r, &v);
    if (v.fate == FATE_LOADED && names_documents(s)) {
        if (document_of(s, r, document))
            v.document_id = document;
        else if (!t->load->withdrawn)
            document_missing(s);
    }
    if (v.fate == FATE_REJECT) {
        erp_reply_reason(r->body, r->body_n, reason);
        v.reason = reason[0] != '\0' ? reason : r->words;
    }
    if (r->end == HTTP_REPLIED && (r->status == 401 || r->status == 403))
        s->credential_refused = true;
    struct err both;
    err_set(&both, "%s (%s)", v.words, r->words);
    memcpy(words, both.text, sizeof words);
    v.words = words;
    finish(t, &v);
}

/* Neither there nor not there: nothing is loaded, and an order that was only taken for loaded would be lost. Nothing was sent that may have loaded. */
static void not_known(struct try *t, const struct http_reply *r)
{
    struct sink_http *s = t->sink;
    bool replied = r->end == HTTP_REPLIED;
    enum fate_cause cause = replied ? CAUSE_HTTP : r->end == HTTP_NOT_SENT ? CAUSE_HTTP_NOT_SENT : CAUSE_HTTP_AMBIGUOUS;
    const struct fate_row *row = fate_of(cause, replied ? r->status : r->curl_code);
    const char *words = row->words;
    struct err both;
    if (replied && is_html(r))
        words = a_web_page;
    else if (replied && r->status == 200)
        words = "200, but nothing where erp.http.document_pointer or document_header looks: there or not? Let it answer 404 for what is not there, or leave both empty";
    else if (replied && (row->fate == FATE_LOADED || row->fate == FATE_REJECT || r->status == 410 || r->status == 405))
        words = "neither 200 nor 404: check erp.http.lookup_url";
    if (replied && (r->status == 401 || r->status == 403))
        s->credential_refused = true;
    err_set(&both, "look-up: %s (%s)", words, r->words);
    struct erp_verdict v = {.fate = replied ? FATE_PAUSE : row->fate, .retry_after_ms = r->retry_after_ms, .words = both.text};
    finish(t, &v);
}

static void looked_up(void *arg, const struct http_reply *r);

/* Sends what is the try's next request, or waits for the token that it needs. RC_RETRY: words in e. */
static enum rc next_request(struct try *t, struct err *e)
{
    struct sink_http *s = t->sink;
    const struct erp_load *l = t->load;
    const char *lookup = text_of(s, "erp.http.lookup_url");
    t->call = NULL;
    if (s->token != NULL && erp_token_value(s->token, &t->token) == NULL) {
        erp_token_ask(s->token);
        return RC_OK;
    }
    if (l->withdrawn)
        t->call = send_request(s, l, text_of(s, "erp.http.withdraw_method"), text_of(s, "erp.http.withdraw_url"), load_done, t, e);
    else if (lookup[0] != '\0' && !t->loading) /* always: whether a life before this one tried it nobody remembers */
        t->call = send_request(s, l, "GET", lookup, looked_up, t, e);
    else
        t->call = send_request(s, l, text_of(s, "erp.http.method"), text_of(s, "erp.http.url"), load_done, t, e);
    return t->call != NULL ? RC_OK : RC_RETRY;
}

static void go_on(struct try *t)
{
    struct err e;
    if (next_request(t, &e) == RC_OK)
        return;
    struct erp_verdict v = {.fate = FATE_PAUSE, .retry_after_ms = -1, .words = e.text};
    finish(t, &v);
}

/* A token may end, or be taken back, before its time: once it is renewed without troubling anybody. */
static bool token_renewed(struct try *t, const struct http_reply *r)
{
    struct sink_http *s = t->sink;
    if (s->token == NULL || r->end != HTTP_REPLIED || r->status != 401)
        return false;
    erp_token_refused(s->token, t->token);
    if (t->renewed)
        return false;
    t->renewed = true;
    go_on(t);
    return true;
}

/* Those who wait for a token, one after another from the list's begin, since a `done` may bring new ones. */
static struct try *first_waiting(const struct sink_http *s)
{
    struct try *t = s->tries;
    while (t != NULL && t->call != NULL)
        t = t->next;
    return t;
}

static void token_told(void *arg, const char *words, int64_t retry_after_ms)
{
    struct sink_http *s = arg;
    struct err text;
    unsigned number;
    err_set(&text, "%s", words != NULL ? words : "");
    size_t most = 0;
    struct try *t;
    DL_COUNT(s->tries, t, most);
    for (; most > 0 && (t = first_waiting(s)) != NULL; most--) {
        if (words == NULL && erp_token_value(s->token, &number) != NULL) {
            go_on(t);
            continue;
        }
        struct erp_verdict v = {.fate = FATE_PAUSE, .retry_after_ms = retry_after_ms, .words = words != NULL ? text.text : "the token ends before it can be used"};
        finish(t, &v);
    }
    if (first_waiting(s) != NULL) /* they came meanwhile */
        erp_token_ask(s->token);
}

static void looked_up(void *arg, const struct http_reply *r)
{
    struct try *t = arg;
    struct sink_http *s = t->sink;
    char document[ERP_DOCUMENT_BYTES];
    bool answer = r->end == HTTP_REPLIED && !is_html(r), named = names_documents(s);
    reached_by(s, r);
    if (token_renewed(t, r))
        return;
    if (answer && r->status == 404) {
        t->loading = true;
        go_on(t);
    } else if (answer && r->status == 200 && (!named || document_of(s, r, document))) {
        struct erp_verdict v = {.fate = FATE_LOADED, .document_id = named ? document : NULL, .retry_after_ms = -1, .words = "there already"};
        finish(t, &v);
    } else {
        not_known(t, r);
    }
}

static enum rc submit(struct erp_sink *sink, const struct erp_load *l, erp_done_fn *done, void *arg, struct err *e)
{
    struct sink_http *s = (struct sink_http *)sink;
    struct try *t = calloc(1, sizeof *t);
    if (t == NULL) {
        err_set(e, "erp.http: out of memory");
        return RC_RETRY;
    }
    if (s->credential_refused && config_refresh_secrets(s->env.config))
        log_event(s->env.log, LOG_INFO, "erp", NULL, "credential read again", LOG_S("key", "erp.http.authorization"));
    s->credential_refused = false;
    *t = (struct try){.sink = s, .load = l, .done = done, .arg = arg};
    if (next_request(t, e) != RC_OK) {
        free(t);
        return RC_RETRY;
    }
    DL_APPEND(s->tries, t);
    PROBE(load_requested);
    return RC_OK;
}

static void sink_close(struct erp_sink *sink)
{
    struct sink_http *s = (struct sink_http *)sink;
    struct try *t, *next;
    if (s == NULL)
        return;
    erp_reach_release(&s->reach);
    http_cancel(s->look);
    DL_FOREACH_SAFE(s->tries, t, next)
    {
        http_cancel(t->call);
        free(t);
    }
    erp_token_destroy(s->token);
    http_client_destroy(s->client);
    free(s);
}

const struct erp_sink_ops sink_http_ops = {
    .name = "http", .check = check, .connections = connections, .open = sink_open, .withdraws = withdraws, .submit = submit, .close = sink_close};
