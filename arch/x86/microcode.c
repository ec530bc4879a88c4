/* SPDX-License-Identifier: MIT */
/*
 * Loading microcode: at boot from a module or from the early part of the
 * initrd, later by XENPF_microcode_update.
 *
 *   ucode=scan		search the modules' early cpio for kernel/x86/microcode/
 *   ucode=<n>		module n is the file (negative: counted from the end)
 *
 * The patch in use is kept for CPUs that come up later. All CPUs are assumed to
 * be alike; a CPU that does not accept the patch is named in the log.
 */
#include <core/errno.h>
#include <core/lib.h>
#include <core/param.h>
#include <core/xmalloc.h>
#include <arch/cpu.h>
#include <arch/atomic.h>
#include <x86/asm.h>
#include <x86/boot_info.h>
#include <x86/cpufeature.h>
#include <x86/microcode.h>
#include <x86/mm.h>
#include <x86/platform.h>

#define MSR_PLATFORM_ID		0x17
#define MSR_UCODE_WRITE		0x79
#define MSR_UCODE_REV		0x8b
#define MSR_AMD_PATCH_LOADER	0xc0010020

static bool opt_scan __initdata;
static int opt_module __initdata;	/* 0 = none */

static int __init parse_ucode(const char *s)
{
	bool negative = *s == '-';
	char *end;

	if (!strcmp(s, "scan") || !strcmp(s, "scan=1")) {
		opt_scan = true;
		return 0;
	}
	opt_module = (int)strtoull(s + negative, &end, 10);
	if (negative)
		opt_module = -opt_module;
	return *end ? -EINVAL : 0;
}
custom_param("ucode", parse_ucode);

static void *kept;			/* copy of the file whose patch is in use */
static size_t kept_len;

static bool is_amd(void)
{
	return boot_cpu.vendor == VENDOR_AMD || boot_cpu.vendor == VENDOR_HYGON;
}

static uint32_t signature(void)
{
	uint32_t a, b, c, d;

	cpuid_count(1, 0, &a, &b, &c, &d);
	return a;
}

static uint32_t revision(void)
{
	if (is_amd())
		return (uint32_t)rdmsr(MSR_UCODE_REV);
	wrmsr(MSR_UCODE_REV, 0);
	signature();			/* CPUID 1 puts the revision there (SDM 9.11.7.1) */
	return (uint32_t)(rdmsr(MSR_UCODE_REV) >> 32);
}

static int find(const void *buf, size_t len, const uint8_t **patch, uint32_t *rev)
{
	uint32_t have = revision();

	if (is_amd())
		return microcode_find_amd(buf, len, signature(), have, patch, rev);
	if (boot_cpu.vendor == VENDOR_INTEL)
		return microcode_find_intel(buf, len, signature(),
					    1u << ((rdmsr(MSR_PLATFORM_ID) >> 50) & 7), have, patch,
					    rev);
	return -ENODEV;
}

struct update {
	const void *buf;
	size_t len;
	int failed;			/* atomic: CPUs that did not take it */
	int done;			/* atomic: CPUs that have it now */
};

/* On each CPU, interrupts off. */
static void update_cpu(void *arg)
{
	struct update *u = arg;
	const uint8_t *patch;
	uint32_t rev;

	if (find(u->buf, u->len, &patch, &rev))
		return;			/* up to date (a sibling thread did it), or not for it */
	if (wrmsr_safe(is_amd() ? MSR_AMD_PATCH_LOADER : MSR_UCODE_WRITE, (unsigned long)patch) ||
	    revision() != rev) {
		atomic_inc(&u->failed);
		printk(XENLOG_ERR "CPU%u does not take microcode %#x\n", smp_processor_id(), rev);
	} else {
		atomic_inc(&u->done);
		if (smp_processor_id() == 0)
			printk(XENLOG_INFO "microcode: CPU0 is at revision %#x\n", rev);
	}
}

/*
 * Loads what `buf` has for these CPUs, on all of them. 0, also if there is
 * nothing newer; -EINVAL damaged; -ENODEV unknown vendor; -ENOMEM; -EIO if a
 * CPU refused it. buf may be freed afterwards.
 */
long microcode_update(const void *buf, size_t len)
{
	struct update u = { .len = len };
	const uint8_t *patch;
	uint32_t rev;
	void *copy;
	int rc;

	rc = find(buf, len, &patch, &rev);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	copy = xmalloc_bytes(len, 16);	/* 16: as the CPU wants its data aligned */
	if (!copy)
		return -ENOMEM;
	memcpy(copy, buf, len);
	u.buf = copy;
	if (local_irq_is_enabled())
		on_selected_cpus(&cpu_online_map, update_cpu, &u, true);
	else
		update_cpu(&u);		/* boot: only this CPU is up */
	if (!u.done) {
		xfree(copy);
		return u.failed ? -EIO : 0;
	}
	xfree(kept);
	kept = copy;
	kept_len = len;
	return u.failed ? -EIO : 0;
}

void microcode_apply_cpu(void)
{
	struct update u = { .buf = kept, .len = kept_len };

	if (kept)
		update_cpu(&u);
}

/* ---- boot ---- */

static void __init load_module(const struct boot_module *m, bool whole)
{
	const char *path = is_amd() ? "kernel/x86/microcode/AuthenticAMD.bin" :
				      "kernel/x86/microcode/GenuineIntel.bin";
	const uint8_t *p = mfn_to_virt(paddr_to_mfn(m->start)), *file;
	size_t len = m->size;
	long rc;

	file = p + (m->start & (PAGE_SIZE - 1));
	if (!whole)
		file = cpio_find(file, len, path, &len);
	if (!file)
		return;
	rc = microcode_update(file, len);
	if (rc)
		printk(XENLOG_WARNING "microcode: error %ld\n", rc);
}

/* After the heap; before the APs. */
void __init microcode_init(void)
{
	int n = opt_module < 0 ? (int)boot_info.nr_modules + opt_module : opt_module;

	if (opt_module && n > 0 && (unsigned int)n < boot_info.nr_modules)
		load_module(&boot_info.modules[n], true);
	for (unsigned int i = 0; opt_scan && i < boot_info.nr_modules; i++)
		load_module(&boot_info.modules[i], false);
}
