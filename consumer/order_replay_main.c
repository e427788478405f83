/* order-replay: the operator's hand. */
#include "common/kafka/kafka_conf.h"
#include "common/kafka/registry.h"
#include "common/program/program.h"
#include "consumer/replay_explain.h"
#include "consumer/replay_reconcile.h"
#include "consumer/replay_redrive.h"
#include "consumer/replay_resend.h"
#include "consumer/replay_rewind.h"
#include "consumer/replay_serve.h"
#include "consumer/replay_tail.h"
#include "consumer/replay_waiting.h"

static void check(const struct config *c, struct config_problems *problems)
{
    kafka_conf_check(c, problems);
    registry_check(c, problems);
}

int main(int argc, char **argv)
{
    const struct program_command commands[] = {
        replay_explain_command,
        replay_reconcile_command,
        replay_redrive_command,
        replay_resend_command,
        replay_rewind_command,
        replay_serve_command,
        replay_tail_command,
        replay_waiting_command,
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
