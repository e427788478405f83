#include "consumer/replay_serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/net/web_guard.h"
#include "common/net/web_site.h"
#include "consumer/board.h"
#include "consumer/page_home.h"
#include "consumer/page_order.h"
#include "consumer/page_sum.h"

enum { EVERY_MS = 15000, EVERY_MIN_MS = 1000, EVERY_MAX_MS = 3600000, SPAN_MAX_DAYS = 3650 };

static const struct program_option options[] = {
    {"--listen", "ADDRESS:PORT", "Where the page is; port 0: a free one. Otherwise: 127.0.0.1:9104."},
    {"--at", "HOST:PORT,...", "HTTP ports of more programs to ask, besides those that the configuration names."},
    {"--since", "SPAN", "Orders of so long ago to now: 12h, 7d, or all for everything that Kafka keeps. Otherwise: 7d."},
    {"--every", "DURATION", "The topics are read anew so often at most: 15s, 5m. Otherwise: 15s."},
    {"--groups", "WAREHOUSE=GROUP,...", "Groups that are not named <prefix>-erp-WAREHOUSE."},
};

struct serve {
    struct program *program;
    struct board *board;
    struct web_site *site;
};

/* ---- pages */

static unsigned print_home(void *arg, const struct web_request *r, struct buf *out)
{
    const struct serve *s = arg;
    page_home(board_look(s->board), r->nonce, out);
    return 200;
}

/* A parameter without the blanks around it; blanks inside become between. false: it is missing, empty or too long. */
static bool take(const struct web_request *r, const char *name, char between, char *out, size_t room)
{
    const char *value = web_request_value(r, name);
    size_t n = 0;
    out[0] = '\0';
    if (value == NULL)
        return false;
    value += strspn(value, " \t");
    n = strlen(value);
    while (n > 0 && (value[n - 1] == ' ' || value[n - 1] == '\t'))
        n--;
    if (n == 0 || n >= room)
        return false;
    for (size_t i = 0; i < n; i++)
        out[i] = value[i] == ' ' ? between : value[i];
    out[n] = '\0';
    return true;
}

static unsigned print_bad(const char *words, struct buf *out)
{
    buf_put_text(out, words);
    return 400;
}

static unsigned print_order(void *arg, const struct web_request *r, struct buf *out)
{
    const struct serve *s = arg;
    char asked[BOARD_QUESTION];
    if (!take(r, "q", ' ', asked, sizeof asked))
        return print_bad("An order's id or number is missing or too long.\n", out);
    page_order(board_find(s->board, LOOKUP_ORDER, asked), asked, r->nonce, out);
    return 200;
}

static unsigned print_sum(void *arg, const struct web_request *r, struct buf *out)
{
    const struct serve *s = arg;
    char from[BOARD_QUESTION / 2 - 1], to[BOARD_QUESTION / 2 - 1], text[BOARD_QUESTION];
    if (!take(r, "from", 'T', from, sizeof from))
        return print_bad("The beginning of the span is missing or too long.\n", out);
    (void)take(r, "to", 'T', to, sizeof to);
    (void)snprintf(text, sizeof text, "%s%s%s", from, *to != '\0' ? " " : "", to);
    page_sum(board_find(s->board, LOOKUP_SUM, text), from, to, r->nonce, out);
    return 200;
}

static unsigned print_icon(void *arg, const struct web_request *r, struct buf *out)
{
    (void)arg;
    page_icon(strstr(r->path, "bad") != NULL ? VERDICT_BAD : strstr(r->path, "waits") != NULL ? VERDICT_WAITS : VERDICT_WELL, out);
    return 200;
}

static const char html[] = "text/html; charset=utf-8", svg[] = "image/svg+xml";
static const struct web_page pages[] = {
    {"/", html, print_home},
    {"/order", html, print_order},
    {"/reconcile", html, print_sum},
    {"/icon-well.svg", svg, print_icon},
    {"/icon-waits.svg", svg, print_icon},
    {"/icon-bad.svg", svg, print_icon},
};

/* ---- the command */

static const char *token(void *arg)
{
    const struct serve *s = arg;
    return config_text(program_config(s->program), "http.page_token");
}

/* "15s", "7d" in ms. false: none. */
static bool parse_duration(const char *text, int64_t *ms)
{
    char *end;
    if (*text < '1' || *text > '9' || strlen(text) > 6)
        return false;
    int64_t unit = 0, n = strtol(text, &end, 10);
    if (end[0] != '\0' && end[1] == '\0')
        unit = *end == 's' ? 1000 : *end == 'm' ? 60000 : *end == 'h' ? 3600000 : *end == 'd' ? 86400000 : 0;
    *ms = n * unit;
    return unit > 0;
}

