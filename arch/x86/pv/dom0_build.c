/* SPDX-License-Identifier: MIT */
/*
 * Builds dom0, the domain that owns the hardware, from the loader's modules:
 * 0 is its kernel, 1 its initrd. Any failure is a panic with one line that says
 * what is wrong: without dom0 there is nothing to run.
 *
 *   load_kernel      bzImage -> ELF -> what its notes ask   (dom0_image.c, dom0_unpack.c)
 *   create_domain    domain, vcpus, rights                  (dom0_params.c, dom0_caps.c)
 *   lay_out          which virtual address holds what       (dom0_layout.c)
 *   populate         frames, page tables, kernel, p2m       (dom0_memory.c)
 *   fill_start_info, start_vcpu0
 *
 * The layout is the ABI's (<xen/xen.h>, "Start-of-day memory layout").
 */
#include <core/errno.h>
#include <core/lib.h>
#include <core/sched.h>
#include <core/softirq.h>
#include <arch/time.h>
#include <x86/asm.h>
#include <x86/boot_info.h>
#include <x86/mm.h>
#include <x86/pv.h>
#include <xen/arch-x86/xen.h>
#include <xen/features.h>
#include "dom0_memory.h"

static void __init unpack_kernel(struct kernel_image *k, const uint8_t *payload, size_t len)
{
	size_t size = unpacked_size(payload, len);
	uint64_t start = rdtsc();
	const char *why;

	if (size < PAGE_SIZE || size > GB(1))
		panic("dom0's kernel is damaged: it says that it unpacks to %zu bytes\n", size);
	k->buffer_pages = PFN_UP(size);
	k->buffer = alloc_boot_pages(k->buffer_pages);
	if (!k->buffer)
		panic("Too little memory: dom0's kernel needs %zu KiB to be unpacked\n",
		      size >> 10);
	if (unpack(payload, len, k->buffer, size, &why))
		panic("dom0's kernel cannot be unpacked: %s (%lu MiB are free)\n", why,
		      total_free_pages() >> 8);
	k->elf = k->buffer;
	k->size = size;
	printk(XENLOG_INFO "Unpacked dom0's kernel, %zu KiB to %zu KiB: tsc %lu to %lu\n",
	       len >> 10, size >> 10, (unsigned long)start, (unsigned long)rdtsc());
}

static void __init load_kernel(const struct boot_info *bi, struct kernel_image *k)
{
	const struct boot_module *m = &bi->modules[0];
	const uint8_t *payload, *file;
	size_t len;
	const char *why;

	if (!bi->nr_modules)
		panic("No kernel for dom0: the boot loader passed no module; check its configuration\n");
	memset(k, 0, sizeof(*k));
	file = mfn_to_virt(_mfn(0));
	file += m->start;
	k->elf = file;
	k->size = m->size;
	switch (bzimage_payload(file, m->size, &payload, &len)) {
	case 0:
		unpack_kernel(k, payload, len);
		break;
	case -EINVAL:
		panic("dom0's kernel (module 0, %zu bytes) is a damaged or too old bzImage\n",
		      m->size);
	}
	if (kernel_parse_elf(k, k->elf, k->size, &why))
		panic("dom0's kernel (module 0) cannot be used: %s\n", why);
	if (k->has_supported && !(k->supported & (1u << XENFEAT_dom0)))
		panic("dom0's kernel says that it cannot run as dom0; use another one\n");
	printk(XENLOG_INFO "dom0 kernel: %s %s, %lx to %lx, entry %lx\n", k->os, k->version,
	       k->kernel_start, k->kernel_end, k->entry);
}

static struct domain *__init create_domain(void)
{
	struct xen_domctl_createdomain cfg = {
		.max_vcpus = dom0_max_vcpus(),
		.max_evtchn_port = ~0u,
		.max_grant_frames = -1,
		.max_maptrack_frames = -1,
		.grant_opts = XEN_DOMCTL_GRANT_version(1),
	};
	struct domain *d = domain_create(0, &cfg, true);

