#include "producer/jwt.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PAYLOAD_BYTES = 65536 }; /* of base64url text; real ones have a kilobyte or two */

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '-' || c == '+')
        return 62;
    return c == '_' || c == '/' ? 63 : -1;
}

/* out has room for n * 3 / 4 + 1 bytes. */
static bool decode(const char *text, size_t n, char *out, size_t *out_n)
{
    uint32_t bits = 0;
    unsigned have = 0;
    *out_n = 0;
    for (size_t i = 0; i < n; i++) {
        int d = digit(text[i]);
        if (d < 0)
            return false;
        bits = (bits << 6 | (uint32_t)d) & 0xFFFF;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[(*out_n)++] = (char)(unsigned char)(bits >> have);
        }
    }
    return true;
}

static bool number(const json_t *v, int64_t *out)
{
    if (json_is_integer(v)) {
        *out = json_integer_value(v);
        return *out > 0;
    }
    if (!json_is_real(v)) /* RFC 7519 allows fractions */
        return false;
    double d = floor(json_real_value(v));
    if (!(d > 0 && d < 1e12))
        return false;
    *out = (int64_t)d;
    return true;
}

bool jwt_expiry(const char *token, int64_t *expires_s)
{
    const char *payload = strchr(token, '.');
    if (payload == NULL)
        return false;
    size_t n = strcspn(++payload, ".=");
    if (n == 0 || n > PAYLOAD_BYTES)
        return false;
    bool ok = false;
    size_t text_n;
    json_t *root = NULL;
    char *text = malloc(n * 3 / 4 + 1);
    if (text == NULL || !decode(payload, n, text, &text_n))
        goto out;
    root = json_loadb(text, text_n, 0, NULL);
    ok = number(json_object_get(root, "exp"), expires_s);
out:
    json_decref(root);
    free(text);
    return ok;
}
