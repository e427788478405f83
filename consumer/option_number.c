#include "consumer/option_number.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum rc option_number(const char *option, const char *text, int64_t least, int64_t most, int64_t *out, struct err *e)
{
    if (text == NULL)
        return RC_OK;
    errno = 0;
    int64_t value = strtoll(text, NULL, 10);
    if (*text != '\0' && strspn(text, "0123456789") == strlen(text) && errno == 0 && value >= least && value <= most) {
        *out = value;
        return RC_OK;
    }
    if (most == INT64_MAX)
        err_set(e, "%s: %.40s is no whole number from %" PRId64, option, text, least);
    else
        err_set(e, "%s: %.40s is no whole number from %" PRId64 " to %" PRId64, option, text, least, most);
    return RC_REJECT;
}
