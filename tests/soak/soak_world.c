/* xSale and the ERP of the soak in one process, so that every order can be judged at the end. xSale offers ORDERS orders, at most WINDOW of them in the new status at
 * a time: whatever leaves it is followed by the next. The order's number says what it will go through:
 *   1 % malformed in four ways, each second of them corrected by the operator when it stands in the manual status, and retried;
 *   1 % edited while it is being loaded (the ERP takes its time over it); 1 % refused by the ERP when it is first offered, and retried by the operator.
 * A third each is for MAG-1, for MAG-2 and for both.
 * Usage: soak-world ORDERS WINDOW. Prints the ports of xSale and of the ERP; answers each line on standard input with one line of JSON; "stop" ends the feeding. */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { NEW = 11, IMPORTED = 13, MANUAL = 14, FIRST = 1000001, CAPACITY = 524288, BODY = 256 * 1024 };
enum { SLOW_MS = 2500, OPERATOR_MS = 10000, TOKEN_S = 300, PAGE_MOST = 1000 };
enum kind { PLAIN, MALFORMED, EDITED, REFUSED };
enum fault { OVERLAP, OLDER, NOT_NEW, UNKNOWN, UNWANTED, FAULTS };
static const char *const fault_words[FAULTS] = {"two loads of one order at a time", "an older publication after a newer one", "status set on an order that was not new",
                                                "a request that makes no sense", "a malformed order at the ERP"};

struct document {
    int64_t publication, refused;
    uint8_t flying, loaded, version;
};

struct order {
    struct document at[2]; /* MAG-1, MAG-2 */
    uint32_t listed;       /* the poll that showed it first */
    uint8_t status, version, manual;
};

struct later { /* orders in the order of their time: every wait of a queue is equally long */
    int64_t due[CAPACITY];
    void *what[CAPACITY];
    size_t head, n;
};

struct text {
    char *p;
    size_t n, cap;
};

struct request {
    struct text body;
    char *key;          /* of a load */
    struct order *held; /* slow: answered when it is resumed */
};

static struct order *orders;
static long count, window, fed;
static long open_ids[CAPACITY], open_n; /* numbers of the orders in the new status, rising */
static uint32_t poll_number;
static long edits, retries, refusals, loads, repeats, changes, faults[FAULTS];
static struct later operator_queue, slow_queue;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void put_off(struct later *q, void *what, int64_t ms)
{
    size_t at = (q->head + q->n) % CAPACITY;
    if (q->n == CAPACITY)
        abort();
    q->due[at] = now_ms() + ms;
    q->what[at] = what;
    q->n++;
}

static void *due(struct later *q)
{
    if (q->n == 0 || q->due[q->head] > now_ms())
        return NULL;
    void *what = q->what[q->head];
    q->head = (q->head + 1) % CAPACITY;
    q->n--;
    return what;
}

static enum kind kind(long i)
{
    switch (i % 100) {
    case 13:
        return MALFORMED;
    case 27:
        return EDITED;
    case 41:
        return REFUSED;
    default:
        return PLAIN;
    }
}

static int corrected(long i)
{
    return i / 100 % 2 == 1;
}

static int wanted_by(long i, int warehouse)
{
    return i % 3 == 2 || i % 3 == warehouse;
}

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->p + t->n, t->cap - t->n, format, args);
    va_end(args);
    if ((size_t)n >= t->cap - t->n) {
        t->cap = (t->cap + (size_t)n + 4096) * 2;
        if ((t->p = realloc(t->p, t->cap)) == NULL)
            abort();
        va_start(args, format);
        n = vsnprintf(t->p + t->n, t->cap - t->n, format, args);
        va_end(args);
    }
    t->n += (size_t)n;
}

