#include "common/base/log.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/line_out.h"
#include "common/base/utf8.h"

enum {
    LINE_ROOM = 16 * 1024,
    LINE_TAIL = 32,   /* kept free for the end of a line that had to be cut */
    VALUE_MAX = 1024, /* bytes of one value; the rest is cut */
    FOLD_MS = 10 * 1000,
    FOLD_ROWS = 64,
    FOLD_TEXT = 128
};

struct fold { /* a line that was written lately */
    char component[32];
    char text[FOLD_TEXT];
    uint64_t hash; /* of the whole component and text */
    enum log_level level;
    int64_t written_ms; /* monotonic */
    int64_t folded;     /* lines like it that were not written since */
    bool used;
};

struct line {
    char p[LINE_ROOM];
    size_t n;
    bool full; /* something did not fit: nothing of it is kept, see put_field */
};

struct log {
    const char *program;
    const struct clock *clock;
    struct line_out out;
    uint64_t lost; /* lines that nobody read, not told yet */
    enum log_level level;
    enum log_format format;
    bool journal; /* fd leads to journald, which reads a priority at the beginning of each line */
    struct fold folds[FOLD_ROWS];
    struct line line;
};

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static const char *const priorities[] = {"<3>", "<4>", "<6>", "<7>"}; /* sd-daemon(3) */

static void put(struct line *l, const char *p, size_t n)
{
    if (l->full || n > LINE_ROOM - LINE_TAIL - l->n) {
        l->full = true;
        return;
    }
    memcpy(l->p + l->n, p, n);
    l->n += n;
}

static void put_text(struct line *l, const char *text)
{
    put(l, text, strlen(text));
}

/* Length of the UTF-8 character at p that may be printed as it is: 0 for a control character (C0, DEL, C1), for a line or paragraph
 * separator and for a byte that begins no valid character. */
static size_t printable(const unsigned char *p, size_t n)
{
    if (p[0] < 0x80)
        return p[0] >= 0x20 && p[0] != 0x7F;
    size_t len = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (len > n || utf8_check(p, len) != len)
        return 0;
    if (p[0] == 0xC2 && p[1] < 0xA0)
        return 0;
    if (p[0] == 0xE2 && p[1] == 0x80 && (p[2] == 0xA8 || p[2] == 0xA9))
        return 0;
    return len;
}

/* One escape serves both formats where it can; JSON has no \x, and there a byte that is no character has no name at all. */
static void put_escape(struct line *l, unsigned char byte, enum log_format format)
{
    char made[8];
    if (byte == '\n' || byte == '\r' || byte == '\t')
        (void)snprintf(made, sizeof made, "\\%c", byte == '\n' ? 'n' : byte == '\r' ? 'r' : 't');
    else if (format == LOG_FORMAT_JSON)
        (void)snprintf(made, sizeof made, byte < 0x80 ? "\\u%04x" : "\\ufffd", (unsigned)byte);
    else
        (void)snprintf(made, sizeof made, "\\x%02x", (unsigned)byte);
    put_text(l, made);
}

static void put_escaped(struct line *l, const char *text, enum log_format format, bool quoted)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t n = strnlen(text, VALUE_MAX + 1);
    bool cut = n > VALUE_MAX;
    if (cut)
        for (n = VALUE_MAX; n > VALUE_MAX - 4 && (p[n] & 0xC0) == 0x80;) /* at a character */
            n--;
    for (size_t i = 0; i < n;) {
        size_t len = printable(p + i, n - i);
        if (len == 0) {
            put_escape(l, p[i++], format);
            continue;
        }
        if (p[i] == '\\' || (quoted && p[i] == '"'))
            put(l, "\\", 1);
        put(l, text + i, len);
        i += len;
    }
    if (cut)
        put_text(l, "...");
}

static void put_quoted(struct line *l, const char *text, enum log_format format)
{
    put(l, "\"", 1);
    put_escaped(l, text, format, true);
    put(l, "\"", 1);
}

/* A text value stands bare when nobody can mistake where it ends. */
static bool is_plain(const char *text)
{
    if (text[0] == '\0')
        return false;
    for (const char *p = text; *p != '\0'; p++)
        if ((unsigned char)*p <= ' ' || *p == '"' || *p == '=' || *p == '\\' || *p == 0x7F)
            return false;
    return true;
}

