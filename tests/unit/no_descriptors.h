/* A process that may open no more files. */
#ifndef BRIDGE_TESTS_NO_DESCRIPTORS_H
#define BRIDGE_TESTS_NO_DESCRIPTORS_H

#include <sys/resource.h>
#include <unistd.h>

enum { NO_DESCRIPTORS_LIMIT = 64 };

struct no_descriptors {
    struct rlimit before;
    int taken[NO_DESCRIPTORS_LIMIT];
    size_t n;
};

/* Takes all that are left. */
static void no_descriptors_begin(struct no_descriptors *d)
{
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &d->before), 0);
    struct rlimit low = d->before;
    low.rlim_cur = NO_DESCRIPTORS_LIMIT;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    d->n = 0;
    while (d->n < NO_DESCRIPTORS_LIMIT && (d->taken[d->n] = dup(0)) >= 0)
        d->n++;
    assert_in_range(d->n, 1, NO_DESCRIPTORS_LIMIT - 1);
}

static void no_descriptors_end(struct no_descriptors *d)
{
    while (d->n > 0)
        (void)close(d->taken[--d->n]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &d->before), 0);
}

#endif
