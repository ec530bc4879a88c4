# SPDX-License-Identifier: MIT
"""What differs when the machine is Bochs: its configuration file and its command line.

Bochs has what QEMU's TCG lacks (AVX-512, x2APIC, TSC-deadline timers, VT-x) and runs at some 30
million instructions a second: for test guests, not for Linux. It loads a GRUB image; nothing but the
console comes out, so the run must end by a test guest's exit line or an expected text.
"""

import os
import socket
import threading

import media

DEFAULT_MODEL = "corei7_skylake_x"

CONFIG = """config_interface: textconfig
display_library: rfb, options="timeout=0"
cpu: model={model}, count={smp}, ips=50000000, reset_on_triple_fault=0, ignore_bad_msrs=1
memory: guest={mem}, host={mem}
romimage: file=/usr/share/bochs/BIOS-bochs-latest, options=fastboot
vgaromimage: file=/usr/share/seabios/vgabios-stdvga.bin
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path={iso}, status=inserted
boot: cdrom
com1: enabled=1, mode=socket-client, dev=127.0.0.1:{port}
clock: sync=none, time0=1600000000, rtc_sync=0
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
panic: action=fatal
error: action=report
info: action=ignore
log: {work}/bochs.log
"""


def console_to(path):
    """A port on loopback, and the thread by which what comes in there goes to the file at once."""
    listener = socket.create_server(("127.0.0.1", 0))

    def copy():
        conn, _ = listener.accept()
        with conn, open(path, "ab", buffering=0) as log:
            while data := conn.recv(4096):
                log.write(data)

    thread = threading.Thread(target=copy, daemon=True)
    thread.start()
    return listener.getsockname()[1], thread


def command_line(opt, modules, work):
    """Bochs's arguments; opt.cpu of the form bochs:MODEL (or bochs) chooses the CPU.

    Its own console file is buffered, so the console comes by a socket: opt.console_thread ends when all is in.
    """
    port, opt.console_thread = console_to(opt.log)
    model = opt.cpu.partition(":")[2] or DEFAULT_MODEL
    iso = opt.iso or media.iso(opt, modules, work, ["i386-pc"])
    with open(f"{work}/bochsrc", "w") as f:
        f.write(CONFIG.format(model=model, smp=opt.smp, mem=opt.mem, iso=iso, work=work, port=port))
    # Debian's binary has the debugger in it, which waits for this "continue".
    with open(f"{work}/debugger", "w") as f:
        f.write("c\n")
    return [os.environ.get("KRYPTON_BOCHS", "bochs"), "-q", "-f", f"{work}/bochsrc",
            "-rc", f"{work}/debugger"]
