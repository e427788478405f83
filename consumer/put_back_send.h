/* Puts the chosen orders back, a bounded number at a time: reads them again where they stand, makes the copies, asks the list once more just before each goes out (a
 * newer publication may have come meanwhile), and hands them to Kafka not faster than was allowed. Ended in the middle, nothing has to be undone: what was
 * acknowledged is the newest publication of its order, so the next run leaves it. Thread rule: the loop's thread. */
#ifndef BRIDGE_CONSUMER_PUT_BACK_SEND_H
#define BRIDGE_CONSUMER_PUT_BACK_SEND_H

#include "consumer/put_back.h"

enum { PUT_BACK_CHUNK = 1000, PUT_BACK_CHUNK_BYTES = 32 * 1024 * 1024, PUT_BACK_IN_AIR = 500 };

struct put_back_send;

struct put_back_send_ops {
    void (*done)(void *arg);                      /* once: all are settled, or, after put_back_send_stop, what was out is */
    void (*failed)(void *arg, const char *words); /* once, instead */
};

/* list: planned; borrowed. rate: orders a second, >= 1. RC_FATAL: configuration or memory. */
enum rc put_back_send_create(struct program *p, struct put_back *list, int64_t rate, const struct put_back_send_ops *ops, void *arg, struct put_back_send **out,
                             struct err *e);
/* Nothing new goes out; done follows when the broker has acknowledged what is out. */
void put_back_send_stop(struct put_back_send *s);
/* Orders of the list that are settled: acknowledged, failed or left. */
size_t put_back_send_settled(const struct put_back_send *s);
/* Not from inside an op. NULL is a no-op. */
void put_back_send_destroy(struct put_back_send *s);

#endif
