/* rd_kafka_new, bounded. librdkafka (2.0.2 and 2.13 tried) that gets a thread for a broker and then none for itself takes the first one back and waits for its end, for ever.
 * A call that has not come back after KAFKA_NEW_S ends the process by SIGABRT, with a line that says so: whoever started it starts it again. What librdkafka
 * does in that call takes milliseconds and asks nobody. Time in which the process stands still (SIGSTOP, a machine asleep) does not count.
 * It is no bound on the stretch in which librdkafka keeps all signals from
 * the calling thread, where that is the only one that takes them.
 * Thread rule: any; SIGALRM must not be blocked in all of them, and is nobody else's. */
#ifndef BRIDGE_KAFKA_KAFKA_NEW_H
#define BRIDGE_KAFKA_KAFKA_NEW_H

#include <librdkafka/rdkafka.h>

enum { KAFKA_NEW_S = 20 };

/* As rd_kafka_new. */
rd_kafka_t *kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, char *words, size_t room);

#endif
