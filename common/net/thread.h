/* Threads beside the loop: they take no signal, since signals are the loop's, and what they wait for is measured by the steady clock.
 * Each returns 0 or errno's number, as pthread_create does. Thread rule: any. */
#ifndef BRIDGE_NET_THREAD_H
#define BRIDGE_NET_THREAD_H

#include <pthread.h>

/* attributes: NULL: the usual ones. */
int thread_start(pthread_t *out, const pthread_attr_t *attributes, void *(*run)(void *arg), void *arg);
/* For pthread_cond_timedwait until a moment of CLOCK_MONOTONIC; pthread_cond_destroy ends it. */
int thread_cond_init(pthread_cond_t *cond);

#endif
