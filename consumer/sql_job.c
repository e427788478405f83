#include "consumer/sql_job.h"

#include <stdlib.h>

#include <utlist.h>

struct sql_job *sql_job_create(enum sql_work what)
{
    struct sql_job *j = calloc(1, sizeof *j);
    if (j == NULL)
        return NULL;
    j->what = what;
    atomic_init(&j->refs, 1);
    return j;
}

void sql_job_unref(struct sql_job *j)
{
    if (j == NULL || atomic_fetch_sub(&j->refs, 1) > 1)
        return;
    sql_values_release(&j->values);
    free(j->connection);
    free(j);
}

void sql_jobs_put(struct sql_jobs *list, struct sql_job *j)
{
    DL_APPEND(list->first, j);
    list->n++;
}

void sql_jobs_remove(struct sql_jobs *list, struct sql_job *j)
{
    DL_DELETE(list->first, j);
    list->n--;
}

struct sql_job *sql_jobs_take(struct sql_jobs *list)
{
    struct sql_job *j = list->first;
    if (j != NULL)
        sql_jobs_remove(list, j);
    return j;
}
