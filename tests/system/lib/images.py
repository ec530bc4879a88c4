# SPDX-License-Identifier: MIT
"""Prepared images: dom0's initramfs, the domU's root, unpacked kernels and hypervisors.

dom0 is Debian's kernel and modules, Debian's xl and xenstored, and busybox, unpacked from the
cache (`cache.ROOT`); libraries and bash come from there or from the machine itself. Only the
modules named below and what they depend on go in: unpacking an initramfs is slow under TCG.
"""

import glob
import gzip
import lzma
import os
import shutil
import struct
import subprocess
import tempfile

import cache
import cpio

# Modules of the toolstack's dom0 (loaded by its init) and of the devices QEMU can give it (loaded
# when their device is there).
DOM0_MODULES = """
    xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xenfs xen-blkback xen-netback
    loop bridge tun ext4 crc32c_generic crc32c-intel
    virtio_pci virtio_blk virtio_net virtio_scsi virtio_console e1000 e1000e
    ahci ata_piix ata_generic sd_mod sr_mod nvme xhci-pci usb-storage usbhid
    xen-acpi-processor efivarfs microcode isofs
""".split()

DOMU_MODULES = """
    xen-blkfront xen-netfront ext4 crc32c_generic crc32c-intel
""".split()

DOM0_PROGRAMS = """
    /usr/lib/xen-4.17/bin/xl /usr/lib/xen-4.17/bin/xenstored /usr/lib/xen-4.17/bin/xenconsoled
    /usr/lib/xen-4.17/bin/xenconsole /usr/lib/xen-4.17/bin/xen-init-dom0
    /usr/lib/xen-4.17/bin/xentop /usr/lib/xen-4.17/bin/lsevtchn
    /usr/lib/xen-4.17/bin/libxl-save-helper /usr/lib/xen-4.17/bin/xenctx
    /usr/lib/xen-4.17/bin/xenwatchdogd /usr/lib/xen-4.17/bin/xen-hptool
    /usr/lib/xen-4.17/bin/xen-ucode /usr/lib/xen-4.17/bin/xenpm
    /usr/lib/xen-4.17/bin/xen-cpuid /usr/lib/xen-4.17/bin/xen-diag
    /usr/lib/xen-4.17/bin/xenstore-control /usr/lib/xen-4.17/bin/xen-mfndump
    /usr/bin/xenstore /bin/bash /usr/bin/flock /usr/bin/script /bin/busybox
""".split()

XENSTORE_LINKS = "chmod exists list ls read rm watch write".split()


def locate(path):
    """A file of the unpacked Debian packages, else of this machine (merged /usr or not)."""
    forms = [path]
    if path.startswith("/usr/"):
        forms.append(path[4:])
    else:
        forms.append("/usr" + path)
    for base in (cache.ROOT, ""):
        for form in forms:
            if os.path.exists(base + form):
                return base + form
    raise cache.HarnessError(f"{path} not found; run packaging/setup.sh")


def needed(path):
    """Names of the libraries that an ELF file asks for, and its interpreter."""
    out = subprocess.run(["readelf", "-ld", path], capture_output=True, text=True).stdout
    libs = [l.split("[")[1].split("]")[0] for l in out.splitlines() if "(NEEDED)" in l]
    interp = [l.split("interpreter: ")[1].rstrip("]") for l in out.splitlines()
              if "interpreter: " in l]
    return libs, interp


def libraries(programs):
    """{path in the image: source} of every library the programs need."""
    folders = ["/usr/lib/xen-4.17/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu",
               "/lib/x86_64-linux-gnu"]
    found, queue = {}, list(programs)
    seen = set()
    while queue:
        libs, interp = needed(queue.pop())
        for i in interp:
            found[i] = locate(i)
        for lib in libs:
            if lib in seen:
                continue
            seen.add(lib)
            for folder in folders:
                try:
                    src = locate(f"{folder}/{lib}")
                except cache.HarnessError:
                    continue
                found[f"/usr/lib/x86_64-linux-gnu/{lib}"] = src
                queue.append(src)
                break
            else:
                raise cache.HarnessError(f"library {lib} not found")
    return found


def copy(src, stage, name):
    dst = stage + "/" + name.lstrip("/")
    os.makedirs(os.path.dirname(dst), exist_ok=True)
    shutil.copy(src, dst)


