/* Orders without a usable id, by the hash of their bytes (or others by another number): each is told once while polls keep showing it. At most NAMELESS_MAX are remembered; of more, the
 * further ones are told again with each poll. Pure; thread rule: one owner. */
#ifndef BRIDGE_PRODUCER_NAMELESS_H
#define BRIDGE_PRODUCER_NAMELESS_H

#include <stdint.h>

enum { NAMELESS_MAX = 10000 };

struct nameless;

struct nameless *nameless_create(void); /* NULL: out of memory */
void nameless_destroy(struct nameless *n);

/* A poll begins: those that the one before it did not show are forgotten. Only after complete polls. */
void nameless_poll(struct nameless *n);

/* A poll begins after one that was not complete: nothing is forgotten. */
void nameless_poll_again(struct nameless *n);

enum nameless_seen { NAMELESS_NEWS, NAMELESS_KNOWN, NAMELESS_REPEATED /* in this poll */ };
enum nameless_seen nameless_see(struct nameless *n, uint64_t hash);
/* It was told. */
void nameless_note(struct nameless *n, uint64_t hash);

#endif
