# SPDX-License-Identifier: MIT
"""A run took too long: what was the machine doing?

Asks QEMU for the registers of each CPU, twice, and names the hypervisor's functions in them; then
types debug keys at the hypervisor's console, which works as long as one CPU takes interrupts. Both
go to standard error, beside what the case printed; the console's log has the whole of the latter.
"""

import bisect
import os
import re
import socket
import subprocess
import sys
import time

KEYS = b"qre0"
SWITCH = b"\x01\x01\x01"		# Ctrl-A three times: input to the hypervisor
INTERESTING = re.compile(r"^\((KRY|XEN)\) (CPU\d|    [d]\d+v|  *VCPU|General|    pause)")


class Symbols:
    """Names for addresses of the hypervisor, if its symbols are beside it."""

    def __init__(self, hypervisor):
        self._addresses, self._names = [], []
        path = f"{(hypervisor or '').removesuffix('.gz')}-syms"
        if not os.path.exists(path):
            return
        out = subprocess.run(["nm", "-n", path], capture_output=True, text=True).stdout
        for line in out.splitlines():
            address, kind, name = line.split(None, 2)
            if kind in "tT":
                self._addresses.append(int(address, 16))
                self._names.append(name)

    def name(self, address):
        at = bisect.bisect_right(self._addresses, address) - 1
        if at < 0 or address - self._addresses[at] > 0x4000:
            return ""
        return f" {self._names[at]}+{address - self._addresses[at]:#x}"


def show_cpus(qmp, symbols):
    text = qmp.monitor("info registers -a") or ""
    for cpu in re.split(r"(?m)^(?=CPU#)", text)[1:]:
        number = re.match(r"CPU#(\d+)", cpu).group(1)
        found = re.search(r"RIP=([0-9a-f]+) RFL=([0-9a-f]+).*CPL=(\d).*HLT=(\d)", cpu)
        if not found:
            continue
        rip, rfl, cpl, halted = found.groups()
        flags = "interrupts " + ("on" if int(rfl, 16) & 0x200 else "off")
        print(f"    CPU{number}: ring {cpl} at {rip}{symbols.name(int(rip, 16))}, {flags}"
              f"{', halted' if halted == '1' else ''}", file=sys.stderr)


def press_keys(path, log):
    """What the console says to the debug keys."""
    size = os.path.getsize(log)
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.settimeout(1)
        for key in [SWITCH] + [bytes([k]) for k in KEYS]:
            s.send(key)
            end = time.monotonic() + 2
            while time.monotonic() < end:	# read, or the port stalls
                try:
                    if not s.recv(65536):
                        return []
                except TimeoutError:
                    pass
    with open(log, errors="replace") as f:
        f.seek(size)
        return f.read().replace("\r", "").splitlines()


def examine(opt, qmp, console):
    symbols = Symbols(opt.hypervisor_file)
    try:
        for _ in range(2):
            show_cpus(qmp, symbols)
            time.sleep(0.5)
        lines = press_keys(console, opt.log)
    except OSError as e:
        print(f"    {e}", file=sys.stderr)
        return
    if not lines:
        print("    no answer to debug keys", file=sys.stderr)
    for line in lines:
        if INTERESTING.match(line):
            print(f"    {line}", file=sys.stderr)


__all__ = ["examine"]
