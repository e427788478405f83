/* The manual page bridge.ini(5), from the table of keys alone. */
#ifndef BRIDGE_BASE_CONFIG_MAN_H
#define BRIDGE_BASE_CONFIG_MAN_H

#include "common/base/buf.h"

/* date: "November 27, 2026", as mdoc(7) wants it. */
void config_man(struct buf *out, const char *date);

#endif
