#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns the linked ELF64 hypervisor into the ELF32 file that boot loaders load.

QEMU's -kernel accepts multiboot 1 only in an ELF32 file, and GRUB takes it as well. The result has
one load segment: physical address IMAGE_PHYS, memory size including the zeros that follow.

Usage: mkelf32.py KRYPTON-SYMS KRYPTON
"""

import struct
import sys

IMAGE_BASE = 0xffff82d040000000		# IMAGE_START in x86/layout.h
PT_LOAD = 1
FILE_OFFSET = 4096


def load_segment(elf):
    """(virtual address, file bytes, memory size, entry) of the only PT_LOAD."""
    if elf[:6] != b"\x7fELF\x02\x01":
        sys.exit("mkelf32: not a little-endian ELF64 file")
    entry, phoff = struct.unpack_from("<QQ", elf, 24)
    phentsize, phnum = struct.unpack_from("<HH", elf, 54)
    loads = []
    for i in range(phnum):
        ptype, _, offset, vaddr, _, filesz, memsz, _ = struct.unpack_from(
            "<IIQQQQQQ", elf, phoff + i * phentsize)
        if ptype == PT_LOAD and memsz:
            loads.append((vaddr, elf[offset:offset + filesz], memsz))
    if len(loads) != 1:
        sys.exit(f"mkelf32: expected one load segment, found {len(loads)}")
    return loads[0] + (entry,)


def main():
    with open(sys.argv[1], "rb") as f:
        vaddr, data, memsz, entry = load_segment(f.read())
    phys = vaddr - IMAGE_BASE
    ehdr = struct.pack("<16sHHIIIIIHHHHHH", b"\x7fELF\x01\x01\x01", 2, 3, 1, entry - IMAGE_BASE,
                       52, 0, 0, 52, 32, 1, 0, 0, 0)
    phdr = struct.pack("<IIIIIIII", PT_LOAD, FILE_OFFSET, phys, phys, len(data), memsz, 7, 4096)
    with open(sys.argv[2], "wb") as f:
        f.write((ehdr + phdr).ljust(FILE_OFFSET, b"\0") + data)


if __name__ == "__main__":
    main()
