#include "common/contract/zone.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DAY = 86400, CHANGES = 512, NAME_BYTES = 64 };

/* Every change of the offset in this span is found once, at the beginning; outside it the system is asked each time. */
static const int64_t SPAN_BEGIN = (int64_t)7300 * DAY; /* late in 1989 */
static const int64_t SPAN_END = (int64_t)36525 * DAY;  /* 2070 */

struct zone {
    int32_t before; /* offset at SPAN_BEGIN */
    size_t n;
    struct change {
        int64_t at;     /* UTC seconds: from here on */
        int32_t offset; /* local = UTC + offset */
    } changes[CHANGES];
};

struct moment {
    int year, month, day, hour, minute, second, ms;
    bool has_offset;
    int offset; /* seconds */
};

static int32_t system_offset(int64_t utc)
{
    time_t when = (time_t)utc;
    struct tm tm;
    return localtime_r(&when, &tm) != NULL ? (int32_t)tm.tm_gmtoff : 0; /* fails only for years beyond an int */
}

static bool is_zone_file(const char *name)
{
    char path[256], magic[4];
    const char *directory = getenv("TZDIR");
    int n = snprintf(path, sizeof path, "%s/%s", directory != NULL ? directory : "/usr/share/zoneinfo", name);
    if (n < 0 || (size_t)n >= sizeof path)
        return false;
    FILE *f = fopen(path, "rbe");
    if (f == NULL)
        return false;
    bool ok = fread(magic, 1, sizeof magic, f) == sizeof magic && memcmp(magic, "TZif", 4) == 0;
    (void)fclose(f); /* only read from */
    return ok;
}

/* The first second of the new offset, between low (old) and high (new). */
static int64_t find_change(int64_t low, int64_t high, int32_t old)
{
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (system_offset(middle) == old)
            low = middle;
        else
            high = middle;
    }
    return high;
}

static bool find_changes(struct zone *z)
{
    int32_t offset = z->before = system_offset(SPAN_BEGIN);
    for (int64_t day = SPAN_BEGIN + DAY; day <= SPAN_END; day += DAY) {
        int32_t now = system_offset(day);
        if (now == offset)
            continue;
        if (z->n == CHANGES)
            return false;
        z->changes[z->n++] = (struct change){find_change(day - DAY, day, offset), now};
        offset = now;
    }
    return true;
}

enum rc zone_open(const char *name, struct zone **out, struct err *e)
{
    if (name[0] == '\0' || name[0] == '/' || name[0] == ':' || strstr(name, "..") != NULL ||
        strlen(name) >= NAME_BYTES || !is_zone_file(name)) {
        err_set(e, "time zone \"%.64s\" is not known on this machine (package tzdata)", name);
        return RC_REJECT;
    }
    struct zone *z = calloc(1, sizeof *z);
    if (z == NULL || setenv("TZ", name, 1) != 0) {
        free(z);
        err_set(e, "time zone: out of memory");
        return RC_FATAL;
    }
    tzset();
    if (!find_changes(z)) {
        free(z);
        err_set(e, "time zone \"%s\" changes its offset too often", name);
        return RC_REJECT;
    }
    *out = z;
    return RC_OK;
}

void zone_close(struct zone *z)
{
    free(z);
}

static int32_t offset_at(const struct zone *z, int64_t utc)
{
    if (utc < SPAN_BEGIN || utc >= SPAN_END)
        return system_offset(utc);
    size_t low = 0, high = z->n; /* changes at or before utc are counted */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (z->changes[middle].at <= utc)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? z->before : z->changes[low - 1].offset;
}

/* Asks for the offsets a day before and after; where they differ, the earlier one wins if it is true at the moment that it makes, so an hour that
 * exists twice is the first one; an hour that does not exist is true with neither and keeps the offset before it. */
static int64_t local_to_utc(const struct zone *z, int64_t local)
{
    int32_t earlier = offset_at(z, local - DAY), later = offset_at(z, local + DAY);
    if (earlier == later || offset_at(z, local - earlier) == earlier || offset_at(z, local - later) != later)
        return local - earlier;
    return local - later;
}

/* Exactly `count` digits. */
static bool digits(const char **at, const char *end, int count, int *out)
{
    if (end - *at < count)
        return false;
    int v = 0;
    for (int i = 0; i < count; i++) {
        char c = (*at)[i];
        if (c < '0' || c > '9')
            return false;
        v = v * 10 + (c - '0');
    }
    *at += count;
    *out = v;
    return true;
}

