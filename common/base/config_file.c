#include <errno.h>
#include <ini_configobj.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/base/config_parts.h"
#include "common/base/slurp.h"
#include "common/base/utf8.h"

/* libini gives no values at all when a line is wrong. So that one wrong line does not hide what is wrong elsewhere, such lines are
 * noted, put out of the way and the rest is read again. */
enum { PASSES = 8, HEAD_ROOM = 32 };

struct reader {
    const char *file;
    struct config_problems *problems;
    struct arena *arena;
    struct buf text; /* the file, wrong lines put out of the way */
    struct config_line *lines;
    size_t n, room;
};

static const char *line_at(const struct buf *text, unsigned line)
{
    const char *p = (const char *)text->p, *end = p + text->n;
    for (unsigned at = 1; at < line && p < end; at++) {
        const char *feed = memchr(p, '\n', (size_t)(end - p));
        p = feed == NULL ? end : feed + 1;
    }
    return p;
}

static size_t line_length(const struct buf *text, const char *p)
{
    size_t left = (size_t)((const char *)text->p + text->n - p);
    const char *feed = left == 0 ? NULL : memchr(p, '\n', left);
    return feed == NULL ? left : (size_t)(feed - p);
}

/* Puts a comment, or for a wrong head the head of a section that nobody checks, in a line's place. */
static void put_aside(struct reader *r, unsigned line, bool head)
{
    const char *p = line_at(&r->text, line);
    size_t before = (size_t)(p - (const char *)r->text.p), n = line_length(&r->text, p);
    struct buf text;
    buf_init(&text, r->text.max);
    buf_put(&text, r->text.p, before);
    if (head)
        buf_printf(&text, "[?%u]", line);
    else
        buf_put_byte(&text, ';');
    buf_put(&text, p + n, r->text.n - before - n);
    buf_release(&r->text);
    r->text = text;
}

static bool is_blank(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && (p[i] == ' ' || p[i] == '\t' || p[i] == '\r'))
        i++;
    return i == n;
}

/* What stands before the first section belongs nowhere; libini would drop it without a word. */
static void check_before_sections(struct reader *r)
{
    unsigned line = 1;
    for (size_t at = 0; at < r->text.n && r->text.p[at] != '['; line++) {
        const char *p = (const char *)r->text.p + at;
        size_t n = line_length(&r->text, p);
        if (!is_blank(p, n) && *p != ';' && *p != '#') {
            config_problem_add(r->problems, "%s:%u: stands before the first [section]", r->file, line);
            put_aside(r, line, false);
            n = 1; /* the comment in its place */
        }
        at += n + 1;
    }
}

static enum rc add_line(struct reader *r, const char *section, const char *key, const char *value, unsigned line)
{
    if (r->n >= CONFIG_ENTRIES_MAX) {
        config_problem_add(r->problems, "%s: more than %d sections and keys", r->file, CONFIG_ENTRIES_MAX);
        return RC_REJECT;
    }
    if (r->n == r->room) {
        size_t room = r->room == 0 ? 64 : r->room * 2;
        struct config_line *lines = arena_take_array(r->arena, room, sizeof *lines);
        if (lines == NULL)
            return RC_FATAL;
        if (r->n > 0)
            memcpy(lines, r->lines, r->n * sizeof *lines);
        r->lines = lines;
        r->room = room;
    }
    const char *own_section = arena_text(r->arena, section, strlen(section));
    const char *own_key = key == NULL ? NULL : arena_text(r->arena, key, strlen(key));
    if (own_section == NULL || value == NULL || (key != NULL && own_key == NULL))
        return RC_FATAL;
    r->lines[r->n++] = (struct config_line){own_section, own_key, value, line};
    return RC_OK;
}

void config_fold(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0';) {
        const char *line = from;
        size_t n = strcspn(from, "\n");
        from += n + (from[n] == '\n');
        while (n > 0 && is_blank(line, 1))
            line++, n--;
        while (n > 0 && is_blank(line + n - 1, 1))
            n--;
        if (n > 0 && to > text)
            *to++ = '\n';
        memmove(to, line, n);
        to += n;
    }
    *to = '\0';
}

