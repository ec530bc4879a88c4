# SPDX-License-Identifier: MIT
"""One run of QEMU: its command line, and the wait for what it comes to.

The guest talks to us through three channels, each a plain file or socket so that no channel can
stall the machine: COM1 is the console (hypervisor and dom0, into the log), COM2 carries the
script's output and its status, and QMP says how the machine ended.
"""

import json
import os
import re
import socket
import subprocess
import sys
import time

import autopsy
import cache

# TCG mends: IRET in ring 3 faults with SMAP set (QEMU 7.2).
DEFAULT_CPU = "max,-smap"

# A run's exit statuses besides the script's own.
TIMEOUT = 124
PANICKED = 125
ENDED_EARLY = 126

DISK_DEVICES = {
    "virtio": "virtio-blk-pci,drive=d{n}",
    "ide": "ide-hd,drive=d{n}",
    "ahci": "ide-hd,drive=d{n},bus=ahci0.{n}",
    "nvme": "nvme,drive=d{n},serial=krypton{n}",
    "usb": "usb-storage,drive=d{n},bus=xhci0.0",
}


def qemu_binary():
    return os.environ.get("KRYPTON_QEMU", "qemu-system-x86_64")


def disk_arguments(opt):
    args = []
    if opt.disk_if == "ahci" and opt.disk:
        args += ["-device", "ahci,id=ahci0"]
    if opt.disk_if == "usb" and opt.disk:
        args += ["-device", "qemu-xhci,id=xhci0"]
    for n, path in enumerate(opt.disk):
        fmt = "qcow2" if path.endswith(".qcow2") else "raw"
        args += ["-drive", f"if=none,id=d{n},format={fmt},file={path}",
                 "-device", DISK_DEVICES[opt.disk_if].format(n=n)]
    for n, path in enumerate(opt.shared_disk, len(opt.disk)):
        args += ["-drive", f"if=none,id=d{n},format=raw,file={path},file.locking=off",
                 "-device", DISK_DEVICES["virtio"].format(n=n)]
    return args


def network_arguments(opt):
    args = ["-nic", f"user,model={opt.nic}" if opt.net else "none"]
    if opt.link:
        here, there = opt.link.split(",")
        if os.path.exists(here):
            os.unlink(here)
        mac = f"52:54:00:4c:4b:{1 if here < there else 2:02x}"
        args += ["-netdev", f"dgram,id=link,local.type=unix,local.path={here},"
                            f"remote.type=unix,remote.path={there}",
                 "-device", f"virtio-net-pci,netdev=link,mac={mac}"]
    return args


def command_line(opt, work, boot_args):
    """QEMU's arguments for the options of tests/system/boot; `boot_args` say what to load."""
    args = [qemu_binary(), "-nodefaults", "-vga", "std", "-display", "none", "-no-reboot", "-machine", opt.machine,
            "-cpu", opt.cpu, "-smp", str(opt.smp), "-m", str(opt.mem), "-monitor", "none"]
    if opt.icount:
        shift = 0 if opt.via == "direct" else 3
        args += ["-accel", "tcg,thread=single", "-icount", f"shift={shift},sleep=off",
                 "-rtc", "base=2020-01-01,clock=vm"]
    else:
        args += ["-accel", "tcg"]
        if opt.rtc:
            args += ["-rtc", f"base={opt.rtc}"]
    if opt.interactive:
        args += ["-serial", "mon:stdio"]
    else:
        # A socket, so that autopsy.py can type; all output goes to the log.
        args += ["-chardev", f"socket,id=com1,path={work}/com1,server=on,wait=off,"
                             f"logfile={opt.log},logappend=off", "-serial", "chardev:com1"]
    args += ["-serial", f"file:{work}/output",
             "-qmp", f"unix:{work}/qmp,server=on,wait=off"]
    args += network_arguments(opt)
    if opt.gdb:
        args += ["-s", "-S"]
    return args + disk_arguments(opt) + boot_args + opt.qemu_arg


