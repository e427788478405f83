/* Preloaded into a program under test: librdkafka gets no thread when it asks for its NO_THREAD-th one, and all others. That it asked for so many is said on standard error. */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <threads.h>
#include <unistd.h>

static int which;
static atomic_int asked;
static int (*real)(thrd_t *thread, thrd_start_t run, void *arg);

__attribute__((constructor)) static void prepare(void)
{
    const char *number = getenv("NO_THREAD");
    void *found = dlsym(RTLD_NEXT, "thrd_create");
    which = number != NULL ? atoi(number) : 0;
    if (which < 1 || found == NULL)
        abort(); /* a test that would test nothing */
    *(void **)&real = found;
}

int thrd_create(thrd_t *thread, thrd_start_t run, void *arg)
{
    static const char words[] = "no thread this time\n";
    if (atomic_fetch_add(&asked, 1) + 1 != which)
        return real(thread, run, arg);
    (void)!write(STDERR_FILENO, words, sizeof words - 1); /* the test misses it */
    return thrd_nomem;
}
