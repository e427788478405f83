#include "consumer/board_facts.h"

#include <stdio.h>
#include <string.h>

#define COPY(to, from) ((void)snprintf(to, sizeof(to), "%s", from)) /* a letter cut at the end is shown as such */

void board_copy_waiting(const struct waiting *w, struct board_facts *out)
{
    out->waiting = w->total;
    for (out->sums_n = 0; out->sums_n < w->sums_n && out->sums_n < BOARD_SUMS; out->sums_n++) {
        const struct waiting_sum *from = &w->sums[out->sums_n];
        struct board_sum *to = &out->sums[out->sums_n];
        *to = (struct board_sum){.reason = from->reason, .orders = from->orders, .oldest = from->oldest};
        COPY(to->warehouse, from->warehouse);
    }
    for (out->rows_n = 0; out->rows_n < w->rows_n && out->rows_n < BOARD_ROWS; out->rows_n++) {
        const struct waiting_row *from = &w->rows[out->rows_n];
        struct board_row *to = &out->rows[out->rows_n];
        *to = (struct board_row){.reason = from->reason, .since = from->since, .next_in = from->next_in};
        COPY(to->order, from->order);
        COPY(to->warehouse, from->warehouse);
        COPY(to->words, from->words);
    }
}

void board_copy_hands(const struct in_hand *h, struct board_facts *out)
{
    out->consumers_n = 0;
    for (size_t i = 0; i < h->programs_n && out->consumers_n < PROGRAM_SIGHTS_MAX; i++) {
        const struct in_hand_program *from = &h->programs[i];
        struct board_consumer *to = &out->consumers[out->consumers_n];
        if (strcmp(from->program, "erp-consumer") != 0 || from->words[0] != '\0')
            continue;
        COPY(to->at, from->at);
        COPY(to->warehouse, from->warehouse);
        COPY(to->paused, from->paused);
        out->consumers_n++;
    }
}

static void copy_line(const struct reconcile_line *from, struct board_line *to)
{
    *to = (struct board_line){.published = from->published, .imported = from->imported, .rejected = from->rejected, .superseded = from->superseded,
                              .withdrawn = from->withdrawn, .in_flight = from->in_flight, .lost = from->lost};
    COPY(to->warehouse, from->warehouse != NULL ? from->warehouse : "");
}

void board_copy_totals(const struct reconcile *r, struct board_totals *out)
{
    *out = (struct board_totals){.faults_total = r->faults_total, .orders = r->orders, .unreadable = r->unreadable, .status_set = r->status_set,
                                 .status_pending = r->status_pending, .status_open = r->status_open};
    copy_line(&r->all, &out->all);
    for (; out->lines_n < r->lines_n && out->lines_n < BOARD_LINES; out->lines_n++)
        copy_line(&r->lines[out->lines_n], &out->lines[out->lines_n]);
    for (; out->faults_n < r->faults_n && out->faults_n < BOARD_FAULTS; out->faults_n++) {
        const struct reconcile_fault *from = &r->faults[out->faults_n];
        struct board_fault *to = &out->faults[out->faults_n];
        to->kind = from->kind;
        COPY(to->order, from->order);
        COPY(to->warehouse, from->warehouse);
        COPY(to->words, from->words);
    }
}
