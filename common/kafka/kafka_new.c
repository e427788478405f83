#include "common/kafka/kafka_new.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

enum { TICK_S = 5 };

/* A thread that looks on could not be had either when it is needed; an interval timer needs nothing. The process has one, so has this. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint inside; /* calls that have not come back; changed under the lock */
static atomic_int ticks;

/* A signal's tick that comes due while the process is stopped is one, however long that takes. It may come after the call that it was for. Async-signal-safe calls only. */
static void tick(int signo)
{
    static const char words[] = "librdkafka does not come back from making a client to Kafka\n";
    (void)signo;
    if (atomic_load(&inside) == 0 || (atomic_fetch_add(&ticks, 1) + 1) * TICK_S < KAFKA_NEW_S)
        return;
    (void)!write(STDERR_FILENO, words, sizeof words - 1); /* nothing else can be done */
    abort();
}

static void tick_every(time_t s)
{
    struct itimerval every = {.it_interval.tv_sec = s, .it_value.tv_sec = s};
    (void)setitimer(ITIMER_REAL, &every, NULL); /* fails for wrong values only */
}

static void enter(void)
{
    struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART};
    (void)pthread_mutex_lock(&lock);
    if (atomic_fetch_add(&inside, 1) == 0) {
        atomic_store(&ticks, 0);
        if (sigemptyset(&action.sa_mask) == 0 && sigaction(SIGALRM, &action, NULL) == 0)
            tick_every(TICK_S);
    }
    (void)pthread_mutex_unlock(&lock);
}

/* The handler stays: a tick that is still pending would end the process by the signal's default. */
static void leave(void)
{
    (void)pthread_mutex_lock(&lock);
    if (atomic_fetch_sub(&inside, 1) == 1)
        tick_every(0);
    (void)pthread_mutex_unlock(&lock);
}

rd_kafka_t *kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, char *words, size_t room)
{
    enter();
    rd_kafka_t *rk = rd_kafka_new(type, conf, words, room);
    leave();
    return rk;
}
