#include "common/program/program_words.h"

/* From the table, so that it cannot be wrong. */
void program_words_reload(const struct program_desc *d, struct buf *out)
{
    const char *comma = "";
    buf_put_text(out, "HUP reads the configuration again. Taken over without a restart, unless something in it is wrong: ");
    for (size_t i = 0; i < config_table_count; i++)
        if (config_table[i].reload && (config_table[i].programs & d->config_bit) != 0) {
            buf_printf(out, "%s%s.%s", comma, config_table[i].section, config_table[i].key);
            comma = ", ";
        }
    buf_put_text(out, ". What else has changed is named in the log and needs a restart.");
}

const struct program_exit program_exit_codes[] = {
    {0, "done"},
    {1, "a failure at work"},
    {2, "wrong configuration or usage"},
    {3, "the answer is no"},
};

/* Only a question can have the answer no. */
size_t program_exits(const struct program_desc *d)
{
    return d->commands_n > 0 || d->quiet_option != NULL ? 4 : 3;
}
