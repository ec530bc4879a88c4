# SPDX-License-Identifier: MIT
"""What is measured: each row's name, goal and aim, and the table that is printed of them.

Counts are guest instructions under QEMU's -icount; goals were set from Debian's Xen 4.17 with
mitigations off, whose figures bench/run takes anew in every run.
"""

import json

# name as the guest prints it: (goal, aim)
MICRO = {
    "null hypercall": (170, 120),
    "multicall, per entry at 32": (100, 60),
    "sched_op yield": (900, 400),
    "user syscall round trip": (550, 450),
    "#PF bounce and iret": (600, 500),
    "MMUEXT_NEW_BASEPTR, same table": (400, 300),
    "update_va_mapping RO/RW, no flush": (500, 350),
    "mmu_update RO/RW, per entry at 128": (380, 250),
    "mmu_update RO/RW, single": (None, None),
    "mmu_update 0/map, per entry at 128": (300, 200),
    "direct PTE write, emulated": (900, 600),
    "pin + unpin of an empty L1": (6000, 3000),
    "evtchn_send to own masked port": (250, 200),
    "alloc_unbound + close": (700, 500),
    "grant map, per page at 16": (550, 450),
    "grant unmap, per page at 16": (550, 450),
    "grant copy at 16, 64 B": (650, 450),
    "grant copy at 16, 4096 B": (1170, 970),
    "emulated rdmsr": (700, None),
    "emulated mov cr0": (750, None),
    "emulated clts": (650, None),
    "emulated cpuid": (300, None),
    "decrease_reservation + populate_physmap, 1 page": (1700, 1200),
}

BOOT = {
    "boot to dom0 entry: unpacking the xz kernel": (3_900_000_000, 3_600_000_000),
    "boot to dom0 entry: the rest": (80_000_000, 40_000_000),
}

# Figures of Xen 4.17.7's source and image, which no run can measure.
SIZE = {
    "resident size, KiB": (400, None, 3738),
    "lines": (40_000, None, 441_000),
    "longest function, lines": (100, None, 7923),
    "longest file, lines": (800, None, 8758),
}


def row(name, ours, xen, goal, aim=None):
    """One entry of the table and of the JSON list."""
    ratio = round(ours / xen, 3) if ours is not None and xen else None
    return {"name": name, "ours": ours, "xen": xen, "ratio": ratio, "goal": goal, "aim": aim}


def met(r):
    return None if r["goal"] is None or r["ours"] is None else r["ours"] <= r["goal"]


def show(rows):
    """The table: a star where the goal is missed, a plus where the aim is reached."""
    def num(v):
        return "-" if v is None else f"{v:,}"

    width = max(len(r["name"]) for r in rows)
    print(f"{'':{width}}  {'ours':>15} {'Xen':>15} {'ratio':>6} {'goal':>15} {'aim':>15}")
    for r in rows:
        mark = "*" if met(r) is False else ""
        if r["aim"] is not None and r["ours"] is not None and r["ours"] <= r["aim"]:
            mark = "+"
        ratio = "-" if r["ratio"] is None else f"{r['ratio']:.2f}"
        print(f"{r['name']:{width}}  {num(r['ours']):>15} {num(r['xen']):>15} {ratio:>6} "
              f"{num(r['goal']):>15} {num(r['aim']):>15} {mark}")
    missed = [r["name"] for r in rows if met(r) is False]
    measured = sum(r["ours"] is not None and r["goal"] is not None for r in rows)
    print(f"{measured - len(missed)} of {measured} goals met (* missed, + at the aim)")


def save(rows, path):
    with open(path, "w") as f:
        json.dump(rows, f, indent=1)
        f.write("\n")