static void add_contractor(struct text *t, const char *role, long id)
{
    add(t, "\"%s\": {\"Id\": %ld, \"Name\": \"Gżegżółka sp. z o.o. %ld\", \"NIP\": \"5252248481\", \"Email\": \"klient%ld@example.pl\", \"Phone\": \"+48 600 100 200\", "
           "\"Street\": \"Zażółć\", \"StreetNumber\": \"7/2\", \"ZipCode\": \"80-305\", \"City\": \"Gdańsk\", \"Country\": \"PL\"}, ", role, id, id, id);
}

static void add_line(struct text *t, long i, int line)
{
    const char *comma = "";
    add(t, "%s{\"Id\": %d, \"OfferId\": %ld, \"VariantId\": 1, \"Name\": \"Zestaw narzędzi %ld\", \"Quantity\": 2, \"PriceNet\": %ld.53, \"PriceGross\": %ld.50, "
           "\"VatRate\": 23, \"OrderItemArticles\": [", line > 0 ? ", " : "", line + 1, 9000 + (i + line) % 500, i % 1000, 10 + i % 900, 12 + i % 900);
    for (int w = 0; w < 2; w++) {
        if (!wanted_by(i, w))
            continue;
        add(t, "%s{\"Id\": %d, \"ArticleId\": %ld, \"Code\": \"ART-%04ld\", \"EAN\": \"5901234123457\", \"Name\": \"Młotek\", \"Quantity\": 2, \"WarehouseCode\": \"MAG-%d\"}",
            comma, line * 10 + w, 4000 + (i + line) % 400, (i + line) % 400, w + 1);
        comma = ", ";
    }
    add(t, "]}");
}

/* As xSale sends it, about 2 KB. The remarks say which version of the order it is. */
static void add_order(struct text *t, long i)
{
    const struct order *o = &orders[i];
    int bad = kind(i) == MALFORMED && o->version == 0 ? (int)(i / 200 % 4) : -1;
    add(t, "{\"Id\": %ld, \"Number\": \"ZAM/2026/%ld\", \"StatusId\": %d, \"StatusName\": \"Nowe\", \"IntegrationId\": 7, \"Currency\": \"PLN\", ", FIRST + i, FIRST + i, o->status);
    if (bad != 0)
        add(t, "\"PurchaseDate\": \"2026-11-20T14:03:11\", ");
    if (bad == 1)
        add(t, "\"Currency\": \"EUR\", ");
    add(t, bad == 2 ? "\"TotalNet\": \"sto\", " : "\"TotalNet\": 203.24, ");
    add(t, "\"TotalGross\": 249.99, \"PaymentFormId\": 3, \"PaymentStatus\": \"Paid\", \"DeliveryMethod\": \"InPost Kurier\", \"DeliveryPriceGross\": 14.99, \"Remarks\": \"v%d\", ",
        o->version);
    add_contractor(t, "Buyer", i);
    add_contractor(t, "Recipient", i);
    add(t, "\"Items\": [");
    for (int line = 0; bad != 3 && line < 3; line++)
        add_line(t, i, line);
    add(t, "]}");
}

