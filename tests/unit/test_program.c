#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/program/program.h"

/* Each test runs a small program in a child process, as main would, and looks at its exit code and words. */

static void check(const struct config *c, struct config_problems *problems)
{
    if (strcmp(config_text(c, "topics.prefix"), "bad") == 0)
        config_problem(c, problems, "topics.prefix", "must not be bad");
}

static enum rc start(struct program *p, void **state, struct err *e)
{
    *state = p;
    if (strcmp(config_text(program_config(p), "topics.prefix"), "refused") == 0) {
        err_set(e, "refused at start");
        return RC_REJECT;
    }
    for (int i = 0; i < 3; i++)
        log_event(program_log(p), LOG_WARN, "tester", NULL, "again and again", LOG_I("i", i));
    if (program_option_value(p, "--once") != NULL)
        program_finish(p, 0, NULL);
    if (program_option_value(p, "--fail") != NULL)
        program_finish(p, 1, program_option_value(p, "--fail"));
    return RC_OK;
}

static void stop(void *state)
{
    if (program_option_value(state, "--hang") == NULL)
        program_finish(state, 0, NULL);
}

static void release(void *state)
{
    (void)state;
}

static void reload(void *state);

static const struct program_option options[] = {
    {"--once", NULL, "Ends at once."}, {"--hang", NULL, "Never drains."}, {"--fail", "WORDS", "Fails."}};
static const struct program_desc desc = {
    .name = "tester",
    .summary = "tests",
    .description = "First paragraph - it has a hyphen.\n\n.Second paragraph.",
    .config_bit = CONFIG_CONSUMER,
    .port_key = "http.consumer_port",
    .options = options,
    .options_n = 3,
    .check = check,
    .start = start,
    .stop = stop,
    .reload = reload,
    .release = release,
};

static enum rc start_count(struct program *p, void **state, struct err *e)
{
    (void)e;
    *state = p;
    for (size_t i = 0; i < program_arguments(p); i++)
        (void)printf("%zu:%s\n", i, program_argument(p, i));
    (void)printf("deep:%s\n", program_option_value(p, "--deep") != NULL ? program_option_value(p, "--deep") : "not");
    (void)fflush(stdout);
    program_finish(p, 3, NULL);
    return RC_OK;
}

static const struct program_option count_options[] = {{"--deep", "N", "How deep."}};
static const struct program_command commands[] = {
    {.name = "rest", .summary = "does nothing", .description = "Nothing.", .start = start, .stop = stop, .release = release},
    {.name = "count", .arguments = "WORD [WORD]", .arguments_min = 1, .arguments_max = 2, .summary = "counts words", .description = "Counts.",
     .options = count_options, .options_n = 1, .start = start_count, .stop = stop, .release = release},
};
static const struct program_desc toolbox = {
    .name = "toolbox", .summary = "has tools", .description = "Tools.", .config_bit = CONFIG_CONSUMER, .commands = commands, .commands_n = 2};

#define LEAST "-X", "kafka.bootstrap.servers=h:1", "-X", "registry.url=http://h", "-X", "http.consumer_port=0"

struct child {
    pid_t pid;
    int out; /* both streams */
    char text[64 * 1024];
    size_t n;
};

static void launch_program(struct child *c, const struct program_desc *d, const char *const *arguments)
{
    int ends[2];
    char *argv[32] = {(char *)(uintptr_t)"tester"};
    int argc = 1;
    while (arguments[argc - 1] != NULL) {
        argv[argc] = (char *)(uintptr_t)arguments[argc - 1];
        argc++;
    }
    *c = (struct child){0};
    assert_int_equal(pipe(ends), 0);
    c->pid = fork();
    assert_true(c->pid >= 0);
    if (c->pid == 0) {
        if (dup2(ends[1], 1) < 0 || dup2(ends[1], 2) < 0)
            _exit(99);
        (void)alarm(120);
        for (int i = 0; i < argc; i++)
            argv[i] = strdup(argv[i]); /* the program wipes what is secret */
        _exit(program_main(d, argc, argv));
    }
    assert_int_equal(close(ends[1]), 0);
    c->out = ends[0];
}

static void launch(struct child *c, const char *const *arguments)
{
    launch_program(c, &desc, arguments);
}

