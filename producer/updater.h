/* status-updater: outcomes in, ledger rows out, statuses set. Acknowledges backwards: an outcome's offset passes only after the row that notes it was
 * acknowledged; the ledger is the to-do list until xSale shows the status.
 * Thread rule: the loop's thread. */
#ifndef BRIDGE_PRODUCER_UPDATER_H
#define BRIDGE_PRODUCER_UPDATER_H

#include "common/program/program.h"
#include "producer/updater_metrics.h"

/* For program_desc: see there. until_end is the option --until-end. */
void updater_check(const struct config *c, struct config_problems *problems);
enum rc updater_start(struct program *p, void **state, struct err *e);
void updater_stop(void *state);
void updater_reload(void *state);
void updater_release(void *state);

#endif
