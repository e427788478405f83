#include "consumer/scan_time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t unit_ms(char c)
{
    return c == 's' ? 1000 : c == 'm' ? 60000 : c == 'h' ? 3600000 : c == 'd' ? 86400000 : 0;
}

static bool parse_ago(const char *text, int64_t now, int64_t *ms)
{
    char *end;
    if (*text < '0' || *text > '9' || strlen(text) > 8)
        return false;
    long n = strtol(text, &end, 10);
    if (unit_ms(*end) == 0 || end[1] != '\0')
        return false;
    *ms = now - n * unit_ms(*end);
    return *ms > 0;
}

static bool parse_calendar(const char *text, int64_t *ms)
{
    struct tm tm = {.tm_isdst = -1};
    int at = 0;
    if (sscanf(text, "%4d-%2d-%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &at) != 3 || at != 10)
        return false;
    text += at;
    if ((*text == 'T' || *text == ' ') && (sscanf(text + 1, "%2d:%2d%n", &tm.tm_hour, &tm.tm_min, &at) != 2 || at != 5))
        return false;
    text += *text != '\0' && *text != 'Z' ? 6 : 0;
    if (*text == ':' && (sscanf(text + 1, "%2d%n", &tm.tm_sec, &at) != 1 || at != 2))
        return false;
    text += *text == ':' ? 3 : 0;
    bool utc = *text == 'Z';
    if (text[utc] != '\0')
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    struct tm given = tm;
    time_t t = utc ? timegm(&tm) : mktime(&tm);
    *ms = (int64_t)t * 1000;
    /* 31 February is none: what was carried over shows. */
    return t > 0 && tm.tm_mday == given.tm_mday && tm.tm_mon == given.tm_mon && tm.tm_min == given.tm_min && tm.tm_sec == given.tm_sec;
}

enum rc scan_time_parse(const char *text, int64_t now, int64_t *ms, struct err *e)
{
    if (strcmp(text, "beginning") == 0)
        *ms = SCAN_TIME_BEGINNING;
    else if (strcmp(text, "end") == 0)
        *ms = SCAN_TIME_END;
    else if (!parse_ago(text, now, ms) && !parse_calendar(text, ms)) {
        err_set(e, "\"%.40s\" is no moment: write 3h (ago), 2026-11-24, 2026-11-24T10:00 (local time), 2026-11-24T10:00Z, beginning or end", text);
        return RC_REJECT;
    }
    return RC_OK;
}