static long place_of(long i)
{
    long low = 0, high = open_n;
    while (low < high) {
        long middle = (low + high) / 2;
        if (open_ids[middle] < i)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void enter_new(long i)
{
    long at = place_of(i);
    memmove(open_ids + at + 1, open_ids + at, (size_t)(open_n - at) * sizeof *open_ids);
    open_ids[at] = i;
    open_n++;
    orders[i].status = NEW;
    orders[i].listed = 0;
}

static void leave_new(long i, uint8_t status)
{
    long at = place_of(i);
    memmove(open_ids + at, open_ids + at + 1, (size_t)(open_n - at - 1) * sizeof *open_ids);
    open_n--;
    orders[i].status = status;
}

/* A poll begins: the operator has had his time, and new orders came in. */
static void begin_poll(void)
{
    struct order *o;
    poll_number++;
    while (open_n < CAPACITY - 1 && (o = due(&operator_queue)) != NULL) {
        long i = o - orders;
        o->version += kind(i) == MALFORMED;
        enter_new(i);
        retries++;
    }
    for (; fed < count && open_n < window; fed++)
        enter_new(fed);
}

static void list(struct text *t, long page, long size)
{
    long from = (page - 1) * size;
    if (page == 1)
        begin_poll();
    add(t, "[");
    for (long at = from; at < open_n && at < from + size; at++) {
        long i = open_ids[at];
        struct order *o = &orders[i];
        if (o->listed == 0)
            o->listed = poll_number;
        else if (kind(i) == EDITED && o->version == 0 && o->listed != poll_number) {
            o->version = 1;
            edits++;
        }
        if (at > from)
            add(t, ", ");
        add_order(t, i);
    }
    add(t, "]");
}

static void set_status(long i, int status)
{
    struct order *o = &orders[i];
    changes++;
    if (o->status != NEW) {
        faults[NOT_NEW]++;
        return;
    }
    leave_new(i, (uint8_t)status);
    if (status == MANUAL && o->manual++ == 0 && (kind(i) == REFUSED || (kind(i) == MALFORMED && corrected(i))))
        put_off(&operator_queue, o, OPERATOR_MS);
}

static enum MHD_Result reply(struct MHD_Connection *c, unsigned status, struct text *t)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(t->n, t->p, MHD_RESPMEM_MUST_FREE);
    if (r == NULL)
        return MHD_NO;
    (void)MHD_add_response_header(r, "Content-Type", "application/json");
    enum MHD_Result done = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return done;
}

static void add_token(struct text *t, int serial)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char payload[80];
    int n = snprintf(payload, sizeof payload, "{\"jti\": %d, \"exp\": %lld}", serial, (long long)time(NULL) + TOKEN_S);
    add(t, "eyJhbGciOiJub25lIn0.");
    for (int i = 0; i < n; i += 3) {
        unsigned word = (unsigned)(unsigned char)payload[i] << 16 | (unsigned)(i + 1 < n ? (unsigned char)payload[i + 1] : 0) << 8 |
                        (unsigned)(i + 2 < n ? (unsigned char)payload[i + 2] : 0);
        for (int k = 0; k < (n - i < 3 ? n - i + 1 : 4); k++)
            add(t, "%c", digits[word >> (18 - 6 * k) & 63]);
    }
    add(t, ".c29haw");
}

static long argument(struct MHD_Connection *c, const char *name, long otherwise)
{
    const char *value = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, name);
    return value != NULL ? atol(value) : otherwise;
}

/* -> the status; the answer is in t */
static unsigned xsale(struct MHD_Connection *c, const char *method, const char *url, struct request *q, struct text *t)
{
    static int serial;
    long id = 0;
    int end = 0;
    if (strcmp(url, "/oauth/token") == 0) {
        add(t, "{\"token_type\": \"Bearer\", \"scope\": \"\", \"expires_in\": %d, \"access_token\": \"", TOKEN_S);
        add_token(t, ++serial);
        add(t, "\", \"id_token\": \"");
        add_token(t, ++serial);
        add(t, "\"}");
        return 200;
    }
    if (strcmp(url, "/acme/statuses") == 0) {
        add(t, "[{\"Id\": %d, \"Name\": \"Nowe\"}, {\"Id\": %d, \"Name\": \"Zaimportowano do ERP\"}, {\"Id\": %d, \"Name\": \"Do obsługi ręcznej\"}]", NEW, IMPORTED, MANUAL);
        return 200;
    }
    long page = argument(c, "page", 1), size = argument(c, "pageSize", 100);
    if (strcmp(url, "/acme/orders") == 0 && argument(c, "statusidin", 0) == NEW && page > 0 && size > 0 && size <= PAGE_MOST) {
        list(t, page, size);
        return 200;
    }
    int read = sscanf(url, "/acme/orders/%ld%n", &id, &end);
    long i = id - FIRST;
    if (read == 1 && i >= 0 && i < fed && url[end] == '\0' && strcmp(method, "GET") == 0) {
        add_order(t, i);
        return 200;
    }
    const char *status = q->body.n > 0 ? strpbrk(q->body.p, "0123456789") : NULL;
    int to = status != NULL ? atoi(status) : 0;
    if (read == 1 && i >= 0 && i < fed && strcmp(url + end, "/change-status") == 0 && strcmp(method, "PUT") == 0 && (to == IMPORTED || to == MANUAL)) {
        set_status(i, to);
        add(t, "{}");
        return 200;
    }
    faults[UNKNOWN]++;
    add(t, "{\"error\": \"what?\"}");
    return 404;
}