class Qmp:
    """Just enough of QEMU's monitor protocol to learn why the machine stopped."""

    def __init__(self, path):
        self._path = path
        self._sock = None
        self._text = b""
        self._answer = None
        self.reason = None

    def poll(self):
        try:
            if not self._sock:
                s = socket.socket(socket.AF_UNIX)
                s.connect(self._path)
                s.setblocking(False)
                s.send(b'{"execute":"qmp_capabilities"}\n')
                self._sock = s
            while True:
                part = self._sock.recv(65536)
                if not part:
                    break
                self._text += part
        except OSError:
            pass
        *lines, self._text = self._text.split(b"\n")
        for line in lines:
            event = json.loads(line)
            if event.get("event") == "SHUTDOWN":
                self.reason = event["data"].get("reason")
            elif isinstance(event.get("return"), str):
                self._answer = event["return"]

    def monitor(self, command):
        """What QEMU's monitor says to a command; None if it does not answer in time."""
        self._answer = None
        self.poll()
        if not self._sock:
            return None
        self._sock.send(json.dumps({"execute": "human-monitor-command",
                                    "arguments": {"command-line": command}}).encode())
        end = time.monotonic() + 10
        while self._answer is None and time.monotonic() < end:
            time.sleep(0.05)
            self.poll()
        return self._answer


class Tail:
    """Reads what is appended to a file."""

    def __init__(self, path):
        self._path = path
        self._file = None

    def read(self):
        if not self._file:
            try:
                self._file = open(self._path, "rb")
            except FileNotFoundError:
                return b""
        return self._file.read()


class Output:
    """The script's output: everything between the begin and the end mark of COM2.

    The marks carry a random token; the end mark carries the status. Text is passed on as it
    comes, but for a tail that may be the beginning of an end mark.
    """

    def __init__(self, token, sink):
        self._begin = f"<{token}:begin>".encode()
        self._end = re.compile(f"<{token}:end:([0-9]+)>".encode())
        self._mark = f"<{token}:end:".encode()
        self._text = b""
        self._begun = False
        self._sink = sink
        self.status = None

    def feed(self, data):
        if self.status is not None:
            return
        self._text += data
        if not self._begun:
            at = self._text.find(self._begin)
            if at < 0:
                return
            self._begun = True
            self._text = self._text[at + len(self._begin):]
        end = self._end.search(self._text)
        if end:
            self._write(self._text[:end.start()])
            self.status = int(end.group(1))
        else:
            known = len(self._text) - self._held()
            self._write(self._text[:known])
            self._text = self._text[known:]

    def _held(self):
        """How many of the last bytes may belong to an end mark that has not come in full."""
        at = self._text.rfind(b"<")
        tail = self._text[at:] if at >= 0 else b""
        digits = tail[len(self._mark):]
        begun = self._mark.startswith(tail) or (tail.startswith(self._mark) and digits.isdigit())
        return len(tail) if begun else 0

    def finish(self):
        """The machine is gone: what was held back is output after all."""
        if self._begun and self.status is None:
            self._write(self._text)

    def _write(self, data):
        self._sink.write(data)
        self._sink.flush()


class Console:
    """Watches the console for a panic, for a test guest's exit line and for expected text.

    A test guest has no COM2: what it prints on the console, less the hypervisor's lines, is
    the output.
    """

    EXIT = re.compile(rb"KTEST-EXIT: *([0-9]+)")
    OURS = re.compile(rb"^\((XEN|KRY)\) ?")
    # Xen prints a banner without its mark first.
    START = (b"Xen is relinquishing VGA console", b"*** Serial input", b"(KRY)")

    def __init__(self, guest, expect, sink):
        self._line = b""
        self._guest = guest
        self._expect = expect.encode() if expect else None
        self._sink = sink
        self._started = False
        self.panicked = False
        self.expected = False
        self.status = None

    def feed(self, data):
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._one(line.rstrip(b"\r"))

    def _one(self, line):
        if b"Panic on CPU" in line:
            self.panicked = True
        if self._expect and self._expect in line:
            self.expected = True
        found = self.EXIT.search(line)
        if self._guest and found:
            self.status = int(found.group(1))
        elif self._guest and self.status is None:
            if self.OURS.match(line):
                self._started = self._started or any(s in line for s in self.START)
            elif self._started:
                self._sink.write(line + b"\n")
                self._sink.flush()


