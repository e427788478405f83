/* What a function tells its caller: a code that says what to do next, and words that say why.
 * Words are set where the fault is seen, prefixed on the way up and logged once by whoever decides. They never
 * hold a secret, a token or personal data. Thread rule: plain values, no shared state. */
#ifndef BRIDGE_BASE_ERR_H
#define BRIDGE_BASE_ERR_H

enum rc {
    RC_OK,     /* go on */
    RC_RETRY,  /* not now: the same call may work later */
    RC_REJECT, /* this record (or input) never */
    RC_FATAL   /* stop: out of memory, a wrong configuration, a broken invariant */
};

struct err {
    char text[512]; /* always terminated, always UTF-8: longer words are cut at a character, what is none becomes a '?' */
};

/* Sets the words; e may be NULL (the caller does not care). */
void err_set(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts words in front of what e says: "page 3: order 100123: /Items: ...". */
void err_prefix(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
