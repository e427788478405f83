/* Whether enough is known of what stands behind the loads in hand for loading to begin: after an assignment (a start, a rewind) everything that waits
 * is in hand, or was looked at ahead; likewise after a pause of the ERP. In between the look-ahead runs only while the intake stands, that is while more
 * waits than is held in memory; what is in hand supersedes by itself (lanes.h).
 *
 * An outlook that cannot be had holds nobody up: without progress for OUTLOOK_PATIENCE_MS loading begins without it; with
 * progress too after OUTLOOK_LONGEST_MS: what moves may be other partitions than the one that never comes to its end.
 * Thread rule: the loop's thread. */
#ifndef BRIDGE_CONSUMER_OUTLOOK_H
#define BRIDGE_CONSUMER_OUTLOOK_H

#include "consumer/assignment.h"
#include "consumer/loading.h"
#include "consumer/lookahead.h"

enum { OUTLOOK_PATIENCE_MS = 10000, OUTLOOK_LONGEST_MS = 300000 };

struct outlook;

/* env: its known and arg are not used. mine and loading: borrowed; loading may be set later (outlook_of). ready(arg): loading may begin; on the loop.
 * NULL: out of memory. */
struct outlook *outlook_create(const struct lookahead_env *env, const struct assignment *mine, loop_fn *ready, void *arg);
void outlook_of(struct outlook *o, const struct loading *loading);
void outlook_destroy(struct outlook *o); /* NULL is a no-op */

/* Partitions came. */
void outlook_assigned(struct outlook *o);
/* Partitions went. */
void outlook_revoked(struct outlook *o);
/* The ERP answers after a pause. */
void outlook_reopened(struct outlook *o);
/* The intake moved, stands, goes on, or reached an end; and once a second. */
void outlook_look(struct outlook *o);

/* Should loading wait? */
bool outlook_waits(const struct outlook *o);
/* As lookahead_outdated. */
bool outlook_outdated(const struct outlook *o, const void *key, size_t key_n, const char *warehouse, int64_t publication);

#endif