def stage_modules(stage, names):
    """Copies modules and their dependencies, and makes the index files."""
    version = cache.kernel_version()
    top = f"{cache.ROOT}/lib/modules/{version}"
    with cache.lock("depmod"):
        if not os.path.exists(top + "/modules.dep"):
            subprocess.run(["/sbin/depmod", "-b", cache.ROOT, version], check=True)
    deps = {}
    with open(top + "/modules.dep") as f:
        for line in f:
            mod, _, rest = line.partition(":")
            stem = os.path.basename(mod)[:-len(".ko")].replace("-", "_")
            deps[stem] = [mod] + rest.split()
    want = set()
    for n in names:
        want.update(deps.get(n.replace("-", "_"), []))  # what is built in has no entry
    for path in want:
        copy(f"{top}/{path}", stage, f"lib/modules/{version}/{path}")
    for index in ("modules.builtin", "modules.order", "modules.builtin.modinfo"):
        copy(f"{top}/{index}", stage, f"lib/modules/{version}/{index}")
    subprocess.run(["/sbin/depmod", "-b", stage, version], check=True)
    for unused in glob.glob(f"{stage}/lib/modules/{version}/*.bin") + \
            glob.glob(f"{stage}/lib/modules/{version}/modules.builtin.modinfo"):
        os.unlink(unused)


def stage_busybox(stage):
    busybox = locate("/bin/busybox")
    copy(busybox, stage, "bin/busybox")
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True,
                             check=True).stdout.split()
    for a in applets:
        link = f"{stage}/bin/{a}"
        if not os.path.lexists(link):
            os.symlink("busybox", link)


def stage_skeleton(stage):
    for d in ("bin dev proc sys run tmp root etc mnt usr/bin usr/sbin usr/lib var/lib var/log "
              "lib").split():
        os.makedirs(f"{stage}/{d}", exist_ok=True)
    for link, target in (("sbin", "bin"), ("lib64", "usr/lib64"), ("var/run", "../run"),
                         ("var/lock", "../run")):
        os.symlink(target, f"{stage}/{link}")
    os.makedirs(f"{stage}/usr/lib64", exist_ok=True)
    with open(f"{stage}/etc/passwd", "w") as f:
        f.write("root::0:0:root:/root:/bin/sh\n")
    with open(f"{stage}/etc/group", "w") as f:
        f.write("root:x:0:\n")


def stage_own(stage, folder):
    """Adds the files of tests/images/FOLDER, in place of busybox's links of the same name."""
    own = f"{cache.REPO}/tests/images/{folder}"
    for parent, _, files in os.walk(own):
        for n in files:
            dst = os.path.join(stage, os.path.relpath(parent, own), n)
            if os.path.islink(dst):
                os.unlink(dst)
    shutil.copytree(own, stage, dirs_exist_ok=True)


def stage_dom0(stage):
    stage_skeleton(stage)
    stage_busybox(stage)
    programs = {p: locate(p) for p in DOM0_PROGRAMS}
    for name, src in programs.items():
        copy(src, stage, name)
    for n in XENSTORE_LINKS:
        os.symlink("xenstore", f"{stage}/usr/bin/xenstore-{n}")
    for n, src in libraries(programs.values()).items():
        copy(src, stage, n)
    # xl aborts without it: glibc loads it by name when a thread is cancelled.
    copy(locate("/usr/lib/x86_64-linux-gnu/libgcc_s.so.1"), stage,
         "usr/lib/x86_64-linux-gnu/libgcc_s.so.1")
    os.makedirs(f"{stage}/etc/ld.so.conf.d", exist_ok=True)
    for prog in os.listdir(f"{stage}/usr/lib/xen-4.17/bin"):
        os.symlink(f"../lib/xen-4.17/bin/{prog}", f"{stage}/usr/sbin/{prog}")
    shutil.copytree(f"{cache.ROOT}/etc/xen", f"{stage}/etc/xen")
    stage_modules(stage, DOM0_MODULES)
    stage_own(stage, "dom0")


def make_initramfs(path, stage_fn):
    with tempfile.TemporaryDirectory() as stage:
        stage_fn(stage)
        ar = cpio.Archive()
        ar.add_tree(stage)
        for name, minor in (("console", 1), ("null", 3)):
            ar.add_char(f"dev/{name}", 5 if name == "console" else 1, minor)
        with open(path, "wb") as f:
            f.write(ar.finish())


OWN_DAEMONS = ("xenstored", "consoled", "monitor")


def own_daemons(spec):
    """Which daemons of a dom0 are ours, for --toolstack: those named, or all that are built."""
    kind, _, names = spec.partition(":")
    if kind not in ("debian", "krypton", "bare") or (kind != "krypton" and names):
        raise cache.HarnessError(f"no toolstack {spec}: debian, krypton, krypton:NAME,... or bare")
    if kind == "debian":
        return []
    chosen = names.split(",") if names else OWN_DAEMONS
    for name in chosen:
        if name not in OWN_DAEMONS:
            raise cache.HarnessError(f"no daemon {name}: {', '.join(OWN_DAEMONS)}")
        if names and not os.path.exists(f"{cache.BUILD}/tools/{name}"):
            raise cache.HarnessError(f"no {cache.BUILD}/tools/{name}; run make tools")
    return [n for n in chosen if os.path.exists(f"{cache.BUILD}/tools/{n}")]


