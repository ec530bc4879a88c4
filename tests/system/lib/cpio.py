# SPDX-License-Identifier: MIT
"""Writes initramfs archives ("newc" cpio) without root: every entry belongs to root.

add_*() fill an archive in memory; several archives may follow each other in one initramfs.
"""

import os
import stat


class Archive:
    def __init__(self):
        self._out = bytearray()
        self._ino = 1
        self._dirs = set()

    def _entry(self, name, mode, data=b"", rdev=(0, 0)):
        path = name.lstrip("/").encode()
        fields = (self._ino, mode, 0, 0, 1, 0, len(data), 0, 0, rdev[0], rdev[1],
                  len(path) + 1, 0)
        self._ino += 1
        self._out += b"070701" + b"".join(b"%08x" % f for f in fields) + path + b"\0"
        self._pad()
        self._out += data
        self._pad()

    def _pad(self):
        self._out += b"\0" * (-len(self._out) % 4)

    def add_dir(self, name, mode=0o755):
        name = name.strip("/")
        if not name or name in self._dirs:
            return
        self.add_dir(os.path.dirname(name))
        self._dirs.add(name)
        self._entry(name, stat.S_IFDIR | mode)

    def add_bytes(self, name, data, mode=0o644):
        self.add_dir(os.path.dirname(name))
        self._entry(name, stat.S_IFREG | mode, data)

    def add_link(self, name, target):
        self.add_dir(os.path.dirname(name))
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def add_char(self, name, major, minor, mode=0o600):
        self.add_dir(os.path.dirname(name))
        self._entry(name, stat.S_IFCHR | mode, rdev=(major, minor))

    def add_file(self, name, source, mode=None):
        """Copies a file's contents (links are followed)."""
        with open(source, "rb") as f:
            data = f.read()
        if mode is None:
            mode = 0o755 if os.access(source, os.X_OK) else 0o644
        self.add_bytes(name, data, mode)

    def add_tree(self, source):
        """Everything below a folder, links as links."""
        for folder, dirs, files in os.walk(source):
            dirs.sort()
            rel = os.path.relpath(folder, source)
            self.add_dir("" if rel == "." else rel)
            for n in sorted(files + [d for d in dirs if os.path.islink(os.path.join(folder, d))]):
                path = os.path.join(folder, n)
                name = os.path.normpath(os.path.join(rel, n))
                if os.path.islink(path):
                    self.add_link(name, os.readlink(path))
                else:
                    self.add_file(name, path)

    def finish(self):
        """The archive's bytes, padded so that another archive may follow."""
        self._entry("TRAILER!!!", 0)
        self._out += b"\0" * (-len(self._out) % 512)
        return bytes(self._out)
