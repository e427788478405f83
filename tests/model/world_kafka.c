/* Kafka: topics in memory; the producer's readers, committed positions and writer schemas on them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/order_key.h"
#include "common/contract/order_view.h"
#include "common/kafka/frame.h"
#include "common/kafka/reader.h"
#include "producer/group_position.h"
#include "tests/model/world_topics.h"

enum { PARTITIONS = 2, READERS = 4 };

struct log_part {
    struct stored **all; /* n of cap, owned */
    size_t n, cap;
};

static struct {
    struct log_part parts[TOPIC_COUNT][PARTITIONS];
    int64_t committed[PARTITIONS];
    struct schema *schemas[SCHEMAS_END];
    struct record_writer writers[SCHEMAS_END];
    struct order_view *view;
} kafka;

static int partitions_of(int topic)
{
    return topic == TOPIC_ORDERS || topic == TOPIC_STATUS ? PARTITIONS : 1;
}

int world_topic(const char *name)
{
    for (int i = 0; i < TOPIC_COUNT; i++)
        if (strcmp(topic_table[i].name, name + strlen("xsale.")) == 0)
            return i;
    abort();
}

static int partition_of(int topic, const char *key)
{
    return partitions_of(topic) == 1 ? 0 : (key[strlen(key) - 1] - '0') % PARTITIONS;
}

void stored_free(struct stored *s)
{
    if (s != NULL)
        free(s->value);
    free(s);
}

struct stored *stored_copy(const struct kafka_record *r)
{
    struct stored *s = calloc(1, sizeof *s);
    need(s != NULL && r->key_n < TEXT && r->headers_n <= HEADERS);
    memcpy(s->key, r->key, r->key_n);
    s->key_n = r->key_n;
    if (r->value != NULL) {
        s->value = malloc(r->value_n + 1);
        memcpy(s->value, r->value, r->value_n);
        s->value_n = r->value_n;
    }
    for (size_t i = 0; i < r->headers_n; i++) {
        size_t n = r->headers[i].n < TEXT - 1 ? r->headers[i].n : TEXT - 1;
        snprintf(s->names[i], TEXT, "%s", r->headers[i].name);
        memcpy(s->values[i], r->headers[i].value, n);
    }
    s->headers_n = r->headers_n;
    return s;
}

/* ---- what a stored record says */

static int key_number(const char *key, size_t n)
{
    const char *organization;
    size_t organization_n;
    int64_t id;
    return order_key_parse(key, n, &organization, &organization_n, &id) ? key_of_id(id) : -1;
}

static unsigned bits(const struct warehouse_set *set)
{
    unsigned found = 0;
    for (size_t i = 0; i < set->n; i++)
        found |= 1U << (set->names[i][0] - 'A');
    return found;
}

static int number_in(const unsigned char *raw, size_t n, const char *before)
{
    char text[4096];
    need(n < sizeof text);
    memcpy(text, raw, n);
    text[n] = '\0';
    const char *at = strstr(text, before);
    return at != NULL ? atoi(at + strlen(before)) : -1;
}

/* Of a withdrawal without content: the last cause that can have led to it. */
static int bare_cause(int k)
{
    int cause = the->served[k];
    while (cause > 0 && !(the->bare[k] >> cause % 64 & 1))
        cause--;
    return cause;
}

static void tell_order(const struct stored *s)
{
    static struct order_head head;
    struct err e;
    struct rec r = {.k = key_number(s->key, s->key_n), .t = s->ts};
    if (order_view_head(kafka.view, s->value + FRAME_BYTES, s->value_n - FRAME_BYTES, &head, &e) != RC_OK) {
        broke("a record of orders cannot be read", r.k);
        return;
    }
    memcpy(r.revision, head.revision, sizeof r.revision);
    r.p = head.publication;
    r.round = head.round;
    r.wd = head.withdrawn;
    r.named = bits(&head.warehouses);
    r.own = bits(&head.delivering);
    r.rev = head.raw != NULL ? number_in(head.raw, head.raw_n, "\"Number\":\"R") : -1;
    r.cause = head.raw != NULL ? number_in(head.raw, head.raw_n, "\"Cause\":") : bare_cause(r.k);
    for (size_t i = 0; i < s->headers_n; i++)
        r.replayed = r.replayed || strcmp(s->names[i], "replayed") == 0;
    if (r.replayed) { /* told by the header: the bytes are the old ones */
        r.p = atoll(s->values[0]);
        r.cause = the->shop[r.k].cause;
    }
    world_order_stored(&r);
}

