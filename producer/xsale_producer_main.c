#include "producer/producer.h"
#include "producer/xsale_client.h"

int main(int argc, char **argv)
{
    static const struct program_option options[] = {
        {"--once", NULL, "Make one complete poll, wait until everything is acknowledged, and end. A broker, a registry or an xSale that does not answer is waited for; "
                         "a login or a request that xSale refuses ends it at once with 1, and so does another replica that does not give the organization up within "
                         "producer.once_wait."},
    };
    static const struct program_desc desc = {
        .name = "xsale-producer",
        .summary = "take orders from xSale to Kafka",
        .description = "Polls the orders that stand in the new statuses of one xSale organization and publishes each of them once to the topic orders; "
                       "an edited order and one that an operator has set back to a new status is published again.\n\n"
                       "Several replicas may run: they share a consumer group, the one that owns it polls and the others take over when it goes.\n\n"
                       "An order that cannot become a record is rejected: the status-updater moves it to the manual status, and its bytes are kept "
                       "in the dead-letter topic.",
        .config_bit = CONFIG_PRODUCER,
        .port_key = "http.producer_port",
        .connections = xsale_client_connections,
        .options = options,
        .options_n = sizeof options / sizeof *options,
        .metrics = producer_metrics,
        .metrics_n = PRODUCER_METRICS,
        .check = producer_check,
        .start = producer_start,
        .stop = producer_stop,
        .reload = producer_reload,
        .release = producer_release,
    };
    return program_main(&desc, argc, argv);
}