def add_own_tools(ar, as_xl):
    """Puts every program of build/tools, without debug information, into the archive's dom0."""
    where = "usr/lib/krypton/bin"
    for path in sorted(glob.glob(f"{cache.BUILD}/tools/*")):
        if os.path.isfile(path) and os.access(path, os.X_OK):
            with tempfile.NamedTemporaryFile() as stripped:
                subprocess.run(["strip", "-o", stripped.name, path], check=True)
                with open(stripped.name, "rb") as f:
                    ar.add_bytes(f"{where}/{os.path.basename(path)}", f.read(), 0o755)
    for name in XENSTORE_LINKS:
        ar.add_link(f"{where}/xenstore-{name}", "xenstore")
    if as_xl:
        ar.add_link(f"{where}/xl", "kl")


def inputs(folder):
    own = os.path.dirname(__file__)
    return [f"{cache.ROOT}/.stamp", cache.debian_kernel(), f"{own}/images.py", f"{own}/cpio.py",
            f"{cache.REPO}/tests/images/{folder}"]


def stage_bare(stage):
    """A dom0 of busybox, modules and our hotplug scripts; the tools are laid beside it."""
    stage_skeleton(stage)
    stage_busybox(stage)
    os.makedirs(f"{stage}/etc/xen/auto")
    shutil.copytree(f"{cache.REPO}/packaging/scripts", f"{stage}/etc/xen/scripts")
    os.makedirs(f"{stage}/usr/lib/krypton")
    os.symlink("/etc/xen/scripts", f"{stage}/usr/lib/krypton/scripts")
    stage_modules(stage, DOM0_MODULES)
    stage_own(stage, "dom0")


def dom0_initramfs(toolstack="debian"):
    if toolstack == "bare":
        return cache.cached("bare.cpio", inputs("dom0") + [f"{cache.REPO}/packaging/scripts"],
                            lambda p: make_initramfs(p, stage_bare))
    return cache.cached("dom0.cpio", inputs("dom0"), lambda p: make_initramfs(p, stage_dom0))


def stage_domu_initrd(stage):
    """The first root of a domU: just enough to find the real one on a block device."""
    stage_skeleton(stage)
    stage_busybox(stage)
    stage_modules(stage, DOMU_MODULES)
    stage_own(stage, "domu")


def domu_initramfs():
    return cache.cached("domu.cpio", inputs("domu"),
                        lambda p: make_initramfs(p, stage_domu_initrd))


def make_domu_root(path):
    with tempfile.TemporaryDirectory() as stage:
        os.chmod(stage, 0o755)
        stage_skeleton(stage)
        stage_busybox(stage)
        stage_own(stage, "domu")
        with open(f"{stage}/etc/is-real-root", "w"):
            pass
        with open(path, "wb") as f:
            f.truncate(8 << 20)
        subprocess.run(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-E",
                        "root_owner=0:0", "-d", stage, path], check=True)


def domu_root():
    """A small ext4 file system that domUs use as their root disk."""
    return cache.cached("domu-root.img", inputs("domu"), make_domu_root)


def payload(image):
    """The kernel inside a bzImage, decompressed (an ELF file); an ELF file as it is."""
    if image[:4] == b"\x7fELF":
        return image
    if image[0x202:0x206] != b"HdrS":
        raise cache.HarnessError("neither a bzImage nor an ELF file")
    start = (image[0x1f1] + 1) * 512
    off, length = struct.unpack_from("<II", image, 0x248)
    data = image[start + off:start + off + length]
    if data[:6] == b"\xfd7zXZ\0":
        return lzma.LZMADecompressor().decompress(data)
    if data[:2] == b"\x1f\x8b":
        return gzip.decompress(data[:-4])
    if data[:4] == b"\x28\xb5\x2f\xfd":
        return subprocess.run(["zstd", "-dcq"], input=data[:-4], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL).stdout
    if data[:4] == b"\x02\x21\x4c\x18":
        return subprocess.run(["lz4", "-dcq"], input=data[:-4], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL).stdout
    raise cache.HarnessError("kernel payload of unknown compression")


def vmlinux(kernel):
    """The kernel as an unpacked ELF file: saves its decompression at every boot."""
    def make(path):
        with open(kernel, "rb") as f:
            data = payload(f.read())
        with open(path, "wb") as f:
            f.write(data)
    return cache.cached("vmlinux", [kernel], make)


def unpacked(path):
    """A gzipped hypervisor, unpacked: QEMU's -kernel does not do it. Else the file as it is."""
    with open(path, "rb") as f:
        if f.read(2) != b"\x1f\x8b":
            return path

    def make(out):
        with gzip.open(path) as src, open(out, "wb") as dst:
            shutil.copyfileobj(src, dst)
    return cache.cached("hypervisor", [path], make)
