#include "common/net/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

int thread_start(pthread_t *out, const pthread_attr_t *attributes, void *(*run)(void *arg), void *arg)
{
    sigset_t all, before;
    if (sigfillset(&all) != 0)
        return EINVAL;
    int code = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (code != 0)
        return code;
    code = pthread_create(out, attributes, run, arg);
    if (pthread_sigmask(SIG_SETMASK, &before, NULL) != 0) /* cannot be: `before` came from the same call */
        abort();
    return code;
}

int thread_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t steady;
    int code = pthread_condattr_init(&steady);
    if (code != 0)
        return code;
    code = pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    if (code == 0)
        code = pthread_cond_init(cond, &steady);
    (void)pthread_condattr_destroy(&steady);
    return code;
}