static void tell_outcome(const struct stored *s)
{
    struct outcome *o;
    struct err e;
    if (outcome_decode(&kafka.writers[SCHEMA_OF_OUTCOME], s->value + FRAME_BYTES, s->value_n - FRAME_BYTES, &o, &e) != RC_OK) {
        broke("an outcome cannot be read", -1);
        return;
    }
    need(the->outs_n < RECORDS_MAX);
    struct out *out = &the->outs[the->outs_n++];
    *out = (struct out){.k = key_of_id(o->order_id), .wh = -1, .p = o->publication, .round = o->round, .named = bits(&o->warehouses), .result = o->result};
    memcpy(out->revision, o->revision, sizeof out->revision);
    say("REJECTED by the producer: %d p %" PRId64, key_of_id(o->order_id), o->publication);
    outcome_destroy(o);
}

void world_append(int topic, struct stored *s)
{
    struct log_part *part = &kafka.parts[topic][partition_of(topic, s->key)];
    s->ts = 1795000000000 + the->now; /* the broker's clock */
    if (part->n == part->cap) {
        part->cap = part->cap == 0 ? 32 : part->cap * 2;
        part->all = realloc(part->all, part->cap * sizeof(struct stored *));
        need(part->all != NULL);
    }
    part->all[part->n++] = s;
    if (topic == TOPIC_ORDERS)
        tell_order(s);
    else if (topic == TOPIC_OUTCOMES)
        tell_outcome(s);
    else if (topic == TOPIC_STATE)
        say("noted %.*s%s", (int)s->key_n, s->key, s->value == NULL ? ": forgotten" : "");
}

static const struct stored *last_note(int k)
{
    const struct log_part *part = &kafka.parts[TOPIC_STATE][0];
    for (size_t i = part->n; i-- > 0;)
        if (!part->all[i]->compacted && key_number(part->all[i]->key, part->all[i]->key_n) == k)
            return part->all[i];
    return NULL;
}

bool world_note_is_tombstone(int k)
{
    const struct stored *s = last_note(k);
    return s != NULL && s->value == NULL;
}

bool world_note_of(int k, struct order_state *out)
{
    const struct stored *s = last_note(k);
    struct order_state *state;
    struct err e;
    if (s == NULL || s->value == NULL ||
        order_state_decode(&kafka.writers[SCHEMA_OF_STATE], s->value + FRAME_BYTES, s->value_n - FRAME_BYTES, &state, &e) != RC_OK)
        return false;
    *out = *state;
    out->organization = NULL;
    order_state_destroy(state);
    return true;
}

void world_ledger_append(int k, const struct ledger_row *row)
{
    struct buf value;
    struct err e;
    char key[ORDER_KEY_BYTES];
    size_t key_n = order_key_format(key, "acme", FIRST_ID + k);
    buf_init(&value, 100000);
    frame_put(&value, SCHEMA_OF_STATUS);
    if (ledger_row_encode(row, &value, &e) != RC_OK)
        abort();
    world_append(TOPIC_STATUS, stored_copy(&(struct kafka_record){.key = key, .key_n = key_n, .value = value.p, .value_n = value.n}));
    buf_release(&value);
}

/* The bytes stay those of the old publication here; whoever reads takes the new one from the header, as the tests' other parts do. */
void world_replay(int k)
{
    const struct rec *newest = NULL;
    char publication[24];
    for (size_t i = 0; i < the->recs_n; i++)
        if (the->recs[i].k == k && (newest == NULL || the->recs[i].p > newest->p))
            newest = &the->recs[i];
    if (newest == NULL)
        return;
    const struct log_part *part = &kafka.parts[TOPIC_ORDERS][(FIRST_ID + k) % 10 % PARTITIONS];
    const struct stored *old = NULL;
    for (size_t i = 0; i < part->n; i++)
        if (key_number(part->all[i]->key, part->all[i]->key_n) == k)
            old = part->all[i];
    if (old == NULL)
        return;
    int n = snprintf(publication, sizeof publication, "%" PRId64, newest->p + 1);
    struct kafka_header headers[] = {{"publication", publication, (size_t)n}, {"replayed", "x", 1}};
    world_append(TOPIC_ORDERS, stored_copy(&(struct kafka_record){.key = old->key, .key_n = old->key_n, .value = old->value, .value_n = old->value_n,
                                                            .headers = headers, .headers_n = 2}));
}