/* Reads until the words appear or, for NULL, to the end. */
static void await(struct child *c, const char *words)
{
    while (words == NULL || strstr(c->text, words) == NULL) {
        ssize_t n = read(c->out, c->text + c->n, sizeof c->text - 1 - c->n);
        if (n <= 0 && words != NULL)
            fail_msg("no \"%s\" in:\n%s", words, c->text);
        if (n <= 0)
            return;
        c->n += (size_t)n;
    }
}

static int end(struct child *c)
{
    int status = 0;
    await(c, NULL);
    assert_int_equal(close(c->out), 0);
    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define RUN(c, ...) (launch((c), (const char *const[]){__VA_ARGS__, NULL}), end(c))
#define RUN_TOOL(c, ...) (launch_program((c), &toolbox, (const char *const[]){__VA_ARGS__, NULL}), end(c))

static void wrong_usage_ends_with_2(void **state)
{
    (void)state;
    struct child c;
    assert_int_equal(RUN(&c, "--nce"), 2);
    assert_string_equal(c.text, "tester: no such option: --nce\nSee tester --help.\n");
    assert_int_equal(RUN(&c, "--once=1"), 2);
    assert_int_equal(RUN(&c, "-c"), 2);
    assert_int_equal(RUN(&c, "-c", "a", "-cb"), 2);
    assert_int_equal(RUN(&c, "word"), 2);
    assert_non_null(strstr(c.text, "takes no arguments: word"));
}

static void help_and_version_go_to_standard_output_with_0(void **state)
{
    (void)state;
    struct child c;
    assert_int_equal(RUN(&c, "--help"), 0);
    assert_non_null(strstr(c.text, "Usage: tester"));
    assert_non_null(strstr(c.text, "  --fail WORDS\n        Fails.\n"));
    assert_int_equal(RUN(&c, "--version"), 0);
    assert_string_equal(c.text, "tester " BRIDGE_VERSION "\n");
}

static void a_configuration_is_checked_whole_and_printed(void **state)
{
    (void)state;
    struct child c;
    assert_int_equal(RUN(&c, "--check-config", LEAST), 0);
    assert_string_equal(c.text, "configuration ok\n");
    assert_int_equal(RUN(&c, "--check-config", "-Xtopics.prefix=bad", "-Xtopics.create=maybe", LEAST), 2);
    assert_string_equal(c.text, "-X: topics.create: \"maybe\" is neither true nor false\n-X: topics.prefix: must not be bad\n");
    assert_int_equal(RUN(&c, "--once", "-Xtopics.prefix=bad", LEAST), 2);
    assert_int_equal(RUN(&c, "--print-config", LEAST), 0);
    assert_non_null(strstr(c.text, "; -X\nbootstrap.servers = h:1\n"));
    assert_int_equal(RUN(&c, "-c", "/nonexistent/x.ini"), 2);
    assert_string_equal(c.text, "cannot read /nonexistent/x.ini: No such file or directory\n");
}

static void a_program_ends_with_the_code_of_its_work(void **state)
{
    (void)state;
    struct child c;
    assert_int_equal(RUN(&c, "--once", LEAST), 0);
    assert_non_null(strstr(c.text, "info program: started program=tester version=" BRIDGE_VERSION));
    const char *last = strstr(c.text, "info program: ended code=0\n");
    assert_non_null(strstr(c.text, "warn tester: again and again repeated=2\n"));
    assert_non_null(last);
    assert_int_equal(last[strlen("info program: ended code=0\n")], '\0'); /* what was folded is told before */
    assert_int_equal(RUN(&c, "--fail", "no luck", LEAST), 1);
    assert_non_null(strstr(c.text, "error program: cannot go on why=\"no luck\"\n"));
    assert_int_equal(RUN(&c, "-X", "topics.prefix=refused", LEAST), 2);
    assert_non_null(strstr(c.text, "error program: cannot start why=\"refused at start\"\n"));
}

static void the_first_signal_drains_and_the_second_abandons(void **state)
{
    (void)state;
    struct child c;
    launch(&c, (const char *const[]){LEAST, NULL});
    await(&c, "listening");
    assert_int_equal(kill(c.pid, SIGHUP), 0);
    await(&c, "reloaded configuration=read secrets=unchanged");
    assert_int_equal(kill(c.pid, SIGTERM), 0);
    assert_int_equal(end(&c), 0);
    launch(&c, (const char *const[]){"--hang", LEAST, NULL});
    await(&c, "listening");
    assert_int_equal(kill(c.pid, SIGINT), 0);
    await(&c, "stopping");
    assert_int_equal(kill(c.pid, SIGTERM), 0);
    assert_int_equal(end(&c), 1);
    assert_non_null(strstr(c.text, "drain abandoned"));
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void reload(void *state)
{
    log_fact(program_log(state), LOG_ERROR, "test", NULL, "has", LOG_I("drain_ms", config_ms(program_config(state), "consumer.drain_timeout")));
}

#define FILE_LEAST "[kafka]\nbootstrap.servers = h:1\n[registry]\nurl = http://h\n[http]\nconsumer_port = 0\n"

static void a_hangup_takes_over_what_can_change_and_names_the_rest(void **state)
{
    (void)state;
    struct child c;
    char path[] = "/tmp/test_program.XXXXXX";
    assert_true(close(mkstemp(path)) == 0);
    write_file(path, FILE_LEAST);
    launch(&c, (const char *const[]){"-c", path, NULL});
    await(&c, "listening");
    write_file(path, FILE_LEAST "[consumer]\ndrain_timeout = 7s\nqueue_records = 77\n[kafka.consumer]\nfetch.wait.max.ms = 9\n[producer]\nraw = false\n");
    assert_int_equal(kill(c.pid, SIGHUP), 0);
    await(&c, "has drain_ms=7000");
    assert_non_null(strstr(c.text, "info program: setting taken over key=consumer.drain_timeout"));
    assert_non_null(strstr(c.text, "warn program: setting changed, but needs a restart key=consumer.queue_records"));
    assert_non_null(strstr(c.text, "warn program: setting changed, but needs a restart key=kafka.consumer.fetch.wait.max.ms"));
    assert_null(strstr(c.text, "producer.raw")); /* another program's */
    write_file(path, FILE_LEAST "[consumer]\ndrain_timeout = 8s\nconcurrency = many\n");
    c.n = 0;
    memset(c.text, 0, sizeof c.text);
    assert_int_equal(kill(c.pid, SIGHUP), 0);
    await(&c, "has drain_ms=7000"); /* all or nothing */
    assert_non_null(strstr(c.text, "error program: configuration not taken over why="));
    assert_non_null(strstr(c.text, "consumer.concurrency: "));
    write_file(path, FILE_LEAST "[log]\nlevel = error\n");
    assert_int_equal(kill(c.pid, SIGHUP), 0);
    await(&c, "has drain_ms=30000"); /* a key that is there no more has its default */
    c.n = 0;
    memset(c.text, 0, sizeof c.text);
    assert_int_equal(kill(c.pid, SIGTERM), 0);
    assert_int_equal(end(&c), 0);
    assert_null(strstr(c.text, "stopping")); /* the level counts at once */
    assert_int_equal(remove(path), 0);
}

static void help_and_man_page_name_what_a_hangup_takes_over(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 65536);
    program_help(&desc, NULL, &out);
    assert_non_null(strstr(buf_text(&out), "consumer.drain_timeout"));
    assert_null(strstr(buf_text(&out), "producer.poll_interval")); /* another program's */
    buf_reset(&out);
    program_man(&desc, "May 3, 2026", &out);
    assert_non_null(strstr(buf_text(&out), "consumer.drain_timeout"));
    buf_release(&out);
}

static void a_port_in_use_is_a_clear_error(void **state)
{
    (void)state;
    struct child first, second;
    char port[64];
    launch(&first, (const char *const[]){LEAST, NULL});
    await(&first, " port=");
    await(&first, "\n");
    (void)snprintf(port, sizeof port, "http.consumer_port=%ld", strtol(strstr(first.text, " port=") + 6, NULL, 10));
    assert_int_equal(RUN(&second, LEAST, "-X", port), 1);
    assert_non_null(strstr(second.text, "error program: cannot start why="));
    assert_non_null(strstr(second.text, "Address already in use"));
    assert_int_equal(kill(first.pid, SIGTERM), 0);
    assert_int_equal(end(&first), 0);
}

static void the_man_page_escapes_what_roff_would_read(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 65536);
    program_man(&desc, "May 3, 2026", &out);
    const char *text = buf_text(&out);
    assert_non_null(strstr(text, ".Dt TESTER 1\n"));
    assert_non_null(strstr(text, "\n.Pp\n\\&.Second paragraph.\n"));
    assert_non_null(strstr(text, "paragraph \\- it"));
    assert_non_null(strstr(text, "\n.It Fl \\-fail Ar WORDS\nFails.\n"));
    assert_non_null(strstr(text, "\n.It Fl \\&c Ar FILE\n"));
    buf_release(&out);
}

