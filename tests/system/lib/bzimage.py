#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Debian's kernel in other wrappings: bzimage.py WHAT OUT.

WHAT is zstd, gzip or lz4 (the same kernel, packed so), or cut, damaged, unknown (spoilt).
"""

import ctypes
import gzip
import lzma
import struct
import subprocess
import sys

import cache

PAYLOAD_OFFSET, PAYLOAD_LENGTH = 0x248, 0x24c
LZ4_LEGACY = b"\x02\x21\x4c\x18"
LZ4_BLOCK = 8 << 20


def lz4_legacy(data):
    """The frame that Linux's build uses: blocks of at most 8 MiB, each behind its packed length."""
    lib = ctypes.CDLL("liblz4.so.1")
    out = [LZ4_LEGACY]
    for at in range(0, len(data), LZ4_BLOCK):
        block = data[at:at + LZ4_BLOCK]
        room = lib.LZ4_compressBound(len(block))
        packed = ctypes.create_string_buffer(room)
        size = lib.LZ4_compress_default(block, packed, len(block), room)
        out += [struct.pack("<I", size), packed.raw[:size]]
    return b"".join(out)


def zstd(data):
    return subprocess.run(["zstd", "-q", "-3", "-c"], input=data, check=True,
                          stdout=subprocess.PIPE).stdout


def main():
    what, out = sys.argv[1:]
    with open(cache.debian_kernel(), "rb") as f:
        image = bytearray(f.read())
    start = ((image[0x1f1] or 4) + 1) * 512 + struct.unpack_from("<I", image, PAYLOAD_OFFSET)[0]
    length, = struct.unpack_from("<I", image, PAYLOAD_LENGTH)
    if what == "cut":
        image = image[:start + length // 2]
    elif what == "damaged":
        image[start + length // 2] ^= 0x55
    elif what == "unknown":
        image[start:start + 6] = b"BZh91A"
    else:
        kernel = lzma.decompress(bytes(image[start:start + length - 4]))
        size = struct.pack("<I", len(kernel))
        packed = {"gzip": lambda: gzip.compress(kernel, 1), "zstd": lambda: zstd(kernel) + size,
                  "lz4": lambda: lz4_legacy(kernel) + size}[what]()
        struct.pack_into("<I", image, PAYLOAD_LENGTH, len(packed))
        image = image[:start] + packed
    with open(out, "wb") as f:
        f.write(image)


if __name__ == "__main__":
    main()
