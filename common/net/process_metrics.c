#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/net/metrics_parts.h"

/* Both numbers of /proc/self/statm that count. */
static void read_pages(long long *virtual, long long *resident)
{
    char text[128];
    *virtual = *resident = 0;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t n = read(fd, text, sizeof text - 1);
    (void)close(fd); /* only read from */
    text[n > 0 ? n : 0] = '\0';
    if (sscanf(text, "%lld %lld", virtual, resident) != 2)
        *virtual = *resident = 0;
}

double process_resident_bytes(void)
{
    long long virtual, resident;
    read_pages(&virtual, &resident);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

double process_virtual_bytes(void)
{
    long long virtual, resident;
    read_pages(&virtual, &resident);
    return (double)virtual * (double)sysconf(_SC_PAGESIZE);
}

double process_open_descriptors(void)
{
    double n = 0;
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL)
        return 0;
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
        n += entry->d_name[0] != '.';
    (void)closedir(dir); /* only read from */
    return n - 1;        /* the directory's own */
}

double process_max_descriptors(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY ? (double)limit.rlim_cur : 0;
}

double process_cpu_seconds(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
           ((double)usage.ru_utime.tv_usec + (double)usage.ru_stime.tv_usec) / 1e6;
}