/* ---- readers */

struct reader {
    bool used, ended, want_known;
    struct {
        int topic;
        char name[TEXT];
        int32_t partition;
        size_t position, end, want;
    } at[PARTITIONS];
    size_t n;
    struct reader_ops ops;
    void *arg;
    loop_fn *caught_up;
    void *caught_up_arg;
};

static struct reader readers[READERS];

static size_t where(const struct log_part *part, const struct reader_start *s)
{
    if (s->from == READER_OFFSET)
        return (size_t)s->value < part->n ? (size_t)s->value : part->n;
    size_t i = 0;
    while (s->from == READER_TIME && i < part->n && part->all[i]->ts < s->value)
        i++;
    return i;
}

enum rc reader_create(struct loop *l, struct worker *w, const struct config *c, struct log *log, struct health *h, const struct reader_start *starts,
                      size_t starts_n, const struct reader_ops *ops, void *arg, struct reader **out, struct err *e)
{
    (void)l, (void)w, (void)c, (void)log, (void)h, (void)e;
    struct reader *r = readers;
    while (r->used)
        r++;
    need(r < readers + READERS && starts_n <= PARTITIONS);
    *r = (struct reader){.used = true, .n = starts_n, .ops = *ops, .arg = arg};
    for (size_t i = 0; i < starts_n; i++) {
        int topic = world_topic(starts[i].topic);
        const struct log_part *part = &kafka.parts[topic][starts[i].partition];
        snprintf(r->at[i].name, TEXT, "%s", starts[i].topic);
        r->at[i].topic = topic;
        r->at[i].partition = starts[i].partition;
        r->at[i].position = where(part, &starts[i]);
        r->at[i].end = part->n;
    }
    *out = r;
    return RC_OK;
}

void reader_destroy(struct reader *r)
{
    if (r != NULL)
        r->used = false;
}

enum rc reader_catch_up(struct reader *r, loop_fn *done, void *arg)
{
    if (r->caught_up != NULL)
        return RC_RETRY;
    r->caught_up = done;
    r->caught_up_arg = arg;
    r->want_known = false;
    return RC_OK;
}

static void deliver(struct reader *r, size_t i)
{
    const struct log_part *part = &kafka.parts[r->at[i].topic][r->at[i].partition];
    size_t offset = r->at[i].position++;
    const struct stored *s = part->all[offset];
    struct kafka_header headers[HEADERS];
    if (s->compacted)
        return;
    for (size_t n = 0; n < s->headers_n; n++)
        headers[n] = (struct kafka_header){s->names[n], s->values[n], strlen(s->values[n])};
    struct kafka_record record = {.topic = r->at[i].name, .partition = r->at[i].partition, .offset = (int64_t)offset, .timestamp = s->ts, .key = s->key,
                                  .key_n = s->key_n, .value = s->value, .value_n = s->value_n, .headers = headers, .headers_n = s->headers_n};
    r->ops.record(r->arg, &record);
}

static bool step(struct reader *r)
{
    bool at_end = true, at_want = r->want_known;
    size_t from = r->n > 0 ? dice(r->n) : 0;
    if (r->caught_up != NULL && !r->want_known) {
        for (size_t i = 0; i < r->n; i++)
            r->at[i].want = kafka.parts[r->at[i].topic][r->at[i].partition].n;
        return r->want_known = true;
    }
    for (size_t i = 0; i < r->n; i++) {
        at_end = at_end && r->at[i].position >= r->at[i].end;
        at_want = at_want && r->at[i].position >= r->at[i].want;
    }
    if (at_end && !r->ended) {
        r->ended = true;
        r->ops.end(r->arg);
        return true;
    }
    if (r->caught_up != NULL && at_want) {
        loop_fn *fn = r->caught_up;
        r->caught_up = NULL;
        fn(r->caught_up_arg);
        return true;
    }
    for (size_t n = 0; n < r->n; n++) {
        size_t i = (from + n) % r->n;
        if (r->at[i].position < kafka.parts[r->at[i].topic][r->at[i].partition].n) {
            deliver(r, i);
            return true;
        }
    }
    return false;
}

