#include "consumer/option_moment.h"

#include "consumer/scan_time.h"

enum rc option_moment(struct program *p, const char *option, const char *otherwise, int64_t *out, struct err *e)
{
    const char *text = program_option_value(p, option);
    enum rc rc = scan_time_parse(text != NULL ? text : otherwise, clock_wall(loop_clock(program_loop(p))), out, e);
    if (rc != RC_OK)
        err_prefix(e, "%s", option);
    return rc;
}