/* Joins the lines of a folded value, which libini would glue together: a header or a PEM block needs its line ends. */
static const char *folded_value(struct reader *r, const char *value, unsigned line)
{
    struct buf lines;
    buf_init(&lines, r->text.max);
    const char *end = (const char *)r->text.p + r->text.n;
    bool folded = false;
    const char *p = line_at(&r->text, line);
    const char *equals = memchr(p, '=', line_length(&r->text, p));
    for (const char *from = equals == NULL ? p : equals + 1;;) {
        size_t n = line_length(&r->text, from);
        const char *next = from + n + (from + n < end);
        buf_put(&lines, from, (size_t)(next - from));
        if (next >= end || (*next != ' ' && *next != '\t'))
            break;
        folded = true;
        from = next;
    }
    const char *text = folded ? buf_text(&lines) : value;
    char *own = text == NULL ? NULL : arena_text(r->arena, text, strlen(text));
    if (own != NULL && folded)
        config_fold(own);
    buf_release(&lines);
    return own;
}

/* The name in a section's head; 0 bytes: the line is none. */
static size_t head_name(const char *line, size_t n, const char **name)
{
    const char *end = memchr(line, ']', n);
    if (n < 2 || line[0] != '[' || end == NULL)
        return 0;
    for (line++; line < end && is_blank(line, 1);)
        line++;
    while (end > line && is_blank(end - 1, 1))
        end--;
    *name = line;
    return (size_t)(end - line);
}

/* The line of a section's head; libini does not tell. */
static unsigned head_line(const struct buf *text, const char *section)
{
    const char *end = (const char *)text->p + text->n, *name = NULL;
    unsigned line = 1;
    for (const char *p = (const char *)text->p; p < end; p += line_length(text, p) + 1, line++) {
        size_t n = head_name(p, line_length(text, p), &name);
        if (n == strlen(section) && strncasecmp(name, section, n) == 0)
            return line;
    }
    return 0;
}

/* All values of one key: more than one means that it was given twice, which drop_doubles tells. */
static enum rc take_key(struct reader *r, struct ini_cfgobj *ini, const char *section, const char *key)
{
    struct value_obj *value = NULL;
    for (int mode = INI_GET_FIRST_VALUE;; mode = INI_GET_NEXT_VALUE) {
        uint32_t line = 0;
        int error = 0;
        if (ini_get_config_valueobj(section, key, ini, mode, &value) != 0 || value == NULL)
            return RC_OK;
        const char *text = ini_get_const_string_config_value(value, &error);
        if (error != 0 || text == NULL || value_get_line(value, &line) != 0)
            return RC_FATAL;
        enum rc rc = add_line(r, section, key, folded_value(r, text, line), line);
        if (rc != RC_OK)
            return rc;
    }
}

static enum rc take_section(struct reader *r, struct ini_cfgobj *ini, const char *section)
{
    int n = 0, error = 0;
    char **keys = ini_get_attribute_list(ini, section, &n, &error);
    if (keys == NULL || error != 0)
        return RC_FATAL;
    enum rc rc = add_line(r, section, NULL, "", head_line(&r->text, section));
    for (int i = 0; i < n && rc == RC_OK; i++) {
        bool seen = false; /* a key given twice is listed twice */
        for (int j = 0; j < i && !seen; j++)
            seen = strcasecmp(keys[i], keys[j]) == 0;
        if (!seen)
            rc = take_key(r, ini, section, keys[i]);
    }
    ini_free_attribute_list(keys);
    return rc;
}

static enum rc take_all(struct reader *r, struct ini_cfgobj *ini)
{
    int n = 0, error = 0;
    char **sections = ini_get_section_list(ini, &n, &error);
    if (sections == NULL || error != 0)
        return error == 0 && n == 0 ? RC_OK : RC_FATAL;
    enum rc rc = RC_OK;
    for (int i = 0; i < n && rc == RC_OK; i++)
        rc = take_section(r, ini, sections[i]);
    ini_free_section_list(sections);
    return rc;
}

static const char *words_of(int code)
{
    switch (code) {
    case ERR_NOCLOSESEC:
        return "a section's head must end with ]; comments stand on lines of their own";
    case ERR_NOSECTION:
        return "a section's name is missing";
    case ERR_NOEQUAL:
        return "neither a [section], nor key = value, nor a comment";
    case ERR_NOKEY:
        return "no key before the equal sign";
    case ERR_SPACE:
    case ERR_TAB:
        return "begins with a blank but continues no value (a blank line or a comment ends one)";
    case ERR_LONGDATA:
    case ERR_LONGKEY:
    case ERR_SECTIONLONG:
        return "too long";
    default:
        return "cannot be read";
    }
}

