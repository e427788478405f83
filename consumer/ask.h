/* A question to the person at the terminal before something is changed. Thread rule: the loop's thread. */
#ifndef BRIDGE_CONSUMER_ASK_H
#define BRIDGE_CONSUMER_ASK_H

#include <stdbool.h>

#include "common/net/loop.h"

struct ask {
    struct loop *loop;
    struct loop_watch watch;
    char line[64];
    size_t n;
    bool open;
    void (*answered)(void *arg, bool yes);
    void *arg;
};

/* Is there somebody to answer? Standard input and standard error are a terminal. */
bool ask_possible(void);
/* Zeroed before. Writes the words and " [y/N] " to standard error; answered once, never from inside; everything but y or yes is no, the end of the input too. */
void ask_begin(struct ask *a, struct loop *l, const char *words, void (*answered)(void *arg, bool yes), void *arg);
void ask_release(struct ask *a); /* nothing is asked: nothing happens */

#endif