static void a_command_takes_its_own_options_and_arguments(void **state)
{
    (void)state;
    struct child c;
    assert_int_equal(RUN_TOOL(&c, LEAST, "count", "one", "--deep", "7", "two"), 3);
    assert_string_equal(c.text, "0:one\n1:two\ndeep:7\n"); /* and not a line of log */
    assert_int_equal(RUN_TOOL(&c, "count", LEAST, "-X", "log.level=debug", "one"), 3);
    assert_non_null(strstr(c.text, "info program: started"));
}

static void a_command_that_is_not_or_lacks_something_ends_with_2(void **state)
{
    (void)state;
    struct child c;
    assert_int_equal(RUN_TOOL(&c, LEAST), 2);
    assert_string_equal(c.text, "toolbox: needs a command\nSee toolbox --help.\n");
    assert_int_equal(RUN_TOOL(&c, "cuont", LEAST), 2);
    assert_non_null(strstr(c.text, "no such command: cuont"));
    assert_int_equal(RUN_TOOL(&c, "count", LEAST), 2);
    assert_non_null(strstr(c.text, "count needs WORD [WORD]"));
    assert_int_equal(RUN_TOOL(&c, "count", "a", "b", "c"), 2);
    assert_non_null(strstr(c.text, "too many arguments: c"));
    assert_int_equal(RUN_TOOL(&c, "rest", "a"), 2);
    assert_non_null(strstr(c.text, "takes no arguments: a"));
    assert_int_equal(RUN_TOOL(&c, "--deep", "1", "count", "a"), 2);
    assert_non_null(strstr(c.text, "no such option: --deep (a command's options stand behind it)"));
    assert_int_equal(RUN_TOOL(&c, "rest", "--deep", "1"), 2);
}