/* libini tells its errors as text: "Error (5) on line 3: Equal sign is missing." Only to be called when it counted them: after
 * mere doubles its count is 0, and ini_config_get_errors of 0.6.2 then writes past the list that it made by that count. */
static void take_errors(struct reader *r, struct ini_cfgobj *ini, unsigned pass)
{
    char **errors = NULL;
    size_t n = ini_config_error_count(ini);
    if (n == 0 || ini_config_get_errors(ini, &errors) != 0 || errors == NULL)
        return;
    for (size_t i = 0; i < n && errors[i] != NULL; i++) {
        int code = 0;
        unsigned line = 0;
        if (sscanf(errors[i], "%*[^(](%d) on line %u", &code, &line) != 2)
            continue;
        if (code == ERR_DUPKEY || code == ERR_DUPKEYSEC || code == ERR_DUPSECTION)
            continue; /* drop_doubles and check_heads tell them better */
        if (pass == 0) /* later ones follow from what was put aside */
            config_problem_add(r->problems, "%s:%u: %s", r->file, line, words_of(code));
        put_aside(r, line, code == ERR_NOCLOSESEC || code == ERR_NOSECTION || code == ERR_SECTIONLONG);
    }
    ini_config_free_errors(errors);
}

/* libini refuses a whole file, without a line, when a name has one of these. */
static bool is_odd(const char *name, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (name[i] == '!' || ((unsigned char)name[i] < 0x20 && name[i] != '\t') || (unsigned char)name[i] >= 0x7F)
            return true;
    return false;
}

static bool has_odd_name(const char *p, size_t n)
{
    const char *equals = n == 0 ? NULL : memchr(p, '=', n);
    if (n == 0 || *p == ' ' || *p == '\t' || *p == ';' || *p == '#' || (*p != '[' && equals == NULL))
        return false;
    if (*p == '[' && p[n - 1] == '\r') /* of a line's end */
        n--;
    return is_odd(p, *p == '[' ? n : (size_t)(equals - p));
}

static void check_names(struct reader *r)
{
    unsigned line = 1;
    for (size_t at = 0; at < r->text.n; line++) {
        const char *p = (const char *)r->text.p + at;
        if (has_odd_name(p, line_length(&r->text, p))) {
            config_problem_add(r->problems, "%s:%u: a name has only ASCII letters, digits, dots, underscores and the like", r->file,
                               line);
            put_aside(r, line, *p == '[');
        }
        at += line_length(&r->text, (const char *)r->text.p + at) + 1;
    }
}

/* A section that stands twice is most often a half-done copy: which of two values is meant, nobody can say. */
static void check_heads(struct reader *r)
{
    const char *end = (const char *)r->text.p + r->text.n, *name = NULL, *other = NULL;
    unsigned line = 1;
    for (const char *p = (const char *)r->text.p; p < end; p += line_length(&r->text, p) + 1, line++) {
        size_t n = head_name(p, line_length(&r->text, p), &name);
        unsigned first = 1;
        for (const char *q = (const char *)r->text.p; n > 0 && q < p; q += line_length(&r->text, q) + 1, first++)
            if (head_name(q, line_length(&r->text, q), &other) == n && strncasecmp(name, other, n) == 0) {
                config_problem_add(r->problems, "%s:%u: [%.*s] stands in line %u already", r->file, line, (int)n, name, first);
                break;
            }
    }
}

static enum rc parse_once(struct reader *r, unsigned pass)
{
    enum rc rc = RC_FATAL;
    struct ini_cfgobj *ini = NULL;
    struct ini_cfgfile *source = NULL;
    if (ini_config_create(&ini) != 0 || ini_config_file_from_mem(r->text.p, (uint32_t)r->text.n, &source) != 0)
        goto out;
    int result = ini_config_parse(source, INI_STOP_ON_NONE, INI_MV1S_DETECT | INI_MV2S_DETECT | INI_MS_DETECT,
                                  INI_PARSE_NO_C_COMMENTS, ini);
    if (result != 0 && result != EIO && result != EEXIST && result != ENOMEM) { /* no line is told; check_names should have found it */
        config_problem_add(r->problems, "%s: the ini library cannot read it: %s", r->file, strerror(result));
        rc = RC_REJECT;
    }
    if (result != 0 && result != EIO && result != EEXIST)
        goto out;
    if (result == EIO)
        take_errors(r, ini, pass);
    rc = result == EIO ? RC_RETRY : take_all(r, ini);
out:
    ini_config_file_destroy(source);
    ini_config_destroy(ini);
    return rc;
}