static bool character(const char **at, const char *end, char wanted)
{
    if (*at == end || **at != wanted)
        return false;
    ++*at;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int length[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return length[month - 1] + (month == 2 && leap ? 1 : 0);
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar (counted in eras of 400 years that begin in March). */
static int64_t days_from_civil(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void civil_from_days(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097, of_era = days - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(y + era * 400 + (*month <= 2 ? 1 : 0));
}

/* Seconds and their fraction; digits behind the milliseconds are cut. */
static bool parse_seconds(const char **at, const char *end, struct moment *m)
{
    if (!digits(at, end, 2, &m->second))
        return false;
    if (*at == end || (**at != '.' && **at != ','))
        return true;
    const char *p = ++*at;
    for (int weight = 100; *at < end && **at >= '0' && **at <= '9'; ++*at, weight /= 10)
        m->ms += (**at - '0') * weight;
    return *at > p;
}

static bool parse_offset(const char **at, const char *end, struct moment *m)
{
    int hours, minutes = 0;
    m->has_offset = true;
    if (character(at, end, 'Z') || character(at, end, 'z'))
        return true;
    bool west = character(at, end, '-');
    if ((!west && !character(at, end, '+')) || !digits(at, end, 2, &hours))
        return false;
    if (*at < end) {
        (void)character(at, end, ':'); /* +0100 is written too */
        if (!digits(at, end, 2, &minutes))
            return false;
    }
    m->offset = (hours * 60 + minutes) * (west ? -60 : 60);
    return hours <= 23 && minutes <= 59;
}

static bool parse(const char *text, size_t n, struct moment *m)
{
    const char *p = text, *end = text + n;
    *m = (struct moment){0};
    if (!digits(&p, end, 4, &m->year) || !character(&p, end, '-') || !digits(&p, end, 2, &m->month) ||
        !character(&p, end, '-') || !digits(&p, end, 2, &m->day))
        return false;
    if (m->year < 1 || m->month < 1 || m->month > 12 || m->day < 1 || m->day > days_in_month(m->year, m->month))
        return false;
    if (p == end)
        return true;
    if (!character(&p, end, 'T') && !character(&p, end, ' ') && !character(&p, end, 't'))
        return false;
    if (!digits(&p, end, 2, &m->hour) || !character(&p, end, ':') || !digits(&p, end, 2, &m->minute))
        return false;
    if (character(&p, end, ':') && !parse_seconds(&p, end, m))
        return false;
    if (p < end && !parse_offset(&p, end, m))
        return false;
    return p == end && m->hour <= 23 && m->minute <= 59 && m->second <= 59;
}

enum rc zone_parse_moment(const struct zone *z, const char *text, size_t n, int64_t *ms, struct err *e)
{
    struct moment m;
    if (!parse(text, n, &m)) {
        err_set(e, "not a moment such as 2026-11-20T14:03:11");
        return RC_REJECT;
    }
    int64_t s = days_from_civil(m.year, m.month, m.day) * DAY + m.hour * 3600 + m.minute * 60 + m.second;
    s = m.has_offset ? s - m.offset : local_to_utc(z, s);
    *ms = s * 1000 + m.ms;
    return RC_OK;
}

enum rc zone_parse_date(const char *text, size_t n, int32_t *days, struct err *e)
{
    struct moment m;
    if (!parse(text, n, &m)) {
        err_set(e, "not a date such as 2026-11-20");
        return RC_REJECT;
    }
    *days = (int32_t)days_from_civil(m.year, m.month, m.day);
    return RC_OK;
}

/* Exactly n digits and what stands behind them. */
static char *print_digits(char *to, unsigned v, int n, char behind)
{
    for (int i = n; i-- > 0; v /= 10)
        to[i] = (char)('0' + v % 10);
    to[n] = behind;
    return to + n + 1;
}

void zone_print_moment(int64_t ms, char out[32])
{
    const int64_t first = -62135596800000, last = 253402300799999; /* the years 1 to 9999 */
    ms = ms < first ? first : ms > last ? last : ms;
    int64_t days = ms / 86400000, rest = ms % 86400000;
    if (rest < 0) {
        rest += 86400000;
        days--;
    }
    int year, month, day, seconds = (int)(rest / 1000);
    civil_from_days(days, &year, &month, &day);
    char *p = print_digits(out, (unsigned)year, 4, '-');
    p = print_digits(p, (unsigned)month, 2, '-');
    p = print_digits(p, (unsigned)day, 2, 'T');
    p = print_digits(p, (unsigned)seconds / 3600, 2, ':');
    p = print_digits(p, (unsigned)seconds / 60 % 60, 2, ':');
    p = print_digits(p, (unsigned)seconds % 60, 2, '.');
    *print_digits(p, (unsigned)(rest % 1000), 3, 'Z') = '\0';
}
