#ifndef BRIDGE_BASE_PROBE_H
#define BRIDGE_BASE_PROBE_H

#include <sys/sdt.h>

/* A named place in a program: one nop, and a note in the ELF section .note.stapsdt that says where it stands. Nothing of ours runs there; whoever looks into a
 * running program puts a tracer on it (bpftrace -e 'usdt:/usr/bin/erp-consumer:bridge:load_submitted { @ = count(); }'), and the tests kill the program there.
 * Placed at every effect and between each effect and its acknowledgement; named noun_verb, the same name for the same place in every program. tests/e2e/points.py
 * lists all of them. */
#define PROBE(name) DTRACE_PROBE(bridge, name)

#endif