static void put_number(struct line *l, int64_t number)
{
    char made[24];
    (void)snprintf(made, sizeof made, "%lld", (long long)number);
    put_text(l, made);
}

static void put_time(struct line *l, int64_t wall_ms)
{
    int64_t ms = wall_ms % 1000;
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm t;
    char date[32], made[64];
    if (wall_ms < 0 || gmtime_r(&seconds, &t) == NULL || strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &t) == 0)
        (void)snprintf(date, sizeof date, "1970-01-01T00:00:00");
    (void)snprintf(made, sizeof made, "%s.%03dZ", date, ms < 0 ? 0 : (int)ms);
    put_text(l, made);
}

/* The names that every JSON line has: a field of the same name would make the object ambiguous. */
static bool is_taken(const char *key)
{
    static const char *const taken[] = {"time", "level", "program", "component", "order", "text", "cut"};
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        if (strcmp(key, taken[i]) == 0)
            return true;
    return false;
}

/* Writes the field whole or not at all. */
static void put_field(struct line *l, enum log_format format, const struct log_field *f)
{
    size_t before = l->n;
    if (format == LOG_FORMAT_JSON) {
        put(l, ",\"", 2);
        put_escaped(l, f->key, format, true);
        put_text(l, is_taken(f->key) ? "_\":" : "\":");
    } else {
        put(l, " ", 1);
        put_escaped(l, f->key, format, false);
        put(l, "=", 1);
    }
    if (f->text == NULL)
        put_number(l, f->number);
    else if (format == LOG_FORMAT_TEXT && is_plain(f->text))
        put_escaped(l, f->text, format, false);
    else
        put_quoted(l, f->text, format);
    if (l->full)
        l->n = before;
}

static void begin_text(struct log *l, enum log_level level, const char *component, const char *order, const char *text)
{
    put_time(&l->line, clock_wall(l->clock));
    put(&l->line, " ", 1);
    put_text(&l->line, level_names[level]);
    put(&l->line, " ", 1);
    put_escaped(&l->line, component, LOG_FORMAT_TEXT, false);
    if (order != NULL) {
        put(&l->line, " ", 1);
        put_escaped(&l->line, order, LOG_FORMAT_TEXT, false);
    }
    put(&l->line, ": ", 2);
    put_escaped(&l->line, text, LOG_FORMAT_TEXT, false);
}

static void begin_json(struct log *l, enum log_level level, const char *component, const char *order, const char *text)
{
    put_text(&l->line, "{\"time\":\"");
    put_time(&l->line, clock_wall(l->clock));
    put_text(&l->line, "\",\"level\":\"");
    put_text(&l->line, level_names[level]);
    put_text(&l->line, "\",\"program\":");
    put_quoted(&l->line, l->program, LOG_FORMAT_JSON);
    put_text(&l->line, ",\"component\":");
    put_quoted(&l->line, component, LOG_FORMAT_JSON);
    if (order != NULL) {
        put_text(&l->line, ",\"order\":");
        put_quoted(&l->line, order, LOG_FORMAT_JSON);
    }
    put_text(&l->line, ",\"text\":");
    put_quoted(&l->line, text, LOG_FORMAT_JSON);
}

static void end_line(struct line *l, enum log_format format)
{
    const char *end = format == LOG_FORMAT_JSON ? (l->full ? ",\"cut\":true}\n" : "}\n") : (l->full ? " cut=true\n" : "\n");
    size_t n = strlen(end); /* fits: LINE_TAIL was kept free */
    memcpy(l->p + l->n, end, n);
    l->n += n;
}

struct event {
    enum log_level level;
    const char *component, *order, *text;
    const struct log_field *fields;
    size_t n;
};

static void write_event(struct log *l, const struct event *e, int64_t repeated)
{
    l->line.n = 0;
    l->line.full = false;
    if (l->journal)
        put_text(&l->line, priorities[e->level]);
    if (l->format == LOG_FORMAT_JSON)
        begin_json(l, e->level, e->component, e->order, e->text);
    else
        begin_text(l, e->level, e->component, e->order, e->text);
    for (size_t i = 0; i < e->n; i++)
        put_field(&l->line, l->format, &e->fields[i]);
    if (repeated > 0)
        put_field(&l->line, l->format, &(struct log_field){"repeated", NULL, repeated});
    end_line(&l->line, l->format);
    line_out_put(&l->out, l->line.p, l->line.n);
}