static enum rc parse_options(struct serve *s, struct board_desc *d, char *address, size_t room, int *port, struct err *e)
{
    const char *listen = program_option_value(s->program, "--listen"), *since = program_option_value(s->program, "--since");
    const char *every = program_option_value(s->program, "--every");
    *d = (struct board_desc){.program = s->program, .at = program_option_value(s->program, "--at"), .groups = program_option_value(s->program, "--groups")};
    if (!web_guard_listen(listen != NULL ? listen : "127.0.0.1:9104", address, room, port)) {
        err_set(e, "--listen: \"%.80s\" is not ADDRESS:PORT", listen);
        return RC_REJECT;
    }
    if (!parse_duration(since != NULL && strcmp(since, "all") != 0 ? since : "7d", &d->span_ms) || d->span_ms / 86400000 > SPAN_MAX_DAYS) {
        err_set(e, "--since: \"%.40s\" is no span: write 12h, 7d, or all", since);
        return RC_REJECT;
    }
    if (since != NULL && strcmp(since, "all") == 0)
        d->span_ms = 0;
    if (!parse_duration(every != NULL ? every : "15s", &d->every_ms) || d->every_ms < EVERY_MIN_MS || d->every_ms > EVERY_MAX_MS) {
        err_set(e, "--every: \"%.40s\" is not a duration from 1s to 60m", every);
        return RC_REJECT;
    }
    return RC_OK;
}

static enum rc open_site(struct serve *s, const char *address, int port, struct err *e)
{
    struct web_site_desc d = {.address = address, .port = port, .token = token, .pages = pages, .pages_n = sizeof pages / sizeof *pages, .arg = s};
    enum rc rc = web_site_create(program_loop(s->program), &d, &s->site, e);
    if (rc != RC_OK && rc == RC_REJECT && *token(s) == '\0')
        err_prefix(e, "http.page_token or http.page_token_file is not set");
    if (rc != RC_OK)
        return rc;
    const char *open = strchr(address, ':') != NULL ? "[" : "", *close = *open != '\0' ? "]" : "";
    (void)printf("the page is at http://%s%s%s:%d/%s\n", open, address, close, web_site_port(s->site), *token(s) != '\0' ? "; its password is the token" : "");
    (void)fflush(stdout); /* nobody may be there to read it: the page is served all the same */
    return RC_OK;
}

static enum rc start_command(struct program *p, void **state, struct err *e)
{
    struct serve *s = calloc(1, sizeof *s);
    struct board_desc d;
    char address[64];
    int port = 0;
    if (s == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    s->program = p;
    *state = s;
    enum rc rc = parse_options(s, &d, address, sizeof address, &port, e);
    if (rc == RC_OK)
        rc = board_create(&d, &s->board, e);
    return rc == RC_OK ? open_site(s, address, port, e) : rc;
}

static void stop_command(void *state)
{
    const struct serve *s = state;
    program_finish(s->program, 0, NULL);
}

static void release_command(void *state)
{
    struct serve *s = state;
    if (s == NULL)
        return;
    web_site_destroy(s->site);
    board_destroy(s->board);
    free(s);
}

const struct program_command replay_serve_command = {
    .name = "serve",
    .summary = "serve a page that shows the whole pipeline",
    .description = "Serves a page for a browser: whether all is well, what waits where and why, the running programs, dead letters by reason, the life of an order, and whether "
                   "a span of time adds up. It refreshes itself and needs no JavaScript. Nothing can be changed from it, and it shows no content of an order: of what was "
                   "edited only the names of the fields.\n\n"
                   "On a loopback address it needs no token and answers to localhost only. Anywhere else, or when http.page_token is set, the token is asked for: in a browser "
                   "as the password, else as Authorization: Bearer TOKEN. It speaks HTTP: put a proxy with TLS before it, or an SSH tunnel, when it is read from elsewhere.\n\n"
                   "The topics are read in passes that all viewers share, one at a time, none while nobody looks, and with a rest of three times as long as the last one took. "
                   "A pass takes up to 200 bytes of memory an order.",
    .options = options,
    .options_n = sizeof options / sizeof *options,
    .start = start_command,
    .stop = stop_command,
    .release = release_command
};
