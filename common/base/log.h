/* One line per event on standard error: UTC with milliseconds, level, component, order, text, key=value pairs; or one JSON object
 * a line (log.format). Where standard error is journald's stream, each line begins with its priority, <3> for an error, which journald takes off. A line with the same component, level and text as one in the last 10 s is folded: counted, and the count is
 * written with the next one that gets through (repeated=N). No secret, token or personal data is ever passed in here.
 * Control characters in values are escaped. A pipe that nobody reads does not hold the program up: lines are lost, and their count is written when it is read again (lines=N).
 * Thread rule: the loop's thread only. */
#ifndef BRIDGE_BASE_LOG_H
#define BRIDGE_BASE_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/clock.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log;

struct log_field {
    const char *key;
    const char *text; /* NULL: number counts */
    int64_t number;
};

#define LOG_S(k, v) ((struct log_field){(k), (v) != NULL ? (v) : "", 0})
#define LOG_I(k, v) ((struct log_field){(k), NULL, (int64_t)(v)})

/* fd: where lines go (2; a test gives its own), borrowed. program: first word of a JSON line's "program" field, borrowed.
 * NULL: out of memory. */
struct log *log_create(const char *program, int fd, const struct clock *clock);
void log_destroy(struct log *l); /* flushes */
/* Writes the counts of folded lines that stand out, so that they do not come after a last line. */
void log_flush(struct log *l);
void log_set(struct log *l, enum log_level level, enum log_format format);
int log_enabled(const struct log *l, enum log_level level);

/* order: "<organization>/<orderId>" or NULL. fields: n of them, borrowed. l may be NULL: nothing is written.
 * unfolded: never folded (an outcome, a state change), whatever was written before. */
void log_write(struct log *l, enum log_level level, const char *component, const char *order, const char *text,
               const struct log_field *fields, size_t n);
void log_write_unfolded(struct log *l, enum log_level level, const char *component, const char *order, const char *text,
                        const struct log_field *fields, size_t n);

/* log_event(l, LOG_WARN, "poll", NULL, "page failed", LOG_I("page", 3), LOG_S("why", e.text)); at least one field. */
#define log_event(l, level, component, order, text, ...)                                                               \
    log_write((l), (level), (component), (order), (text), (const struct log_field[]){__VA_ARGS__},                     \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
#define log_fact(l, level, component, order, text, ...)                                                                \
    log_write_unfolded((l), (level), (component), (order), (text), (const struct log_field[]){__VA_ARGS__},            \
                       sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

#endif
