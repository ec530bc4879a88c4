# SPDX-License-Identifier: MIT
"""Sizes of our hypervisor: lines, longest function and file, resident memory after boot."""

import os
import re
import struct

ROOTS = ("xen-core", "arch/x86", "arch/include")


def sources(repo):
    for root in ROOTS:
        for folder, _, names in os.walk(os.path.join(repo, root)):
            for name in sorted(names):
                if name.endswith((".c", ".h", ".S")):
                    yield os.path.relpath(os.path.join(folder, name), repo)


def functions(text):
    """(name, lines) of each function: its body begins and ends with a brace in column 0."""
    lines = text.split("\n")
    start = None
    for i, line in enumerate(lines):
        if line == "{":
            start = i
        elif line == "}" and start is not None:
            head = " ".join(lines[max(0, start - 3):start])
            names = re.findall(r"(\w+)\s*\(", head)
            yield (names[-1] if names else "?"), i - start + 2
            start = None


def measure(repo):
    """{"lines": n, "file": (lines, path), "function": (lines, where)}"""
    total, longest_file, longest_fn = 0, (0, ""), (0, "")
    for path in sources(repo):
        with open(os.path.join(repo, path)) as f:
            text = f.read()
        n = text.count("\n")
        total += n
        longest_file = max(longest_file, (n, path))
        if path.endswith(".c"):
            for name, length in functions(text):
                longest_fn = max(longest_fn, (length, f"{name} in {path}"))
    return {"lines": total, "file": longest_file, "function": longest_fn}


def elf64(path):
    """(sections, symbols) of an ELF64 file: [(name, address, size, flags)], {name: value}"""
    with open(path, "rb") as f:
        data = f.read()
    shoff, = struct.unpack_from("<Q", data, 0x28)
    entsize, count, strndx = struct.unpack_from("<HHH", data, 0x3a)
    raw = [struct.unpack_from("<IIQQQQIIQQ", data, shoff + i * entsize) for i in range(count)]

    def text(table, offset):
        begin = raw[table][4] + offset
        return data[begin:data.index(b"\0", begin)].decode()

    sections = [(text(strndx, s[0]), s[3], s[5], s[2]) for s in raw]
    symbols = {}
    for s in raw:
        if s[1] != 2:  # SHT_SYMTAB
            continue
        for off in range(s[4], s[4] + s[5], 24):
            name, _, _, _, value, _ = struct.unpack_from("<IBBHQQ", data, off)
            symbols[text(s[6], name)] = value
    return sections, symbols


def resident(path):
    """Bytes kept after boot: loaded sections and bss, less what is freed with init."""
    sections, symbols = elf64(path)
    total = sum(size for _, _, size, flags in sections if flags & 2)  # SHF_ALLOC
    for begin, end in (("__init_begin", "__init_end"), ("__init_bss_start", "__init_bss_end")):
        if begin in symbols:
            total -= symbols[end] - symbols[begin]
    return total
