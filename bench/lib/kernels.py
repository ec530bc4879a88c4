# SPDX-License-Identifier: MIT
"""Kernels that cost a hypervisor what Debian's costs it to load, but report when they begin.

Debian's kernel cannot tell at which instruction count it was entered, our benchmark guest can. So
the guest's ELF file is followed by Debian's whole kernel as ballast, which no segment loads, and
packed the way Debian's is. Unpacking it is the same work; the difference to the unpacked file is
the measure.
"""

import lzma
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "..", "..", "tests", "system", "lib"))
sys.dont_write_bytecode = True

import cache  # noqa: E402
import images  # noqa: E402


def heavy(guest):
    """The guest with Debian's unpacked kernel behind it: an ELF file."""
    vmlinux = images.vmlinux(cache.debian_kernel())

    def make(path):
        with open(path, "wb") as out:
            for part in (guest, vmlinux):
                with open(part, "rb") as f:
                    out.write(f.read())
    return cache.cached("bench-heavy", [guest, vmlinux], make)


def packed(guest):
    """The same as a bzImage with an xz payload, made by the kernel build's own settings."""
    original, elf = cache.debian_kernel(), heavy(guest)

    def make(path):
        with open(original, "rb") as f:
            image = bytearray(f.read())
        with open(elf, "rb") as f:
            data = f.read()
        filters = [{"id": lzma.FILTER_X86},
                   {"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 32 << 20}]
        payload = lzma.compress(data, lzma.FORMAT_XZ, lzma.CHECK_CRC32, filters=filters)
        payload += struct.pack("<I", len(data))
        start = (image[0x1f1] + 1) * 512
        offset, = struct.unpack_from("<I", image, 0x248)
        struct.pack_into("<I", image, 0x24c, len(payload))
        with open(path, "wb") as f:
            f.write(image[:start + offset] + payload)
    return cache.cached("bench-packed", [original, elf], make)
