#include "consumer/in_hand_print.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/utf8.h"
#include "common/contract/avro_json.h"
#include "consumer/record_line.h"

/* A text from outside in one line, cut at a character. */
static void put_words(struct buf *out, const char *text)
{
    size_t n = utf8_check(text, strlen(text));
    for (size_t i = 0; i < n; i++)
        buf_put_byte(out, (unsigned char)text[i] < ' ' || text[i] == 0x7f ? ' ' : (unsigned char)text[i]);
}

static void put_order(const struct in_hand_program *p, const struct in_hand_order *o, struct buf *out)
{
    const char *warehouse = o->warehouse[0] != '\0' ? o->warehouse : p->warehouse;
    put_words(out, o->state);
    buf_put_text(out, " in ");
    put_words(out, p->program);
    buf_put_text(out, warehouse[0] != '\0' ? " " : "");
    put_words(out, warehouse);
    if (o->since >= 0) {
        buf_put_text(out, " since ");
        record_line_time(o->since, out);
    }
    if (o->next_in >= 0)
        buf_printf(out, ", next try in %" PRId64 " s", (o->next_in + 999) / 1000);
    if (p->paused[0] != '\0')
        buf_put_text(out, ", which is paused");
    if (o->words[0] != '\0' || p->paused[0] != '\0') {
        buf_put_text(out, ": ");
        put_words(out, o->words[0] != '\0' ? o->words : p->paused);
    }
    buf_put_byte(out, '\n');
}

void in_hand_text(const struct in_hand *h, struct buf *out)
{
    for (size_t i = 0; i < h->programs_n; i++) {
        const struct in_hand_program *p = &h->programs[i];
        for (size_t k = 0; k < p->orders_n; k++)
            put_order(p, &p->orders[k], out);
        if (p->words[0] == '\0')
            continue;
        buf_printf(out, "%s was not asked: ", p->at);
        put_words(out, p->words);
        buf_put_byte(out, '\n');
    }
}

static void put_member(struct buf *out, const char *name, const char *text)
{
    if (*text == '\0')
        return;
    buf_printf(out, ",\"%s\":", name);
    avro_json_text(out, (const unsigned char *)text, utf8_check(text, strlen(text)));
}

static void put_number(struct buf *out, const char *name, int64_t value)
{
    if (value >= 0)
        buf_printf(out, ",\"%s\":%" PRId64, name, value);
}

void in_hand_json(const struct in_hand *h, struct buf *out)
{
    bool first = true;
    buf_put_byte(out, '[');
    for (size_t i = 0; i < h->programs_n; i++) {
        const struct in_hand_program *p = &h->programs[i];
        for (size_t k = 0; k < p->orders_n; k++) {
            const struct in_hand_order *o = &p->orders[k];
            buf_put_text(out, first ? "{\"program\":" : ",{\"program\":");
            first = false;
            avro_json_text(out, (const unsigned char *)p->program, utf8_check(p->program, strlen(p->program)));
            put_member(out, "at", p->at);
            put_member(out, "warehouse", o->warehouse[0] != '\0' ? o->warehouse : p->warehouse);
            put_member(out, "state", o->state);
            put_number(out, "publication", o->publication);
            put_number(out, "since", o->since);
            put_number(out, "nextInMs", o->next_in);
            put_number(out, "tries", o->tries);
            put_member(out, "words", o->words);
            put_member(out, "paused", p->paused);
            buf_put_byte(out, '}');
        }
    }
    buf_put_byte(out, ']');
}
