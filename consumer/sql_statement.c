#include "consumer/sql_statement.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"

enum { STATEMENT_MAX = 1024 * 1024 };

struct sql_statement {
    struct buf text;  /* zero-terminated */
    struct buf names; /* each with its zero */
    size_t count;
    size_t at[SQL_PARAMETERS_MAX]; /* in names */
};

static bool begins_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool in_name(char c)
{
    return begins_name(c) || (c >= '0' && c <= '9');
}

/* Where the piece that begins at p with `end` for its last bytes is over; NULL: it never is. */
static const char *behind(const char *p, size_t begin, const char *end)
{
    const char *found = strstr(p + begin, end);
    return found != NULL ? found + strlen(end) : NULL;
}

/* $tag$ .. $tag$ at p; p itself when it is none (a PostgreSQL $1, or a name with a dollar in it). NULL: it does not end. */
static const char *dollar_quoted(const char *text, const char *p)
{
    char tag[72];
    size_t n = 1;
    if (p > text && (in_name(p[-1]) || p[-1] == '$'))
        return p;
    while (in_name(p[n]) && n < sizeof tag - 2)
        n++;
    if (p[n] != '$' || (p[1] >= '0' && p[1] <= '9'))
        return p;
    memcpy(tag, p, n + 1);
    tag[n + 1] = '\0';
    return behind(p, n + 1, tag);
}

/* The end of what begins at p and is none of our business; p: nothing does. NULL: it never ends. A doubled quote is the end of one piece and
 * the beginning of the next. */
static const char *skipped(const char *text, const char *p)
{
    const char *end = NULL;
    switch (*p) {
    case '\'':
        return behind(p, 1, "'");
    case '"':
        return behind(p, 1, "\"");
    case '`':
        return behind(p, 1, "`");
    case '$':
        return dollar_quoted(text, p);
    case '-':
        if (p[1] != '-')
            return p;
        end = behind(p, 2, "\n");
        return end != NULL ? end : p + strlen(p);
    case '/':
        return p[1] == '*' ? behind(p, 2, "*/") : p;
    case ':':
        return p[1] == ':' || p[1] == '=' ? p + 2 : p;
    default:
        return p;
    }
}

/* The parameter at p (a colon and a name behind it); returns its end. NULL: too many. */
static const char *parameter(struct sql_statement *s, const char *p)
{
    const char *end = p + 1;
    while (in_name(*end))
        end++;
    if (s->count == SQL_PARAMETERS_MAX)
        return NULL;
    s->at[s->count++] = s->names.n;
    buf_put(&s->names, p + 1, (size_t)(end - p - 1));
    buf_put_byte(&s->names, '\0');
    buf_put_byte(&s->text, '?');
    return end;
}

static enum rc parse(struct sql_statement *s, const char *text, struct err *e)
{
    bool something = false;
    for (const char *p = text; *p != '\0';) {
        const char *end = skipped(text, p);
        if (end == NULL) {
            err_set(e, "what begins at byte %zu with %c has no end", (size_t)(p - text) + 1, *p);
            return RC_REJECT;
        }
        if (end == p && *p == '?') {
            err_set(e, "a ? at byte %zu: parameters are written by name, as :order_id", (size_t)(p - text) + 1);
            return RC_REJECT;
        }
        if (end == p && *p == ':' && begins_name(p[1])) {
            if ((p = parameter(s, p)) == NULL) {
                err_set(e, "more than %d parameters", SQL_PARAMETERS_MAX);
                return RC_REJECT;
            }
            something = true;
            continue;
        }
        end = end == p ? p + 1 : end;
        something = something || strchr(" \t\r\n;", *p) == NULL;
        buf_put(&s->text, p, (size_t)(end - p));
        p = end;
    }
    if (something)
        return RC_OK;
    err_set(e, "no statement in it");
    return RC_REJECT;
}

enum rc sql_statement_parse(const char *text, struct sql_statement **out, struct err *e)
{
    enum rc rc = RC_FATAL;
    struct sql_statement *s = calloc(1, sizeof *s);
    if (s == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    buf_init(&s->text, STATEMENT_MAX);
    buf_init(&s->names, STATEMENT_MAX);
    rc = parse(s, text, e);
    if (rc == RC_OK && (buf_text(&s->text) == NULL || buf_failed(&s->names))) {
        err_set(e, "longer than %d bytes, or out of memory", STATEMENT_MAX);
        rc = RC_REJECT;
    }
    if (rc == RC_OK)
        *out = s;
    else
        sql_statement_destroy(s);
    return rc;
}

void sql_statement_destroy(struct sql_statement *s)
{
    if (s == NULL)
        return;
    buf_release(&s->text);
    buf_release(&s->names);
    free(s);
}

const char *sql_statement_text(const struct sql_statement *s)
{
    return (const char *)s->text.p;
}

size_t sql_statement_count(const struct sql_statement *s)
{
    return s->count;
}

const char *sql_statement_parameter(const struct sql_statement *s, size_t i)
{
    return (const char *)s->names.p + s->at[i];
}