/* false: nobody reads. */
static bool tell_lost(struct log *l)
{
    if (!line_out_ready(&l->out))
        return false;
    if (l->lost == 0)
        return true;
    write_event(l, &(struct event){LOG_WARN, "log", NULL, "lines were lost because nobody read them", &LOG_I("lines", l->lost), 1}, 0);
    l->lost = 0;
    return line_out_ready(&l->out);
}

static void emit(struct log *l, const struct event *e, int64_t repeated)
{
    if (tell_lost(l))
        write_event(l, e, repeated);
    else
        l->lost++;
}

static uint64_t hash_text(uint64_t h, const char *text) /* FNV-1a, the zero included */
{
    do
        h = (h ^ (unsigned char)*text) * 0x100000001B3u;
    while (*text++ != '\0');
    return h;
}

static void flush_fold(struct log *l, struct fold *f)
{
    if (f->used && f->folded > 0)
        emit(l, &(struct event){f->level, f->component, NULL, f->text, NULL, 0}, f->folded);
    *f = (struct fold){0};
}

/* The row of such lines, or the one to take for them: a free one, else the one longest without a line. */
static struct fold *find_fold(struct log *l, enum log_level level, uint64_t hash)
{
    struct fold *oldest = &l->folds[0];
    for (size_t i = 0; i < FOLD_ROWS; i++) {
        struct fold *f = &l->folds[i];
        if (f->used && f->hash == hash && f->level == level)
            return f;
        if (!f->used ? oldest->used : oldest->used && f->written_ms < oldest->written_ms)
            oldest = f;
    }
    flush_fold(l, oldest);
    return oldest;
}

/* systemd names the device and inode of the stream that it gave; who redirects it elsewhere has no journal there. */
static bool leads_to_journal(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device = 0, inode = 0;
    struct stat status;
    if (stream == NULL || sscanf(stream, "%llu:%llu", &device, &inode) != 2 || fstat(fd, &status) != 0)
        return false;
    return (unsigned long long)status.st_dev == device && (unsigned long long)status.st_ino == inode;
}

struct log *log_create(const char *program, int fd, const struct clock *clock)
{
    struct log *l = calloc(1, sizeof *l);
    if (l == NULL)
        return NULL;
    l->program = program;
    line_out_init(&l->out, fd, clock);
    l->journal = leads_to_journal(fd);
    l->clock = clock;
    l->level = LOG_INFO;
    l->format = LOG_FORMAT_TEXT;
    return l;
}

void log_destroy(struct log *l)
{
    if (l == NULL)
        return;
    log_flush(l);
    free(l);
}

void log_flush(struct log *l)
{
    for (size_t i = 0; l != NULL && i < FOLD_ROWS; i++)
        flush_fold(l, &l->folds[i]);
    if (l != NULL && l->lost > 0)
        (void)tell_lost(l);
}

void log_set(struct log *l, enum log_level level, enum log_format format)
{
    l->level = level;
    l->format = format;
}

int log_enabled(const struct log *l, enum log_level level)
{
    return l != NULL && level <= l->level;
}

void log_write(struct log *l, enum log_level level, const char *component, const char *order, const char *text,
               const struct log_field *fields, size_t n)
{
    if (!log_enabled(l, level))
        return;
    int64_t now = clock_mono(l->clock);
    uint64_t hash = hash_text(hash_text(0xCBF29CE484222325u, component), text);
    struct fold *f = find_fold(l, level, hash);
    if (f->used && now - f->written_ms < FOLD_MS) {
        f->folded++;
        return;
    }
    emit(l, &(struct event){level, component, order, text, fields, n}, f->folded);
    *f = (struct fold){.hash = hash, .level = level, .written_ms = now, .used = true};
    (void)snprintf(f->component, sizeof f->component, "%s", component); /* for the summary; a cut one will do */
    (void)snprintf(f->text, sizeof f->text, "%s", text);
}

void log_write_unfolded(struct log *l, enum log_level level, const char *component, const char *order, const char *text,
                        const struct log_field *fields, size_t n)
{
    if (log_enabled(l, level))
        emit(l, &(struct event){level, component, order, text, fields, n}, 0);
}
