#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/config_man.h"
#include "common/program/program_document.h"

static const struct program_option options[] = {{"--once", NULL, "Ends at once."}, {"--list", "FILE", "Takes a list."}, {"--fail", "WORDS", "Fails."}};
static const struct program_option deep[] = {{"--deep", "N", "How deep."}};
static const struct program_command commands[] = {
    {.name = "rest", .summary = "does nothing", .description = "Nothing."},
    {.name = "count", .summary = "counts words", .description = "Counts.", .options = deep, .options_n = 1},
};
static const struct program_desc plain = {
    .name = "a-tester", .summary = "tests", .description = "Tests.", .config_bit = CONFIG_CONSUMER, .options = options, .options_n = 3};
static const struct program_desc toolbox = {
    .name = "toolbox", .summary = "has tools", .description = "Tools.", .config_bit = CONFIG_CONSUMER, .commands = commands, .commands_n = 2};

/* What the program writes; the caller frees it. */
static char *document(const struct program_desc *d, const char *kind, const char *date)
{
    char path[] = "/tmp/test-document.XXXXXX";
    char *argv[] = {(char *)(uintptr_t)d->name, (char *)(uintptr_t)"--document", (char *)(uintptr_t)kind, path, (char *)(uintptr_t)date, NULL};
    char *text = calloc(1, 256 * 1024);
    assert_non_null(text);
    assert_int_equal(close(mkstemp(path)), 0);
    assert_true(program_document_asked(4, argv));
    assert_int_equal(program_document(d, date == NULL ? 4 : 5, argv), 0);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_true(fread(text, 1, 256 * 1024 - 1, f) > 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(remove(path), 0);
    return text;
}

static void the_completion_knows_options_files_and_the_programs_settings(void **state)
{
    (void)state;
    char *text = document(&plain, "completion", NULL);
    assert_non_null(strstr(text, "\n_a_tester()\n"));
    assert_non_null(strstr(text, "\ncomplete -F _a_tester a-tester\n"));
    assert_non_null(strstr(text, "*) words='--once --list --fail' ;;"));
    assert_non_null(strstr(text, "\n        -c | --list)\n            compopt -o default\n")); /* a file */
    assert_non_null(strstr(text, " | --list | --fail) ;;"));                                  /* whatever stands behind one of these, nothing is offered */
    assert_non_null(strstr(text, " erp.sink= "));
    assert_non_null(strstr(text, " erp.http.authorization_file=")); /* of a secret the file too */
    assert_non_null(strstr(text, " kafka. "));                      /* free keys */
    assert_null(strstr(text, " xsale.client_secret"));              /* another program's */
    assert_null(strstr(text, "COMP_CWORD; i++"));                   /* no command to look for */
    free(text);
}

static void the_completion_finds_the_command_behind_options_that_take_a_word(void **state)
{
    (void)state;
    char *text = document(&toolbox, "completion", NULL);
    assert_non_null(strstr(text, "rest | count) command=${COMP_WORDS[i]} && break ;;"));
    assert_non_null(strstr(text, " | --deep) ((i++)) ;;"));
    assert_non_null(strstr(text, "                rest) words='' ;;\n                count) words='--deep' ;;\n                *) words='rest count' ;;"));
    free(text);
}

static void the_manual_page_is_written_with_its_date(void **state)
{
    (void)state;
    char *text = document(&plain, "man", "May 3, 2026");
    assert_non_null(strstr(text, ".Dd May 3, 2026\n.Dt A-TESTER 1\n"));
    free(text);
}

static void what_cannot_be_asked_or_written_is_told_by_the_exit_code(void **state)
{
    (void)state;
    char words[5][40] = {"a-tester", "--document", "completion", "/nonexistent/file", "May 3, 2026"};
    char *argv[] = {words[0], words[1], words[2], words[3], words[4], NULL};
    assert_false(program_document_asked(1, argv));
    assert_int_equal(program_document(&plain, 4, argv), 1);
    assert_int_equal(program_document(&plain, 5, argv), 2); /* a completion has no date */
    (void)snprintf(words[2], sizeof words[2], "%s", "man");
    assert_int_equal(program_document(&plain, 4, argv), 2); /* and a page needs one */
    (void)snprintf(words[1], sizeof words[1], "%s", "--documents");
    assert_false(program_document_asked(4, argv));
}

static void the_page_of_the_settings_tells_each_key_its_kind_and_its_readers(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1024 * 1024);
    config_man(&out, "May 3, 2026");
    const char *text = buf_text(&out);
    assert_non_null(text);
    assert_non_null(strstr(text, ".Dd May 3, 2026\n.Dt BRIDGE.INI 5\n"));
    for (size_t i = 0; i < config_table_count; i++) {
        char line[120];
        (void)snprintf(line, sizeof line, ".Ss [%s]\\&\n", config_table[i].section);
        const char *section = strstr(text, line);
        assert_non_null(section);
        assert_null(strstr(section + 1, line)); /* once */
    }
    const char *sink = strstr(text, "\n.It Cm sink\n");
    assert_non_null(sink);
    assert_non_null(strstr(sink, "One of: http, "));
    const char *secret = strstr(text, "\n.It Cm client_secret\n");
    assert_non_null(secret);
    const char *next = strstr(secret + 1, "\n.It Cm ");
    const char *named = strstr(secret, "client_secret_file = FILE");
    assert_true(named != NULL && named < next);
    assert_non_null(strstr(text, "\n.It Cm \\&any other \\&key\n"));
    assert_non_null(strstr(text, "Read by: every program."));
    assert_non_null(strstr(text, ".Xr xsale-producer 1\n"));
    assert_null(strstr(text, "\n.\n"));
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_completion_knows_options_files_and_the_programs_settings),
        cmocka_unit_test(the_completion_finds_the_command_behind_options_that_take_a_word),
        cmocka_unit_test(the_manual_page_is_written_with_its_date),
        cmocka_unit_test(what_cannot_be_asked_or_written_is_told_by_the_exit_code),
        cmocka_unit_test(the_page_of_the_settings_tells_each_key_its_kind_and_its_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
