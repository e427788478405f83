#include "consumer/fate_rules.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CODE_BYTES = 48 };
enum code_kind { CODE_NONE, CODE_HTTP, CODE_SYSTEM, CODE_SQL };

/* "code = fate" apart; false: not of that form. */
static bool rule_read(const char *item, char code[CODE_BYTES], enum fate *fate)
{
    const char *equals = strchr(item, '=');
    if (equals == NULL)
        return false;
    size_t n = (size_t)(equals - item);
    while (n > 0 && item[n - 1] == ' ')
        n--;
    if (n == 0 || n >= CODE_BYTES)
        return false;
    memcpy(code, item, n);
    code[n] = '\0';
    const char *name = equals + 1 + strspn(equals + 1, " ");
    for (enum fate f = FATE_AGAIN; f <= FATE_REJECT; f++) {
        *fate = f;
        if (strcmp(name, fate_name(f)) == 0)
            return true;
    }
    return false;
}

static bool digits_only(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

static enum code_kind kind_of(const char *code)
{
    size_t state = 0;
    if (strncmp(code, "curl-", 5) == 0)
        return digits_only(code + 5) ? CODE_SYSTEM : CODE_NONE;
    if (strncmp(code, "errno-", 6) == 0)
        return digits_only(code + 6) ? CODE_SYSTEM : CODE_NONE;
    if (digits_only(code) && strlen(code) == 3)
        return code[0] >= '3' && code[0] <= '5' ? CODE_HTTP : CODE_NONE;
    while (isdigit((unsigned char)code[state]) || isupper((unsigned char)code[state]))
        state++;
    if (state != 5)
        return CODE_NONE;
    if (code[5] == '\0')
        return CODE_SQL;
    return code[5] == '/' && digits_only(code + 6 + (code[6] == '-')) ? CODE_SQL : CODE_NONE;
}

/* Can it be a verdict about one order? */
static bool may_reject(const char *code, enum code_kind kind)
{
    static const char *const never[] = {"401", "403", "407", "408", "421", "425", "429"};
    static const char *const classes[] = {"00", "01", "08", "40", "53", "57", "58", "HYT"}; /* connection, deadlock, resources, operator, system, time-out */
    if (kind == CODE_HTTP) {
        for (size_t i = 0; i < sizeof never / sizeof *never; i++)
            if (strcmp(code, never[i]) == 0)
                return false;
        return code[0] == '4';
    }
    if (kind != CODE_SQL)
        return false;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strncmp(code, classes[i], strlen(classes[i])) == 0)
            return false;
    return true;
}

void fate_rules_check(const struct config *c, struct config_problems *problems)
{
    for (size_t i = 0; i < config_list_count(c, "erp.fates"); i++) {
        const char *item = config_list_item(c, "erp.fates", i);
        char code[CODE_BYTES] = "";
        enum fate fate;
        if (!rule_read(item, code, &fate))
            config_problem(c, problems, "erp.fates", "'%s': write CODE=again, park, pause or reject", item);
        else if (kind_of(code) == CODE_NONE)
            config_problem(c, problems, "erp.fates", "'%s': no code; one is an HTTP status from 300 on, curl-N, errno-N, a SQLSTATE, or SQLSTATE/N", code);
        else if (fate == FATE_REJECT && !may_reject(code, kind_of(code)))
            config_problem(c, problems, "erp.fates", "'%s' says nothing about an order: it cannot reject one", code);
    }
}

/* The last rule for the code. */
static bool find(const struct config *c, const char *code, bool ambiguous, enum fate *out)
{
    char of[CODE_BYTES];
    enum fate fate;
    bool found = false;
    for (size_t i = 0; i < config_list_count(c, "erp.fates"); i++) {
        if (!rule_read(config_list_item(c, "erp.fates", i), of, &fate) || strcmp(of, code) != 0 || (ambiguous && fate == FATE_REJECT))
            continue;
        *out = fate;
        found = true;
    }
    return found;
}

static enum fate numbered(const struct config *c, const char *kind, long number, enum fate table, bool ambiguous)
{
    char code[CODE_BYTES];
    enum fate fate = table;
    if (table == FATE_LOADED || config_list_count(c, "erp.fates") == 0)
        return table;
    (void)snprintf(code, sizeof code, "%s%ld", kind, number); /* fits */
    (void)find(c, code, ambiguous, &fate);
    return fate;
}

enum fate fate_rules_http(const struct config *c, int status, enum fate table, bool ambiguous)
{
    return numbered(c, "", status, table, ambiguous);
}

enum fate fate_rules_curl(const struct config *c, int code, enum fate table, bool ambiguous)
{
    return numbered(c, "curl-", code, table, ambiguous);
}

enum fate fate_rules_errno(const struct config *c, int code, enum fate table, bool ambiguous)
{
    return numbered(c, "errno-", code, table, ambiguous);
}

enum fate fate_rules_sql(const struct config *c, const char *state, long native, enum fate table, bool ambiguous)
{
    char code[CODE_BYTES];
    enum fate fate = table;
    if (table == FATE_LOADED || config_list_count(c, "erp.fates") == 0)
        return table;
    (void)snprintf(code, sizeof code, "%.5s/%ld", state, native); /* fits */
    if (!find(c, code, ambiguous, &fate)) {
        code[strlen(state) < 5 ? strlen(state) : 5] = '\0';
        (void)find(c, code, ambiguous, &fate);
    }
    return fate;
}
