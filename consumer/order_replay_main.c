/* order-replay: the operator's hand. */
#include "common/kafka/kafka_conf.h"
#include "common/kafka/registry.h"
#include "common/program/program.h"
#include "consumer/replay_explain.h"
#include "consumer/replay_rewind.h"
#include "consumer/replay_tail.h"

static void check(const struct config *c, struct config_problems *problems)
{
    kafka_conf_check(c, problems);
    registry_check(c, problems);
}

int main(int argc, char **argv)
{
    const struct program_command commands[] = {
        {.name = "explain",
         .arguments = "ORDER",
         .arguments_min = 1,
         .arguments_max = 1,
         .summary = "tell the life of one order",
         .description = "Reads every topic and tells what happened to one order: when it was published and what changed from one publication to the next, what each "
                        "warehouse's ERP answered, which status was set or why it was left alone, and what it waits for now. ORDER is its id, its number or the shop's own "
                        "(foreign) number.\n\n"
                        "Shows the order's content where it changed, which may be personal data. Exit code 3: no such order, or several.",
         .options = replay_explain_options,
         .options_n = replay_explain_options_n,
         .start = replay_explain_start,
         .stop = replay_explain_stop,
         .release = replay_explain_release},
        {.name = "rewind",
         .summary = "set a group of erp-consumer back, so that orders are loaded again",
         .description = "For an ERP that was restored from a backup: its erp-consumer's group is set to an earlier moment and loads every order since then again, under "
                        "the same idempotency keys. Documents that the ERP still has stay as they are. Orders that a newer publication stands behind are not loaded.\n\n"
                        "Shows first what is committed, what will be, and which records are meant. The group must have no members: stop its erp-consumers, nothing is "
                        "lost while they stand still. Statuses in xSale change only where an order's verdict changes.\n\n"
                        "Forward (--to end) is possible too: the records between are then never loaded by this group.",
         .options = replay_rewind_options,
         .options_n = replay_rewind_options_n,
         .start = replay_rewind_start,
         .stop = replay_rewind_stop,
         .release = replay_rewind_release},
        {.name = "tail",
         .summary = "show what is on the topics, decoded",
         .description = "Prints the records of the bridge's topics, oldest first within a partition, one line each. Reads only: nothing is changed or committed.",
         .options = replay_tail_options,
         .options_n = replay_tail_options_n,
         .start = replay_tail_start,
         .stop = replay_tail_stop,
         .release = replay_tail_release},
    };
    const struct program_desc desc = {
        .name = "order-replay",
        .summary = "see what became of orders, and put it right",
        .description = "For the operator of the bridge. It needs Kafka and the schema registry, and neither xSale nor the ERP.",
        .config_bit = CONFIG_REPLAY,
        .commands = commands,
        .commands_n = sizeof commands / sizeof *commands,
        .check = check,
    };
    return program_main(&desc, argc, argv);
}
