#include "consumer/put_back_run.h"

#include <stdio.h>

#include "common/kafka/kafka_conf.h"
#include "consumer/option_number.h"
#include "consumer/put_back_print.h"

enum { TEXT_MAX = 64 * 1024 * 1024, TICK_MS = 250, CODE_LEFT = 3 };

static void finish(struct put_back_run *r, int code, const char *words)
{
    progress_end(&r->progress);
    program_finish(r->program, code, words);
}

enum rc put_back_run_init(struct put_back_run *r, struct program *p, bool redrive, struct err *e)
{
    r->program = p;
    r->loop = program_loop(p);
    put_back_init(&r->list, redrive, program_option_value(p, "--force") != NULL);
    for (int i = 0; i < TOPIC_COUNT; i++)
        kafka_topic_name(program_config(p), topic_table[i].name, r->list.topics[i]);
    r->dry = program_option_value(p, "--dry-run") != NULL;
    r->yes = program_option_value(p, "--yes") != NULL;
    r->json = program_option_value(p, "--json") != NULL;
    r->rate = PUT_BACK_RATE;
    return option_number("--rate", program_option_value(p, "--rate"), 1, PUT_BACK_RATE_MAX, &r->rate, e);
}

void put_back_run_release(struct put_back_run *r)
{
    if (r->program == NULL)
        return;
    ask_release(&r->ask);
    loop_timer_clear(r->loop, &r->tick);
    loop_timer_clear(r->loop, &r->first);
    progress_end(&r->progress);
    put_back_send_destroy(r->send);
    order_again_forget(&r->list.again);
    topic_scan_destroy(r->look);
    put_back_release(&r->list);
}

static bool print(const struct put_back_run *r, bool done)
{
    struct buf out;
    buf_init(&out, TEXT_MAX);
    if (r->json)
        put_back_json(&r->list, done, &out);
    else if (done)
        put_back_result(&r->list, &out);
    else
        put_back_text(&r->list, &out);
    bool ok = !buf_failed(&out) && fwrite(out.p, 1, out.n, stdout) == out.n && fflush(stdout) == 0;
    buf_release(&out);
    return ok;
}

/* Whoever named an order is told when that one was left alone. */
static int code_of(const struct put_back_run *r)
{
    for (size_t i = 0; i < r->list.chosen_n; i++)
        if (r->list.chosen[i]->failed)
            return 1;
    return !r->list.redrive && put_back_count(&r->list, PUT_BACK_YES) < r->list.n ? CODE_LEFT : 0;
}

/* ---- putting back */

static void on_tick(void *arg)
{
    struct put_back_run *r = arg;
    progress_show(&r->progress, put_back_send_settled(r->send), loop_now(r->loop));
    loop_timer_in(r->loop, &r->tick, TICK_MS, on_tick, r);
}

static void on_done(void *arg)
{
    struct put_back_run *r = arg;
    progress_show(&r->progress, put_back_send_settled(r->send), loop_now(r->loop));
    progress_end(&r->progress);
    bool ok = print(r, true);
    if (r->stopped)
        (void)fprintf(stderr, "interrupted; what was put back stays, and the same command again goes on with the rest\n");
    finish(r, !ok || r->stopped ? 1 : code_of(r), ok ? NULL : "cannot write to standard output");
}

static void on_failed(void *arg, const char *words)
{
    finish(arg, 1, words);
}

static void begin_sending(struct put_back_run *r)
{
    static const struct put_back_send_ops ops = {on_done, on_failed};
    struct err e;
    if (put_back_send_create(r->program, &r->list, r->rate, &ops, r, &r->send, &e) != RC_OK) {
        finish(r, 1, e.text);
        return;
    }
    progress_begin(&r->progress, r->list.chosen_n, loop_now(r->loop));
    on_tick(r);
}

/* ---- the plan and the question */

static void on_answer(void *arg, bool yes)
{
    struct put_back_run *r = arg;
    if (yes) {
        begin_sending(r);
        return;
    }
    (void)fprintf(stderr, "nothing was changed\n");
    finish(r, 1, NULL);
}

static void decide(struct put_back_run *r)
{
    struct err e;
    bool nothing;
    r->planned = true;
    if (put_back_plan(&r->list, &e) != RC_OK) {
        finish(r, 1, e.text);
        return;
    }
    nothing = r->list.chosen_n == 0;
    if ((r->dry || nothing || !r->json) && !print(r, false)) {
        finish(r, 1, "cannot write to standard output");
    } else if (r->dry || nothing) {
        finish(r, code_of(r), NULL);
    } else if (r->yes) {
        begin_sending(r);
    } else if (ask_possible()) {
        ask_begin(&r->ask, r->loop, "Put these orders back?", on_answer, r);
    } else {
        finish(r, 2, "nobody can be asked here: add --yes, or --dry-run to look only");
    }
}

/* ---- the look */

static bool wanted(void *arg, const struct kafka_record *k)
{
    const struct put_back_run *r = arg;
    return put_back_knows(&r->list, k);
}

static void on_record(void *arg, const struct scan_record *s)
{
    struct put_back_run *r = arg;
    struct err e;
    if (put_back_see(&r->list, s, &e) != RC_OK)
        finish(r, 1, e.text);
}

static void on_end(void *arg)
{
    decide(arg);
}

static void begin(void *arg)
{
    static const struct topic_scan_ops ops = {wanted, on_record, on_end, on_failed, false};
    struct put_back_run *r = arg;
    struct err e;
    const struct reader_start starts[] = {
        {r->list.topics[TOPIC_ORDERS], -1, READER_BEGINNING, 0},
        {r->list.topics[TOPIC_OUTCOMES], -1, READER_BEGINNING, 0},
        {r->list.topics[TOPIC_STATUS], -1, READER_BEGINNING, 0},
    };
    if (r->list.n == 0)
        decide(r);
    else if (topic_scan_create(r->program, starts, sizeof starts / sizeof *starts, &ops, r, &r->look, &e) != RC_OK)
        finish(r, 1, e.text);
}

void put_back_run_begin(struct put_back_run *r)
{
    order_again_forget(&r->list.again); /* its schema goes with the scan that chose */
    loop_timer_in(r->loop, &r->first, 0, begin, r);
}

void put_back_run_stop(struct put_back_run *r)
{
    r->stopped = true;
    if (r->send != NULL) {
        put_back_send_stop(r->send);
        return;
    }
    (void)fprintf(stderr, "interrupted; nothing was changed\n");
    finish(r, 1, NULL);
}