class MonitorOn:
    """Gives a command to QEMU's monitor when a line with its text appears (--monitor-on)."""

    def __init__(self, wanted, qmp):
        self.wanted = list(wanted)
        self._qmp = qmp
        self._rest = {}

    def feed(self, channel, data):
        """What came on a channel (any name) is passed on."""
        *lines, self._rest[channel] = (self._rest.get(channel, b"") + data).split(b"\n")
        for line in lines:
            for pair in [w for w in self.wanted if w[0].encode() in line]:
                self.wanted.remove(pair)
                answer = self._qmp.monitor(pair[1])
                if answer is None or answer.strip():
                    complain(f"monitor, {pair[1]!r}: {'no answer' if answer is None else answer}")
        return data


def verdict(opt, proc, console, output, qmp):
    """The run's status if it has come to an end, else None."""
    if console.expected:
        return 0
    if console.panicked and opt.end != "panic":
        return PANICKED
    if opt.end:
        if opt.end == "panic":
            return 0 if console.panicked else (ENDED_EARLY if proc.poll() is not None else None)
        if opt.end in ("poweroff", "reboot"):
            want = "guest-shutdown" if opt.end == "poweroff" else "guest-reset"
            if proc.poll() is not None:
                return 0 if qmp.reason == want else ENDED_EARLY
            return None
    elif output.status is not None:
        return output.status
    elif console.status is not None:
        return console.status
    if proc.poll() is not None:
        return ENDED_EARLY
    return None


def complain(text):
    print(f"boot: {text}", file=sys.stderr)


def run(opt, args, work, token):
    """Runs QEMU until the script ended, the machine did, or the time is over."""
    guest = opt.guest
    if opt.interactive:
        return subprocess.run(args).returncode
    console = Console(guest, opt.end if opt.end not in ("poweroff", "reboot", "panic") else None,
                      sys.stdout.buffer)
    output = Output(token, sys.stdout.buffer)
    qmp = Qmp(f"{work}/qmp")
    log, out = Tail(opt.log), Tail(f"{work}/output")
    reactions = MonitorOn(opt.monitor_on, qmp)
    quiet = subprocess.DEVNULL if args[0].endswith("bochs") else None
    proc = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=quiet, stderr=quiet)
    deadline = time.monotonic() + opt.timeout
    status = None
    try:
        while status is None:
            gone = proc.poll() is not None
            if gone and getattr(opt, "console_thread", None):
                opt.console_thread.join(5)
            console.feed(reactions.feed("console", log.read()))
            output.feed(reactions.feed("output", out.read()))
            qmp.poll()
            status = verdict(opt, proc, console, output, qmp)
            if status == ENDED_EARLY and not gone:
                status = None		# it may have said more since we looked
            elif status is None and gone:
                status = ENDED_EARLY
            elif status is None and time.monotonic() > deadline:
                status = TIMEOUT
            elif status is None:
                time.sleep(0.05)
        if status == PANICKED:
            time.sleep(2)		# let the rest of the panic reach the log
            console.feed(log.read())
            status = 0 if console.expected else status
        elif status == TIMEOUT:
            complain(f"no end after {opt.timeout} s")
            show_console(opt.log)
            if args[0] == qemu_binary():
                complain("what the machine does:")
                autopsy.examine(opt, qmp, f"{work}/com1")
    finally:
        proc.kill()
        proc.wait()
        output.feed(out.read())
        output.finish()
    if status == PANICKED:
        complain("the hypervisor panicked")
    elif status == ENDED_EARLY and not (console.status or output.status):
        complain(f"the machine ended too early ({qmp.reason or proc.returncode})")
    if status in (PANICKED, ENDED_EARLY):
        show_console(opt.log)
    return status


def show_console(path):
    """The console's last lines, for whoever has to find out what went wrong."""
    with open(path, errors="replace") as f:
        for line in f.read().replace("\r", "").splitlines()[-20:]:
            print(f"    {line}", file=sys.stderr)


__all__ = ["command_line", "run", "complain", "cache"]
