/* Preloaded into a program under test: the wall clock that the program itself reads (clock_gettime) is off by what a file says, seconds as eight bytes of this machine;
 * written while it runs, it jumps. The monotonic clock keeps the true time, and so do gettimeofday and timespec_get, which librdkafka gives to its waits: on a
 * machine whose clock was set those waits agree with the clock, but here glibc would wait by the true one, for days or not at all (libfaketime moves them, and the programs
 * hang in it). WRONG_CLOCK=FILE, mapped. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *seconds; /* NULL: the clock is right */

__attribute__((constructor)) static void open_file(void)
{
    const char *path = getenv("WRONG_CLOCK");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *p = fd >= 0 ? mmap(NULL, sizeof *seconds, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (fd >= 0)
        (void)close(fd);
    if (p == MAP_FAILED)
        abort(); /* a test that would test nothing */
    seconds = p;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
    long rc = syscall(SYS_clock_gettime, id, t);
    if (rc == 0 && seconds != NULL && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        t->tv_sec += *seconds;
    return (int)rc;
}
