# SPDX-License-Identifier: MIT
"""The cache of downloads and prepared images, and where the repository keeps things.

Everything that is built here is keyed by the content or the age of what it was built from, so
nobody has to clean it by hand; `packaging/setup.sh` fills `root/` with Debian's unpacked packages.
"""

import contextlib
import fcntl
import glob
import hashlib
import os
import subprocess

REPO = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
BUILD = os.path.join(REPO, os.environ.get("BUILD", "build"))
CACHE = os.environ.get("KRYPTON_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "krypton")
ROOT = os.path.join(CACHE, "root")
IMAGES = os.path.join(CACHE, "images")


class HarnessError(Exception):
    """Something the user must put right: printed as one line, without a backtrace."""


def ensure_setup():
    """Fills the cache if this is a fresh machine; a no-op otherwise."""
    if not os.path.exists(os.path.join(ROOT, ".stamp")):
        subprocess.run([os.path.join(REPO, "packaging", "setup.sh")], check=True)
    os.makedirs(IMAGES, exist_ok=True)


@contextlib.contextmanager
def lock(name):
    """Serialises the building of one image between parallel tests."""
    os.makedirs(IMAGES, exist_ok=True)
    with open(os.path.join(IMAGES, "." + name + ".lock"), "w") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def one(pattern, what):
    """The only file that matches; of several (kernel versions) the last."""
    found = sorted(glob.glob(pattern))
    if not found:
        raise HarnessError(f"no {what} ({pattern}); run packaging/setup.sh")
    return found[-1]


def debian_kernel():
    return one(os.path.join(ROOT, "boot", "vmlinuz-*-amd64"), "Debian kernel")


def debian_xen():
    return one(os.path.join(ROOT, "boot", "xen-4.17-amd64.gz"), "Debian Xen")


def kernel_version():
    return os.path.basename(debian_kernel())[len("vmlinuz-"):]


def key_of(*paths):
    """A short key over the names, sizes and times of files and whole folders."""
    h = hashlib.sha256()
    for path in paths:
        names = [path]
        if os.path.isdir(path):
            names = sorted(os.path.join(d, n) for d, _, f in os.walk(path) for n in f)
        for n in names:
            st = os.stat(n)
            h.update(f"{n}:{st.st_size}:{st.st_mtime_ns}\n".encode())
    return h.hexdigest()[:16]


def cached(name, inputs, make):
    """Path of image `name`, made by make(path) unless it exists for these inputs.

    Older versions of the same image are left for a parallel run and removed once a week old.
    """
    stem, ext = os.path.splitext(name)
    path = os.path.join(IMAGES, f"{stem}-{key_of(*inputs)}{ext}")
    if os.path.exists(path):
        return path
    with lock(stem):
        if not os.path.exists(path):
            make(path + ".tmp")
            os.rename(path + ".tmp", path)
    return path
