# SPDX-License-Identifier: MIT
"""What QEMU loads: direct (-kernel, multiboot1), or a GRUB image for BIOS and UEFI."""

import os
import shutil
import subprocess

import cache
import images

# What grub.cfg needs; a full module set makes building slow.
GRUB_MODULES = ("normal iso9660 multiboot2 serial gzio part_msdos part_gpt fat search echo test "
                "configfile minicmd ls cat reboot halt all_video gfxterm linux")

OVMF = "/usr/share/OVMF/OVMF_CODE_4M.fd"
OVMF_VARS = "/usr/share/OVMF/OVMF_VARS_4M.fd"


def comma(text):
    """QEMU ends an option's value at a comma unless it is doubled."""
    return text.replace(",", ",,")


def direct(opt, modules):
    """-kernel HV -initrd "KERNEL ARGS,INITRD,MODULE..." (QEMU wants an ELF32 image)."""
    args = ["-kernel", images.unpacked(opt.hypervisor_file)]
    if opt.cmdline:
        args += ["-append", opt.cmdline]
    specs = [comma(path) + (" " + comma(text) if text else "") for path, text in modules]
    if specs:
        args += ["-initrd", ",".join(specs)]
    return args


def bare(opt, modules):
    """No hypervisor at all: the kernel alone, as a control."""
    (kernel, text), *rest = modules
    args = ["-kernel", kernel, "-append", text.replace("console=hvc0", "console=ttyS0")]
    if rest:
        args += ["-initrd", rest[0][0]]
    return args


def grub_config(opt, modules):
    """Boots at once; entries of `modules` are (file on the image, arguments)."""
    lines = ["serial --unit=0 --speed=115200", "terminal_input console serial",
             "terminal_output console serial", "set timeout=0",
             "menuentry Krypton {",
             f"\tmultiboot2 /boot/hypervisor placeholder {opt.cmdline}"]
    for name, text in modules:
        lines.append(f"\tmodule2 --nounzip {name} placeholder {text}" if text
                     else f"\tmodule2 --nounzip {name}")
    return "\n".join(lines + ["\tboot", "}", ""])


def make_iso(path, tree, platforms):
    """A bootable image of folder `tree` for one of GRUB's platforms, or all that are installed."""
    args = ["grub-mkrescue", "-o", path, "--fonts=", "--locales=", "--themes=", "--compress=no"]
    if len(platforms) == 1:
        args += [f"--install-modules={GRUB_MODULES}", "-d", f"/usr/lib/grub/{platforms[0]}"]
    done = subprocess.run(args + [tree], capture_output=True, text=True)
    if done.returncode:
        raise cache.HarnessError("grub-mkrescue: " + done.stderr[-500:])


def iso(opt, modules, work, platforms):
    """Builds the image of this run."""
    tree = f"{work}/iso"
    os.makedirs(f"{tree}/boot/grub")
    shutil.copy(opt.hypervisor_file, f"{tree}/boot/hypervisor")
    names = []
    for n, (path, text) in enumerate(modules):
        shutil.copy(path, f"{tree}/boot/module{n}")
        names.append((f"/boot/module{n}", text))
    with open(f"{tree}/boot/grub/grub.cfg", "w") as f:
        f.write(grub_config(opt, names))
    path = f"{work}/boot.iso"
    make_iso(path, tree, platforms)
    shutil.rmtree(tree)
    return path


def grub(opt, modules, work):
    path = opt.iso or iso(opt, modules, work, ["i386-pc"])
    return ["-boot", "d", "-cdrom", path]


def uefi(opt, modules, work):
    path = opt.iso or iso(opt, modules, work, ["x86_64-efi"])
    shutil.copy(OVMF_VARS, f"{work}/vars.fd")
    return ["-drive", f"if=pflash,format=raw,readonly=on,file={OVMF}",
            "-drive", f"if=pflash,format=raw,file={work}/vars.fd",
            "-boot", "d", "-cdrom", path]


def boot_arguments(opt, modules, work):
    """QEMU's arguments that make it load the stack `modules`: [(file, arguments)]."""
    if opt.hypervisor == "none":
        return bare(opt, modules)
    if opt.via == "direct":
        return direct(opt, modules)
    return (grub if opt.via == "grub" else uefi)(opt, modules, work)