void world_compact(void)
{
    for (size_t i = 0; i < READERS; i++)
        if (readers[i].used && readers[i].at[0].topic == TOPIC_STATE) /* a tombstone stays for a day longer than anybody needs for reading */
            return;
    const struct log_part *part = &kafka.parts[TOPIC_STATE][0];
    for (size_t i = 0; i + 1 < part->n; i++) {
        struct stored *s = part->all[i];
        int k = key_number(s->key, s->key_n);
        if (last_note(k) != s || (s->value == NULL && 1795000000000 + the->now - s->ts > DAY_MS))
            s->compacted = true;
    }
}

/* ---- committed positions */

static struct group_position {
    bool used;
    group_position_fn *done;
    void *arg;
} positions;

enum rc group_position_fetch(const struct group_position_needs *needs, group_position_fn *done, void *arg, struct group_position **out, struct err *e)
{
    (void)needs, (void)e;
    positions = (struct group_position){true, done, arg};
    *out = &positions;
    return RC_OK;
}

void group_position_cancel(struct group_position *gp)
{
    if (gp != NULL)
        gp->used = false;
}

void world_commit(const int64_t *found, size_t n)
{
    for (size_t i = 0; i < n && i < PARTITIONS; i++)
        if (found[i] >= 0 && !(chance(10) && !the->calm)) /* a commit may be lost */
            kafka.committed[i] = found[i];
}

bool world_reader_step(void)
{
    size_t from = dice(READERS);
    if (positions.used) {
        positions.used = false;
        positions.done(positions.arg, kafka.committed);
        return true;
    }
    for (size_t i = 0; i < READERS; i++)
        if (readers[(from + i) % READERS].used && step(&readers[(from + i) % READERS]))
            return true;
    return false;
}

/* ---- schemas: an id is unknown at first now and then, or of a state topic and what is no schema; whoever takes any answer may hear that the registry does not know it, or nothing once */

static struct writer_schema_wait *waiting;
static struct loop_timer waiting_timer;
static bool known[SCHEMAS_END], another[SCHEMAS_END], disowned[SCHEMAS_END], silent_once[SCHEMAS_END];

struct writer_schemas *world_schemas(void)
{
    return (struct writer_schemas *)known; /* never looked into */
}

enum writer_schema_found writer_schemas_find(struct writer_schemas *ws, int32_t id, struct record_writer **out)
{
    (void)ws;
    if (id <= 0 || id >= SCHEMAS_END || another[id])
        return WRITER_SCHEMA_UNREADABLE;
    if (!known[id])
        return WRITER_SCHEMA_UNKNOWN;
    *out = &kafka.writers[id];
    return WRITER_SCHEMA_THERE;
}

bool writer_schemas_disowned(const struct writer_schemas *ws, int32_t id)
{
    (void)ws;
    return disowned[id];
}

bool writer_schemas_lacks(struct writer_schemas *ws, const struct writer_schema_wait *w)
{
    struct record_writer *writer;
    enum writer_schema_found found = writer_schemas_find(ws, w->id, &writer);
    return found == WRITER_SCHEMA_UNKNOWN || (w->reader != NULL && found == WRITER_SCHEMA_UNREADABLE);
}

void world_lose_row_schema(bool lost)
{
    if (lost != the->row_schema_lost)
        say("-- the registry %s the schema of the ledger's rows", lost ? "has lost" : "has again");
    the->row_schema_lost = lost;
    if (lost)
        known[SCHEMA_OF_STATUS] = another[SCHEMA_OF_STATUS] = false;
}

static bool in_vain(const struct writer_schema_wait *w)
{
    return w->id == SCHEMA_OF_STATUS && the->row_schema_lost;
}

bool world_ledger_is_held(void)
{
    const struct writer_schema_wait *w = waiting;
    while (w != NULL && !(in_vain(w) && w->answered))
        w = w->next;
    return w != NULL;
}

