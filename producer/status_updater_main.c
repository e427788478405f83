#include "producer/updater.h"
#include "producer/xsale_client.h"

int main(int argc, char **argv)
{
    static const struct program_option options[] = {
        {"--until-end", NULL, "Work off the outcomes that are there, settle every status, and end; at once with 1 when xSale refuses the login."},
    };
    const struct program_desc desc = {
        .name = "status-updater",
        .summary = "set the status of orders in xSale by what became of them in the ERP",
        .description = "Reads the outcomes of every warehouse, joins those of the newest publication of an order, and sets the imported or the "
                       "manual status in xSale. It looks before it writes and leaves alone what a person has set.\n\n"
                       "What it knows of each order is a row of the ledger, the compacted topic order-status; the ledger is also its list of what is "
                       "still to be done, so it can be killed at any moment.",
        .config_bit = CONFIG_UPDATER,
        .port_key = "http.updater_port",
        .connections = xsale_client_connections,
        .options = options,
        .options_n = sizeof options / sizeof options[0],
        .metrics = updater_metrics,
        .metrics_n = UPDATER_METRICS,
        .check = updater_check,
        .start = updater_start,
        .stop = updater_stop,
        .reload = updater_reload,
        .release = updater_release,
    };
    return program_main(&desc, argc, argv);
}
