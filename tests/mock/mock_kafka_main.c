/* mock-kafka: hosts librdkafka's mock cluster for other processes.
 *   mock-kafka [--topics NAME:PARTITIONS,...] [--port-file FILE] [--stdin]
 * Prints "bootstrap.servers=127.0.0.1:PORT" as its first line and runs until SIGTERM or SIGINT (with --stdin also until its input ends).
 * Commands on standard input (with --stdin), one a line, each answered with "ok" or "error": down, up, rtt MILLISECONDS,
 * error APIKEY CODE COUNT, topic NAME:PARTITIONS. SIGUSR1: down; SIGUSR2: up. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "tests/mock/mock_cluster.h"

struct options {
    const char *topics;
    const char *port_file;
    bool commands;
};

/* The whole text as a number within bounds. */
static bool number(const char *text, long low, long high, int *out)
{
    char *end = NULL;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || n < low || n > high)
        return false;
    *out = (int)n;
    return true;
}

static bool add_topic(struct mock_cluster *m, const char *text, size_t n)
{
    char name[250];
    int partitions = 0;
    if (n == 0 || n >= sizeof name)
        return false;
    memcpy(name, text, n);
    name[n] = '\0';
    char *colon = strrchr(name, ':');
    if (colon == NULL || !number(colon + 1, 1, 1000, &partitions))
        return false;
    *colon = '\0';
    return mock_cluster_topic(m, name, partitions);
}

static bool add_topics(struct mock_cluster *m, const char *list)
{
    while (*list != '\0') {
        size_t n = strcspn(list, ",");
        if (!add_topic(m, list, n))
            return false;
        list += n;
        list += *list == ',';
    }
    return true;
}

static bool command(struct mock_cluster *m, char *line)
{
    char *save = NULL;
    const char *word = strtok_r(line, " ", &save);
    int a = 0, b = 0, c = 0;
    if (word == NULL)
        return false;
    if (strcmp(word, "down") == 0)
        return mock_cluster_down(m);
    if (strcmp(word, "up") == 0)
        return mock_cluster_up(m);
    const char *one = strtok_r(NULL, " ", &save), *two = strtok_r(NULL, " ", &save), *three = strtok_r(NULL, " ", &save);
    if (one == NULL)
        return false;
    if (strcmp(word, "rtt") == 0)
        return number(one, 0, 60000, &a) && mock_cluster_rtt(m, a);
    if (strcmp(word, "topic") == 0)
        return add_topic(m, one, strlen(one));
    if (strcmp(word, "error") == 0 && two != NULL && three != NULL)
        return number(one, 0, 100, &a) && number(two, -200, 200, &b) && number(three, 1, 16, &c) &&
               mock_cluster_errors(m, a, (rd_kafka_resp_err_t)b, c);
    return false;
}

static bool options_read(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--stdin") == 0)
            o->commands = true;
        else if (strcmp(argv[i], "--topics") == 0 && i + 1 < argc)
            o->topics = argv[++i];
        else if (strcmp(argv[i], "--port-file") == 0 && i + 1 < argc)
            o->port_file = argv[++i];
        else
            return false;
    }
    return true;
}

/* Written beside and renamed, so a reader never sees half a line. */
static bool port_file_write(const char *path, const char *servers)
{
    char beside[4096];
    const char *colon = strrchr(servers, ':');
    int n = snprintf(beside, sizeof beside, "%s.part", path);
    if (colon == NULL || n < 0 || (size_t)n >= sizeof beside)
        return false;
    FILE *f = fopen(beside, "w");
    if (f == NULL)
        return false;
    bool ok = fprintf(f, "%s\n", colon + 1) > 0;
    return fclose(f) == 0 && ok && rename(beside, path) == 0;
}

static int signals_open(void)
{
    sigset_t set;
    if (sigemptyset(&set) != 0 || sigaddset(&set, SIGTERM) != 0 || sigaddset(&set, SIGINT) != 0 || sigaddset(&set, SIGUSR1) != 0 ||
        sigaddset(&set, SIGUSR2) != 0 || sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return -1;
    return signalfd(-1, &set, SFD_CLOEXEC);
}

/* false: time to end. */
static bool on_signal(struct mock_cluster *m, int fd)
{
    struct signalfd_siginfo s;
    if (read(fd, &s, sizeof s) != (ssize_t)sizeof s)
        return false;
    if (s.ssi_signo == SIGUSR1)
        return mock_cluster_down(m);
    if (s.ssi_signo == SIGUSR2)
        return mock_cluster_up(m);
    return false;
}

struct input {
    char text[1024];
    size_t n;
};

/* false: the input ended. */
static bool on_input(struct mock_cluster *m, struct input *in)
{
    ssize_t got = read(STDIN_FILENO, in->text + in->n, sizeof in->text - in->n);
    if (got <= 0)
        return false;
    in->n += (size_t)got;
    char *end;
    while ((end = memchr(in->text, '\n', in->n)) != NULL) {
        size_t line = (size_t)(end - in->text) + 1;
        *end = '\0';
        if (printf("%s\n", command(m, in->text) ? "ok" : "error") < 0 || fflush(stdout) != 0)
            return false;
        memmove(in->text, in->text + line, in->n - line);
        in->n -= line;
    }
    return in->n < sizeof in->text;
}

static void serve(struct mock_cluster *m, int signals, bool commands)
{
    struct input in = {.n = 0};
    struct pollfd fds[2] = {{.fd = signals, .events = POLLIN}, {.fd = commands ? STDIN_FILENO : -1, .events = POLLIN}};
    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return;
        if ((fds[0].revents & POLLIN) != 0 && !on_signal(m, signals))
            return;
        if (fds[1].revents != 0 && !on_input(m, &in))
            return;
    }
}

int main(int argc, char **argv)
{
    struct options o = {"", NULL, false};
    char text[512] = "out of memory";
    if (!options_read(argc, argv, &o)) {
        (void)fprintf(stderr, "usage: mock-kafka [--topics NAME:PARTITIONS,...] [--port-file FILE] [--stdin]\n");
        return 2;
    }
    int code = 1;
    int signals = signals_open(); /* before librdkafka's threads exist */
    struct mock_cluster *m = mock_cluster_create(text, sizeof text);
    if (signals < 0 || m == NULL) {
        (void)fprintf(stderr, "mock-kafka: %s\n", text);
        goto out;
    }
    if (!add_topics(m, o.topics)) {
        (void)fprintf(stderr, "mock-kafka: --topics %s: wrong or twice\n", o.topics);
        code = 2;
        goto out;
    }
    if (printf("bootstrap.servers=%s\n", mock_cluster_servers(m)) < 0 || fflush(stdout) != 0 ||
        (o.port_file != NULL && !port_file_write(o.port_file, mock_cluster_servers(m)))) {
        (void)fprintf(stderr, "mock-kafka: cannot say where it listens\n");
        goto out;
    }
    serve(m, signals, o.commands);
    code = 0;
out:
    mock_cluster_destroy(m);
    if (signals >= 0)
        (void)close(signals);
    return code;
}