/* Whoever waits for the schema itself gets it in time, unless it is lost. */
static void answer(const struct writer_schema_wait *w)
{
    bool silent = w->any_answer && !silent_once[w->id] && chance(30), lost = w->any_answer && !silent && chance(30);
    silent_once[w->id] = silent;
    if (silent)
        return;
    disowned[w->id] = lost;
    known[w->id] = !lost;
    another[w->id] = !lost && chance(30) && w->reader != NULL;
}

static void schema_is_there(void *arg)
{
    struct writer_schema_wait **at = &waiting;
    (void)arg;
    for (; *at != NULL && in_vain(*at); at = &(*at)->next)
        (*at)->answered = true;
    struct writer_schema_wait *first = *at;
    if (first != NULL)
        *at = first->next;
    if (waiting != NULL)
        loop_timer_in(world_loop(), &waiting_timer, 100, schema_is_there, NULL);
    if (first == NULL)
        return;
    answer(first);
    first->fn(first->arg);
}

void writer_schemas_tell(struct writer_schemas *ws, const char *why, const char *doing)
{
    (void)ws, (void)why, (void)doing;
}

void writer_schemas_forget(struct writer_schema_wait *wait)
{
    struct writer_schema_wait **at = &waiting;
    while (*at != NULL && *at != wait)
        at = &(*at)->next;
    if (*at != NULL)
        *at = wait->next;
}

void writer_schemas_wait(struct writer_schemas *ws, struct writer_schema_wait *wait, loop_fn *fn, void *arg)
{
    (void)ws;
    writer_schemas_forget(wait);
    wait->answered = false;
    wait->next = waiting;
    wait->fn = fn;
    wait->arg = arg;
    waiting = wait;
    if (!waiting_timer.armed)
        loop_timer_in(world_loop(), &waiting_timer, 100, schema_is_there, NULL);
}

/* ---- life */

void world_kafka_open(void)
{
    static const char *const names[SCHEMAS_END] = {[SCHEMA_OF_ORDER] = "Order", [SCHEMA_OF_STATE] = "OrderState", [SCHEMA_OF_OUTCOME] = "OrderOutcome",
                                                   [SCHEMA_OF_STATUS] = "OrderStatus", [SCHEMA_OF_ORDER_TOO] = "Order"};
    struct err e;
    for (int i = 1; i < SCHEMAS_END; i++) {
        const char *text = schema_builtin(names[i]);
        if (schema_parse(text, strlen(text), &kafka.schemas[i], &e) != RC_OK)
            abort();
        record_writer_init(&kafka.writers[i], kafka.schemas[i]);
    }
    if (order_view_create(kafka.schemas[SCHEMA_OF_ORDER], &kafka.view, &e) != RC_OK)
        abort();
}

void world_kafka_restart(void)
{
    world_publisher_restart();
    memset(readers, 0, sizeof readers);
    memset(&positions, 0, sizeof positions);
    loop_timer_clear(world_loop(), &waiting_timer);
    waiting = NULL;
    for (int i = 0; i < SCHEMAS_END; i++) {
        known[i] = chance(80) && !(i == SCHEMA_OF_STATUS && the->row_schema_lost);
        another[i] = chance(10) && (i == SCHEMA_OF_STATE || (i == SCHEMA_OF_STATUS && known[i]));
        disowned[i] = silent_once[i] = false;
    }
}

void world_kafka_reset(void)
{
    for (int t = 0; t < TOPIC_COUNT; t++)
        for (int p = 0; p < PARTITIONS; p++) {
            struct log_part *part = &kafka.parts[t][p];
            while (part->n > 0)
                stored_free(part->all[--part->n]);
            free(part->all);
            *part = (struct log_part){0};
        }
    for (int p = 0; p < PARTITIONS; p++)
        kafka.committed[p] = -1;
    world_publisher_reset();
    world_kafka_restart();
}

void world_kafka_close(void)
{
    world_kafka_reset();
    order_view_destroy(kafka.view);
    for (int i = 1; i < SCHEMAS_END; i++) {
        record_writer_release(&kafka.writers[i]);
        schema_destroy(kafka.schemas[i]);
    }
}
