/* Tells the service manager (systemd) what the program does, where the environment says that one listens: NOTIFY_SOCKET, and WATCHDOG_USEC for signs of life,
 * which come from a timer of the loop, so they end when the loop stands. The protocol is a datagram of lines; libsystemd would be one more library for it.
 * Nothing is ever waited for. Source: sd_notify(3). Thread rule: the loop's thread. */
#ifndef BRIDGE_NET_SERVICE_MANAGER_H
#define BRIDGE_NET_SERVICE_MANAGER_H

#include "common/net/health.h"
#include "common/net/loop.h"

struct service_manager;

/* h: borrowed, its state becomes the STATUS line, looked at every 5 s. RC_FATAL: memory. Where nobody listens everything below does nothing. */
enum rc service_manager_create(struct loop *l, const struct health *h, struct service_manager **out, struct err *e);
void service_manager_destroy(struct service_manager *s); /* NULL is a no-op */
/* The loop turns and the program works or waits for what it depends on (which may take hours, so that is no part of being started). */
void service_manager_ready(struct service_manager *s);
void service_manager_reloading(struct service_manager *s); /* service_manager_ready ends it */
void service_manager_stopping(struct service_manager *s);

#endif