static void each_command_has_help_and_a_place_in_the_man_page(void **state)
{
    (void)state;
    struct child c;
    assert_int_equal(RUN_TOOL(&c, "--help"), 0);
    assert_non_null(strstr(c.text, "Usage: toolbox COMMAND [options] -c FILE [arguments]\n"));
    assert_non_null(strstr(c.text, "  count WORD [WORD]\n        counts words\n"));
    assert_int_equal(RUN_TOOL(&c, "count", "--help"), 0);
    assert_non_null(strstr(c.text, "Usage: toolbox count [options] -c FILE WORD [WORD]\n"));
    assert_non_null(strstr(c.text, "  --deep N\n        How deep.\n"));
    struct buf out;
    buf_init(&out, 65536);
    program_man(&toolbox, "May 3, 2026", &out);
    assert_non_null(strstr(buf_text(&out), "\n.Ss count\n.Nm toolbox\n.Cm count\n.Op Fl \\-deep Ar \\&N\n.Fl c Ar FILE\n.Ar WORD [WORD]\n"
                                                   ".Pp\nCounts.\n.Bl -tag -width Ds\n.It Fl \\-deep Ar \\&N\nHow deep.\n.El\n"));
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_usage_ends_with_2),
        cmocka_unit_test(help_and_version_go_to_standard_output_with_0),
        cmocka_unit_test(a_configuration_is_checked_whole_and_printed),
        cmocka_unit_test(a_program_ends_with_the_code_of_its_work),
        cmocka_unit_test(the_first_signal_drains_and_the_second_abandons),
        cmocka_unit_test(a_hangup_takes_over_what_can_change_and_names_the_rest),
        cmocka_unit_test(help_and_man_page_name_what_a_hangup_takes_over),
        cmocka_unit_test(a_port_in_use_is_a_clear_error),
        cmocka_unit_test(a_command_takes_its_own_options_and_arguments),
        cmocka_unit_test(a_command_that_is_not_or_lacks_something_ends_with_2),
        cmocka_unit_test(each_command_has_help_and_a_place_in_the_man_page),
        cmocka_unit_test(the_man_page_escapes_what_roff_would_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
