#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the symbol table that is linked into the hypervisor, from `nm -n` on standard input.

Text symbols only, for backtraces and XENPF_get_symbol. Without input lines the table is empty:
that is the first pass of the link. The data goes to a section after all code, so adding it does
not move a single function, and one further pass is enough.
"""

import sys

IMAGE_BASE = 0xffff82d040200000	# _start


def symbols(lines):
    seen = {}
    for line in lines:
        addr, kind, name = line.split()[:3]
        # Local labels and mapping symbols say nothing to a reader.
        if kind in "tT" and not name.startswith((".", "$")):
            seen.setdefault(int(addr, 16) - IMAGE_BASE, name)
    return sorted(seen.items())


def words(values):
    lines = [", ".join(map(str, values[i:i + 12])) for i in range(0, len(values), 12)]
    return ",\n\t".join(lines) if lines else "0"


def main():
    table = symbols(line for line in sys.stdin if len(line.split()) >= 3)
    offsets, text = [], []
    where = 0
    for _, name in table:
        offsets.append(where)
        where += len(name) + 1
        text.append(f'\t"{name}\\0"')
    section = '__section(".symtab_data")'
    print("/* Made by mksymtab.py; do not edit. */\n#include <core/types.h>\n#include \"symtab.h\"\n")
    print(f"const unsigned int symtab_count {section} = {len(table)};")
    print(f"const uint32_t symtab_addr[] {section} = {{\n\t{words([a for a, _ in table])}\n}};")
    print(f"const uint32_t symtab_name[] {section} = {{\n\t{words(offsets)}\n}};")
    print(f"const char symtab_names[] {section} =\n" + ("\n".join(text) or '\t""') + ";")


if __name__ == "__main__":
    main()