	if (IS_ERR(d))
		panic("dom0 cannot be created: error %ld\n", PTR_ERR(d));
	d->is_pinned = dom0_is_pinned();
	for (unsigned int i = 0; i < cfg.max_vcpus; i++)
		if (!vcpu_create(d, i))
			panic("dom0's vcpu %u of %u cannot be created: too little memory\n", i,
			      cfg.max_vcpus);
	for (unsigned int i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
		d->shared_info->vcpu_info[i].evtchn_upcall_mask = 1;
	dom0_grant_hardware(d);
	return d;
}

static void __init fill_start_info(struct dom0 *b)
{
	const struct layout *l = &b->layout;
	struct start_info *si = dom0_pointer(b, l->start_info);
	dom0_vga_console_info_t *console = (void *)(si + 1);

	memset(si, 0, sizeof(*si));
	snprintf(si->magic, sizeof(si->magic), "xen-3.0-x86_64%s", b->kernel.pae ? "p" : "");
	si->nr_pages = b->nr_pages;
	si->shared_info = mfn_to_paddr(virt_to_mfn(b->d->shared_info));
	si->flags = SIF_PRIVILEGED | SIF_INITDOMAIN;
	si->pt_base = l->tables;
	si->nr_pt_frames = l->nr_tables;
	si->mfn_list = l->p2m;
	if (b->kernel.p2m_base != UNSET_ADDR) {
		si->first_p2m_pfn = l->p2m_pfn;
		si->nr_p2m_frames = l->nr_p2m_frames;
	}
	if (b->initrd_size) {
		si->mod_start = l->initrd ? l->initrd : l->initrd_pfn;
		si->mod_len = b->initrd_size;
		if (!l->initrd)
			si->flags |= SIF_MOD_START_PFN;
	}
	strlcpy((char *)si->cmd_line, b->bi->modules[0].cmdline, sizeof(si->cmd_line));
	if (dom0_fill_console(b->bi, console)) {
		si->console.dom0.info_off = sizeof(*si);
		si->console.dom0.info_size = sizeof(*console);
	}
	if (b->kernel.hypercall_page != UNSET_ADDR)
		pv_hypercall_page_fill(dom0_pointer(b, b->kernel.hypercall_page));
}

static void __init start_vcpu0(struct dom0 *b)
{
	struct vcpu *v = b->d->vcpu[0];
	struct cpu_user_regs *r = &v->arch.regs;
	int rc;

	v->arch.flags |= TF_kernel_mode;
	rc = vcpu_set_base_tables(v, b->l4, INVALID_MFN);
	if (rc)
		panic("dom0's first page tables cannot be used: error %d\n", rc);
	memset(r, 0, sizeof(*r));
	r->rip = b->kernel.entry;
	r->rsp = b->layout.stack_end;
	r->rsi = b->layout.start_info;
	r->rflags = X86_EFLAGS_IF;
	r->cs = FLAT_KERNEL_CS;
	r->ss = FLAT_KERNEL_SS;
	r->ds = r->es = r->fs = r->gs = FLAT_KERNEL_DS;
	pv_destroy_gdt(v);
	v->is_initialised = true;
	clear_bit(VPF_down, &v->pause_flags);
}

/* What the loader left in memory and nobody needs any more. */
void __init dom0_free_module(const struct boot_module *m)
{
	paddr_t start = max(m->start & PAGE_MASK, (paddr_t)MB(1));
	paddr_t end = ROUNDUP(m->start + m->size, PAGE_SIZE);

	if (start < end)
		heap_add_range(start, end);
}

void __init dom0_build(const struct boot_info *bi)
{
	static struct dom0 b __initdata;
	unsigned long avail, max_pages;
	bool packed;

	b.bi = bi;
	load_kernel(bi, &b.kernel);
	packed = b.kernel.buffer != NULL;
	if (packed)
		dom0_free_module(&bi->modules[0]);
	if (bi->nr_modules > 1)
		b.initrd_size = bi->modules[1].size;
	for (unsigned int i = 2; i < bi->nr_modules; i++)
		dom0_free_module(&bi->modules[i]);
	process_pending_softirqs();

	b.d = create_domain();
	avail = total_free_pages() + PFN_UP(b.kernel.size) + PFN_UP(b.initrd_size);
	b.nr_pages = dom0_nr_pages(avail, &max_pages);
	b.d->max_pages = max_pages;
	dom0_lay_out(&b);
	printk(XENLOG_INFO "dom0: %lu MiB, %u vcpus; initial mapping %lx to %lx\n",
	       b.nr_pages >> 8, b.d->max_vcpus, b.layout.v_start, b.layout.v_end);

	if (dom0_populate(&b, packed ? NULL : &bi->modules[0]))
		dom0_free_module(&bi->modules[1]);
	fill_start_info(&b);
	mm_dom0_set_types(b.d, b.l4);
	start_vcpu0(&b);
	update_domain_wallclock_time(b.d);
	dom0_free_scratch(&b);
	printk(XENLOG_INFO "dom0 entry at tsc %lu\n", (unsigned long)rdtsc());
}
