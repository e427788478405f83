/* What a connection of the sql sink has to do for one try, and how it ended; and a list of such. Thread rule: one thread at a time, but for sql_job_unref. */
#ifndef BRIDGE_CONSUMER_SQL_JOB_H
#define BRIDGE_CONSUMER_SQL_JOB_H

#include <stdatomic.h>

#include "consumer/erp_sink.h"
#include "consumer/sql_session.h"

enum sql_work { SQL_LOAD, SQL_WITHDRAW, SQL_LOOK }; /* the first two: places of the statements */

struct sql_job { /* one try, or a look */
    struct sql_job *prev, *next;
    enum sql_work what;
    struct sql_values values;
    erp_done_fn *done; /* the owner's */
    void *arg;
    struct sql_end end;
    char *connection; /* the one that it failed with; NULL: it did not fail, or did not begin */
    atomic_int refs;  /* the owner's and the thread's */
};

/* NULL: out of memory. */
struct sql_job *sql_job_create(enum sql_work what);
void sql_job_unref(struct sql_job *j); /* NULL is a no-op */

struct sql_jobs { /* in their order; zeroed: none */
    struct sql_job *first;
    size_t n;
};

void sql_jobs_put(struct sql_jobs *list, struct sql_job *j); /* last */
void sql_jobs_remove(struct sql_jobs *list, struct sql_job *j);
struct sql_job *sql_jobs_take(struct sql_jobs *list); /* the first; NULL: there is none */

#endif