static int by_line(const void *a, const void *b)
{
    const struct config_line *x = a, *y = b;
    return x->line != y->line ? (x->line < y->line ? -1 : 1) : (x->key != NULL) - (y->key != NULL);
}

/* The first of a key's lines counts; further ones are problems and go. */
static void drop_doubles(struct reader *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->n; i++) {
        const struct config_line *l = &r->lines[i];
        size_t j = 0;
        while (j < kept && (l->key == NULL || r->lines[j].key == NULL || strcasecmp(l->section, r->lines[j].section) != 0 ||
                            strcasecmp(l->key, r->lines[j].key) != 0))
            j++;
        if (j == kept)
            r->lines[kept++] = *l;
        else
            config_problem_add(r->problems, "%s:%u: %s.%s: given twice, first in line %u", r->file, l->line, l->section, l->key,
                               r->lines[j].line);
    }
    r->n = kept;
}

/* Reads the file into r->text; RC_REJECT: it cannot be read or is no text. */
static enum rc read_text(struct reader *r)
{
    struct stat status = {0};
    struct err e = {0};
    enum rc rc = slurp_file(r->file, CONFIG_FILE_MAX - HEAD_ROOM, &r->text, &status, &e);
    if (rc != RC_OK) {
        config_problem_add(r->problems, "%s", e.text);
        return rc;
    }
    if (r->text.n == 0) /* nothing in it is still a text, which begins somewhere */
        return buf_reserve(&r->text, 1) ? RC_OK : RC_FATAL;
    size_t at = utf8_check(r->text.p, r->text.n);
    const unsigned char *zero = memchr(r->text.p, '\0', at);
    if (zero != NULL || at < r->text.n) {
        const char *what = zero != NULL ? "holds a zero byte" : "not valid UTF-8";
        unsigned line = 1;
        for (size_t i = 0; i < (zero != NULL ? (size_t)(zero - r->text.p) : at); i++)
            line += r->text.p[i] == '\n';
        config_problem_add(r->problems, "%s:%u: %s", r->file, line, what);
        return RC_REJECT;
    }
    if (r->text.n >= 3 && memcmp(r->text.p, "\xEF\xBB\xBF", 3) == 0) { /* a byte order mark says nothing here */
        r->text.n -= 3;
        memmove(r->text.p, r->text.p + 3, r->text.n);
    }
    return RC_OK;
}

static bool has_lines(const struct buf *text)
{
    for (size_t i = 0; i < text->n; i++)
        if (text->p[i] != '\n' && !is_blank((const char *)text->p + i, 1))
            return true;
    return false; /* libini calls an empty file an error */
}

enum rc config_file_read(const char *file, struct arena *a, struct config_line **out, size_t *n, struct config_problems *problems)
{
    struct reader r = {.file = file, .problems = problems, .arena = a};
    buf_init(&r.text, CONFIG_FILE_MAX);
    enum rc rc = read_text(&r);
    if (rc != RC_OK)
        goto out;
    check_before_sections(&r);
    check_names(&r);
    check_heads(&r);
    for (unsigned pass = 0; pass < PASSES && has_lines(&r.text); pass++) {
        r.n = 0;
        rc = parse_once(&r, pass);
        if (rc != RC_RETRY || buf_failed(&r.text))
            break;
    }
    if (rc == RC_RETRY)
        rc = RC_REJECT; /* its problems are told; the rest of the file cannot be */
    if (rc != RC_OK)
        goto out;
    if (r.n > 0)
        qsort(r.lines, r.n, sizeof *r.lines, by_line);
    drop_doubles(&r);
    *out = r.lines;
    *n = r.n;
out:
    buf_release(&r.text);
    return rc;
}