/* acme/ORDER/MAG-n/PUBLICATION */
static struct document *find(const char *key, long *i, long long *publication)
{
    int warehouse;
    if (key == NULL || sscanf(key, "acme/%ld/MAG-%d/%lld", i, &warehouse, publication) != 3 || warehouse < 1 || warehouse > 2)
        return NULL;
    *i -= FIRST;
    return *i >= 0 && *i < fed && wanted_by(*i, warehouse - 1) ? &orders[*i].at[warehouse - 1] : NULL;
}

static unsigned judge(struct document *d, long i, long long publication, const char *body)
{
    const char *remarks = strstr(body, "\"remarks\":");
    const char *version = remarks != NULL ? strstr(remarks, "\"v") : NULL;
    d->flying--;
    loads++;
    if (version == NULL || (kind(i) == MALFORMED && !corrected(i)))
        faults[UNWANTED]++;
    if (kind(i) == REFUSED && (d->refused == 0 || d->refused == publication)) {
        d->refused = publication;
        refusals++;
        return 422;
    }
    repeats += d->loaded && d->publication == publication;
    d->publication = publication;
    d->loaded = 1;
    d->version = (uint8_t)(version != NULL ? atoi(version + 2) : 0);
    return 201;
}

static unsigned erp(struct MHD_Connection *c, struct request *q, struct text *t)
{
    long i = 0;
    long long publication = 0;
    struct document *d = find(q->key, &i, &publication);
    if (d == NULL || q->body.n == 0) {
        faults[UNKNOWN]++;
        add(t, "{\"error\": \"what?\"}");
        return 400;
    }
    if (q->held == NULL) {
        faults[OVERLAP] += d->flying++ > 0;
        faults[OLDER] += publication < d->publication;
        if (kind(i) == EDITED && !d->loaded && slow_queue.n < CAPACITY) {
            q->held = &orders[i];
            MHD_suspend_connection(c);
            put_off(&slow_queue, c, SLOW_MS);
            return 0;
        }
    }
    unsigned status = judge(d, i, publication, q->body.p);
    if (status == 201)
        add(t, "{\"DocumentId\": \"ZK/%ld\"}", i);
    else
        add(t, "{\"error\": \"Nieznany towar\"}");
    return status;
}

static enum MHD_Result answer(void *cls, struct MHD_Connection *c, const char *url, const char *method, const char *version, const char *data, size_t *n, void **state)
{
    struct request *q = *state;
    struct text t = {0};
    (void)version;
    if (q == NULL)
        return (*state = calloc(1, sizeof *q)) != NULL ? MHD_YES : MHD_NO;
    if (*n > 0) {
        if (q->body.n + *n > BODY)
            return MHD_NO;
        add(&q->body, "%.*s", (int)*n, data);
        *n = 0;
        return MHD_YES;
    }
    if (cls != NULL && q->key == NULL) {
        const char *key = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Idempotency-Key");
        q->key = key != NULL ? strdup(key) : NULL;
    }
    (void)pthread_mutex_lock(&lock);
    unsigned status = cls != NULL ? erp(c, q, &t) : xsale(c, method, url, q, &t);
    (void)pthread_mutex_unlock(&lock);
    return status == 0 ? MHD_YES : reply(c, status, &t);
}

