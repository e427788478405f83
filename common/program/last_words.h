/* What a process says at its last: when a library aborts it (librdkafka does so when it gets no memory or no thread, with nothing but a line of its own source), and when
 * the service manager's watchdog does. */
#ifndef BRIDGE_PROGRAM_LAST_WORDS_H
#define BRIDGE_PROGRAM_LAST_WORDS_H

#include "common/base/err.h"

/* From here on SIGABRT, its own or one that is sent, writes a line to standard error that says what to do, and then ends the process by that signal as without it.
 * RC_FATAL with words. */
enum rc last_words_prepare(struct err *e);

#endif
