"""The named places of the programs (common/base/probe.h): which there are, where they stand in a built program, and how a running one is made to die there. Nothing in the
programs takes part: an int3 is written over the nop that the ELF note names, so the process ends by SIGTRAP at the next hit, and nothing of it runs any more, as with kill -9.
For x86-64, where the nop is one byte."""
import ctypes
import os
import signal
import struct

from harness import services

# What brings each of them about: `orders` that come, are edited, retried, withdrawn and refused; a `start`; a `stop`; outcomes of a `foreign` program.
COMMON = {"partitions_assigned": "start", "partitions_revoked": "stop", "partitions_released": "stop", "offsets_committing": "orders", "offsets_committed": "orders"}
POINTS = {
    "xsale-producer": {
        **COMMON,
        "orders_adopted": "start",
        "page_received": "orders",
        "order_producing": "orders",
        "order_produced": "orders",
        "order_acknowledged": "orders",
        "note_produced": "orders",
        "note_acknowledged": "orders",
        "refused_order_produced": "orders",
        "refused_order_acknowledged": "orders",
        "refusal_produced": "orders",
        "refusal_acknowledged": "orders",
        "row_applied": "orders",
        "absent_order_looked_at": "orders",
        "withdrawal_produced": "orders",
        "poll_complete": "orders",
    },
    "erp-consumer": {
        **COMMON,
        "record_received": "orders",
        "load_submitting": "orders",
        "load_requested": "orders",
        "load_answered": "orders",
        "file_written": "orders",
        "file_renamed": "orders",
        "directory_flushed": "orders",
        "statement_executing": "orders",
        "statement_executed": "orders",
        "statement_committed": "orders",
        "verdict_received": "orders",
        "dead_letter_produced": "orders",
        "dead_letter_acknowledged": "orders",
        "outcome_produced": "orders",
        "outcome_acknowledged": "orders",
        "record_finished": "orders",
    },
    "status-updater": {
        **COMMON,
        "ledger_restored": "start",
        "outcome_received": "orders",
        "row_produced": "orders",
        "row_acknowledged": "orders",
        "look_asked": "orders",
        "look_answered": "orders",
        "change_asked": "orders",
        "change_answered": "orders",
        "settlement_produced": "orders",
        "settlement_acknowledged": "orders",
        "outcome_letter_produced": "foreign",
        "outcome_letter_acknowledged": "foreign",
        "moved_outcome_produced": "foreign",
        "moved_outcome_acknowledged": "foreign",
    },
}
NOP, INT3 = b"\x90", b"\xcc"
TRACEME, DETACH = 0, 17     # of ptrace(2)
DEAD = -signal.SIGTRAP


def sections(elf):
    """{name: (address, bytes)} of a 64-bit little-endian ELF file."""
    offset, size, count, names = struct.unpack_from("<Q10xHHH", elf, 40)
    rows = [struct.unpack_from("<IIQQQQ", elf, offset + i * size) for i in range(count)]
    at = rows[names][4]
    return {elf[at + r[0]:elf.index(b"\0", at + r[0])].decode(): (r[3], elf[r[4]:r[4] + r[5]] if r[1] != 8 else b"") for r in rows}


def places(path):
    """{name: [addresses]}: one where a function was made part of several others has as many places."""
    with open(path, "rb") as f:
        found = sections(f.read())
    notes, base, at, places = found.get(".note.stapsdt", (0, b""))[1], found.get(".stapsdt.base", (0, b""))[0], 0, {}
    while at < len(notes):
        name_n, text_n, kind = struct.unpack_from("<III", notes, at)
        at += 12 + (name_n + 3) // 4 * 4
        text = notes[at:at + text_n]
        at += (text_n + 3) // 4 * 4
        provider, name, _ = text[24:].split(b"\0")[:3]
        if kind == 3 and provider == b"bridge":
            address, then, _ = struct.unpack_from("<QQQ", text)
            places.setdefault(name.decode(), []).append(address + base - then)
    return places


def loaded_at(pid, path):
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        for line in maps:
            row = line.split(None, 5)
            if len(row) == 6 and row[5].strip() == os.path.realpath(path) and int(row[2], 16) == 0:
                return int(row[0].split("-")[0], 16)
    raise RuntimeError(f"{path} is not mapped in {pid}")


def write(pid, path, name, old, new):
    begin = loaded_at(pid, path)
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        for address in places(path)[name]:
            memory.seek(begin + address)
            if memory.read(1) not in (old, new):
                raise RuntimeError(f"{name}: not the place that the note names")
            memory.seek(begin + address)
            memory.write(new)


def arm(pid, path, name):
    """The process dies the next time that it comes there."""
    write(pid, path, name, NOP, INT3)


def disarm(pid, path, name):
    write(pid, path, name, INT3, NOP)


def trace(request, pid):
    if ctypes.CDLL(None, use_errno=True).ptrace(request, pid, None, None) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace: {os.strerror(ctypes.get_errno())}")


def stopped():
    """Done in a child before it becomes a program: that stands still before its first step, until let_go."""
    services.die_with_parent()
    trace(TRACEME, 0)


def stands(pid):
    """Waits until it does."""
    _, status = os.waitpid(pid, 0)
    if not os.WIFSTOPPED(status):
        raise RuntimeError(f"{pid} has ended before its first step: {status}")


def let_go(pid):
    trace(DETACH, pid)
