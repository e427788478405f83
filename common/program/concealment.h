/* Keeps secrets from others on the machine: no core, no debugger of the same user, nothing in /proc/PID/cmdline and /proc/PID/environ.
 * Thread rule: before the first thread. */
#ifndef BRIDGE_PROGRAM_CONCEALMENT_H
#define BRIDGE_PROGRAM_CONCEALMENT_H

#include "common/base/err.h"

/* No core of this process, neither as a file (RLIMIT_CORE) nor through a handler (PR_SET_DUMPABLE); the kernel lets only root look at its memory from then on. */
enum rc conceal_memory(struct err *e);
/* Puts copies of -X values that are secret (config_name_secret) into argv, and of all BRIDGE_ variables into environment, and wipes them where the
 * kernel shows them: what comes after the "=". The copies live as long as the process. RC_FATAL: memory. */
enum rc conceal_arguments(int argc, char **argv, char **environment, struct err *e);

#endif
