/* The tape and jansson on generated documents: the same acceptance but for the differences that json_tape.h lists. Half of the documents are then damaged in
 * a few bytes. Usage: json_generated [DOCUMENTS [SEED]] */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "tests/json/json_peer.h"

enum { DOCUMENT_BYTES = 1 << 20, DEPTH = 12, DOCUMENTS = 200000, DAMAGES = 3 };

static uint64_t state;

/* splitmix64: the same everywhere. */
static uint32_t pick(uint32_t below)
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ (z >> 31)) % below);
}

static const char *const blanks[] = {"", "", "", "", " ", "\n", "\r\n\t", "  "};
static const char *const characters[] = {
    "a", "Z", "0", " ", "ż", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xef\xbf\xbf", "\x7f", "/", "\\n", "\\/", "\\\\", "\\\"", "\\u0105", "\\ud83d\\ude00",
    "\\u00e9", "\\b", "\\f", "\\r", "\\t", "\\uFFFF",
    /* from here on not everywhere or nowhere allowed */
    "\\u0000", "\\ud800", "\\udc00", "\\u12", "\\x", "\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\n", "\x01", "\\ud800\\u0041"};
enum { CHARACTERS = sizeof characters / sizeof characters[0], GOOD = 22 };
static const char *const numbers[] = {"0",   "-0",  "7",    "-12", "3.25", "1e2",  "1E+2", "0.5e-3", "9223372036854775807", "-9223372036854775808",
                                      "1.0", "1e0", "123456789012345678901234567890", "9223372036854775808", "1e400", "-1e400", "1e-400",
                                      /* wrong */
                                      "01", "-", "1.", ".5", "+1", "1e", "0x1", "NaN", "-Infinity", "1e+", "--1", "00"};
enum { NUMBERS = sizeof numbers / sizeof numbers[0], SOUND_NUMBERS = 17 };
static const char *const words[] = {"null", "true", "false", "nul", "True", "undefined"};

static void put_string(struct buf *b, uint32_t n)
{
    buf_put_byte(b, '"');
    while (n-- > 0)
        buf_put_text(b, characters[pick(40) == 0 ? pick(CHARACTERS) : pick(GOOD)]);
    buf_put_byte(b, '"');
}

static void put_value(struct buf *b, int depth);

static void put_container(struct buf *b, int depth, bool object)
{
    static const char *const keys[] = {"\"a\"", "\"b\"", "\"\\u0061\"", "\"\"", "\"Id\""};
    uint32_t n = pick(6);
    buf_put_byte(b, object ? '{' : '[');
    buf_put_text(b, blanks[pick(8)]);
    for (uint32_t i = 0; i < n; i++) {
        if (object && pick(3) == 0)
            buf_put_text(b, keys[pick(5)]);
        else if (object)
            put_string(b, pick(5));
        if (object) {
            buf_put_text(b, blanks[pick(8)]);
            buf_put_byte(b, ':');
        }
        put_value(b, depth);
        if (i + 1 < n || pick(200) == 0)
            buf_put_byte(b, ',');
    }
    buf_put_byte(b, object ? '}' : ']');
}

static void put_value(struct buf *b, int depth)
{
    buf_put_text(b, blanks[pick(8)]);
    switch (depth > 0 ? pick(5) : 2 + pick(3)) {
    case 0:
        put_container(b, depth - 1, true);
        break;
    case 1:
        put_container(b, depth - 1, false);
        break;
    case 2:
        put_string(b, pick(20));
        break;
    case 3:
        buf_put_text(b, numbers[pick(60) == 0 ? pick(NUMBERS) : pick(SOUND_NUMBERS)]);
        break;
    default:
        buf_put_text(b, words[pick(100) == 0 ? pick(6) : pick(3)]);
    }
    buf_put_text(b, blanks[pick(8)]);
}

/* Changes, drops or repeats a few bytes. */
static void damage(struct buf *b)
{
    static const char bytes[] = "{}[]\",:\\0123e+-. \ntfn\0\x80\xff";
    for (uint32_t i = pick(DAMAGES) + 1; i > 0 && b->n > 1; i--) {
        size_t at = pick((uint32_t)b->n);
        switch (pick(3)) {
        case 0:
            b->p[at] = (unsigned char)bytes[pick(sizeof bytes - 1)];
            break;
        case 1:
            memmove(b->p + at, b->p + at + 1, b->n - at - 1);
            b->n--;
            break;
        default:
            b->n = at + 1; /* cut */
        }
    }
}

int main(int argc, char **argv)
{
    unsigned long documents = argc > 1 ? strtoul(argv[1], NULL, 10) : DOCUMENTS, sound = 0;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    struct buf b;
    buf_init(&b, DOCUMENT_BYTES);
    for (unsigned long i = 0; i < documents; i++) {
        state = seed + i; /* a document can be made again by itself */
        buf_reset(&b);
        put_container(&b, (int)pick(DEPTH), pick(2) == 0);
        if (pick(2) == 0)
            damage(&b);
        if (buf_failed(&b))
            continue; /* larger than the room */
        char *exact = malloc(b.n);
        if (exact == NULL)
            return 1;
        memcpy(exact, b.p, b.n);
        const char *wrong = json_peer_compare(exact, b.n);
        if (wrong != NULL) {
            (void)fprintf(stderr, "document %" PRIu64 ": %s:\n%.*s\n", seed + i, wrong, (int)b.n, (const char *)b.p);
            return 1;
        }
        sound += json_peer_tape(exact, b.n) == JSON_SOUND;
        free(exact);
    }
    buf_release(&b);
    (void)printf("%lu documents from seed %" PRIu64 ": %lu sound, the same verdict as jansson's on all but for the listed differences\n", documents, seed, sound);
    return documents == 0 || (sound > documents / 5 && sound < documents - documents / 5) ? 0 : 1; /* else it proves little */
}
