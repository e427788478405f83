/* What of one partition is finished. Records are taken in rising order and finished in any; the position to commit is the lowest that is not
 * finished, and what is finished above it travels in the commit's metadata, so that a restart does not load it again.
 *
 * In memory only the unfinished offsets are kept (everything else below `next` is finished or does not exist), so an old record
 * that waits for hours costs nothing however much is finished above it.
 *
 * Metadata, version 1, at most OFFSET_METADATA bytes of ASCII, empty when nothing is finished above the position:
 *     "x1:" position ":" run*
 * position: decimal, the committed position that it belongs to; metadata beside another position (somebody reset the group) is ignored.
 * run: lengths of alternately unfinished and finished stretches from the position on, the last one finished. Each length is >= 1,
 * written in digits of A-Z a-z 0-9 - _ (0..63), low digit first: 5 bits of value and 32 when more digits follow.
 * Pure; thread rule: one owner. */
#ifndef BRIDGE_CONSUMER_OFFSET_TRACK_H
#define BRIDGE_CONSUMER_OFFSET_TRACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OFFSET_METADATA = 4000 };

struct offset_track;

/* NULL: out of memory. Knows no position yet. */
struct offset_track *offset_track_create(void);
void offset_track_destroy(struct offset_track *t);

/* Starts at a committed position (>= 0) with its metadata, zero-terminated. false: the metadata was not understood, or belongs to another
 * position, and was ignored; the position holds all the same. Only before the first take. */
bool offset_track_restore(struct offset_track *t, int64_t position, const char *metadata);

enum offset_take {
    OFFSET_NEW,    /* in hand now: finish it later */
    OFFSET_DONE,   /* finished before a restart: pass it over */
    OFFSET_OLD,    /* not above the last one taken: it is in hand or finished already: pass it over */
    OFFSET_NO_ROOM /* out of memory; not taken */
};
enum offset_take offset_track_take(struct offset_track *t, int64_t offset);
/* Takes and finishes at once (a record that is not ours). An offset that is not above the last one taken changes nothing. */
void offset_track_pass(struct offset_track *t, int64_t offset);
/* Finishes one that was taken. false: it is not in hand. */
bool offset_track_finish(struct offset_track *t, int64_t offset);

/* The lowest position not finished: what to commit. -1: nothing known yet. */
int64_t offset_track_position(const struct offset_track *t);
/* Writes the metadata that belongs to that position. When it would not fit, what is finished highest is left out (and loaded again after a crash). */
void offset_track_metadata(const struct offset_track *t, char out[OFFSET_METADATA + 1]);
/* Offsets in hand. */
size_t offset_track_open(const struct offset_track *t);
/* One more than the highest taken; -1: none. */
int64_t offset_track_next(const struct offset_track *t);
/* Whatever is finished next, in whatever order, the metadata might not fit any more: take no more until offset_track_roomy. */
bool offset_track_full(const struct offset_track *t);
bool offset_track_roomy(const struct offset_track *t);

#endif