static void completed(void *cls, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode how)
{
    struct request *q = *state;
    (void)cls;
    (void)c;
    (void)how;
    if (q == NULL)
        return;
    free(q->body.p);
    free(q->key);
    free(q);
}

static struct MHD_Daemon *serve(void *cls)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, answer, cls, MHD_OPTION_SOCK_ADDR, &a,
                            MHD_OPTION_CONNECTION_LIMIT, 2000u, MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, MHD_OPTION_END);
}

/* What is not as it must be at the end, and how far it is. */
static void say(void)
{
    long wrong_status = 0, missing = 0, stale = 0, finished = 0;
    (void)pthread_mutex_lock(&lock);
    for (long i = 0; i < fed; i++) {
        const struct order *o = &orders[i];
        int hopeless = kind(i) == MALFORMED && !corrected(i);
        long missing_here = 0, stale_here = 0;
        for (int w = 0; w < 2; w++) {
            missing_here += wanted_by(i, w) && !hopeless && !o->at[w].loaded;
            stale_here += wanted_by(i, w) && o->at[w].loaded && o->at[w].version != o->version;
        }
        int wrong = o->status != (hopeless ? MANUAL : IMPORTED);
        wrong_status += wrong;
        missing += missing_here;
        stale += stale_here;
        finished += !wrong && missing_here == 0 && stale_here == 0;
    }
    printf("{\"fed\": %ld, \"open\": %ld, \"finished\": %ld, \"wrong_status\": %ld, \"missing\": %ld, \"stale\": %ld, \"edits\": %ld, \"retries\": %ld, \"refusals\": %ld, "
           "\"loads\": %ld, \"repeats\": %ld, \"changes\": %ld, \"polls\": %u, \"operator\": %zu, \"faults\": {",
           fed, open_n, finished, wrong_status, missing, stale, edits, retries, refusals, loads, repeats, changes, poll_number, operator_queue.n);
    for (int f = 0; f < FAULTS; f++)
        printf("%s\"%s\": %ld", f > 0 ? ", " : "", fault_words[f], faults[f]);
    printf("}}\n");
    (void)fflush(stdout);
    (void)pthread_mutex_unlock(&lock);
}

static void resume(void)
{
    struct MHD_Connection *c;
    (void)pthread_mutex_lock(&lock);
    while ((c = due(&slow_queue)) != NULL)
        MHD_resume_connection(c);
    (void)pthread_mutex_unlock(&lock);
}

int main(int argc, char **argv)
{
    count = argc == 3 ? atol(argv[1]) : 0;
    window = argc == 3 ? atol(argv[2]) : 0;
    if (count < 1 || window < 1 || window > CAPACITY / 2 || (orders = calloc((size_t)count, sizeof *orders)) == NULL)
        return 2;
    struct MHD_Daemon *shop = serve(NULL), *firm = serve(&lock);
    if (shop == NULL || firm == NULL)
        return 1;
    printf("%u %u\n", MHD_get_daemon_info(shop, MHD_DAEMON_INFO_BIND_PORT)->port, MHD_get_daemon_info(firm, MHD_DAEMON_INFO_BIND_PORT)->port);
    (void)fflush(stdout);
    for (;;) {
        struct pollfd input = {.fd = 0, .events = POLLIN};
        char line[100];
        int ready = poll(&input, 1, 50);
        resume();
        if (ready <= 0)
            continue;
        ssize_t n = read(0, line, sizeof line - 1);
        if (n <= 0)
            _exit(0); /* requests that are held must not hold up the end */
        if (strncmp(line, "stop", 4) == 0) {
            (void)pthread_mutex_lock(&lock);
            count = fed;
            (void)pthread_mutex_unlock(&lock);
        }
        say();
    }
}
