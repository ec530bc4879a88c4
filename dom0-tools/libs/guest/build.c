/* SPDX-License-Identifier: MIT */
/*
 * Builds a PV guest in a domain that exists but has no memory. In order:
 *
 *   guest_elf_parse, guest_lay_out     what the kernel wants, what lies where    (elf.c, layout.c)
 *   guest_memory_populate, _map        frames, and our view of some of them      (memory.c)
 *   load_kernel, load_ramdisk          files into memory
 *   guest_fill_tables, fill_*          page tables, frame list, start info       (tables.c)
 *   finish                             hypercall page, pinned L4, grants, vcpu 0
 *
 * On failure the caller destroys the domain, which takes everything back but the claim.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "private.h"
#include <xen/grant_table.h>

/* Architectural values of the debug registers at reset. */
#define DR6_RESET	0xffff0ff0UL
#define DR7_RESET	0x400UL
#define RFLAGS_IF	(1UL << 9)

/* All the parts of one build. */
struct builder {
	struct guest_build *build;
	struct guest_elf elf;
	struct guest_layout layout;
	struct guest_memory memory;
	struct tools_error *error;
};

/* ---- files ---- */

/* @bytes at @offset of an image into the guest: from its file, if it has one, else from memory. */
static int copy_in(struct builder *b, const struct guest_image *image, uint64_t offset, void *to,
		   uint64_t bytes)
{
	uint8_t *at = to;

	if (image->fd < 0) {
		memcpy(to, (const uint8_t *)image->bytes + offset, bytes);
		return 0;
	}
	while (bytes) {
		ssize_t done = pread(image->fd, at, bytes, (off_t)offset);
		int rc = done < 0 ? -errno : -EIO;

		if (done < 0 && errno == EINTR)
			continue;
		/* Truncated while we looked, or a bad disk. */
		if (done <= 0)
			return tools_fail(b->error, rc, "bad-image",
					  "the guest's image cannot be read: %s",
					  done ? strerror(-rc) : "it is shorter than it was");
		at += done;
		offset += done;
		bytes -= done;
	}
	return 0;
}

/* All bytes of the kernel's that are in its file, and the zeros between them. */
static int load_kernel(struct builder *b)
{
	uint64_t limit = b->layout.v_start + (b->layout.written[0].end << PAGE_BITS);
	struct guest_segment segment;

	for (unsigned int i = 0; guest_elf_segment(&b->elf, i, &segment); i++) {
		uint64_t page = segment.vaddr & ~(PAGE_BYTES - 1);
		uint64_t bytes = segment.memory_bytes;
		uint8_t *to;
		int rc;

		/* What lies beyond is cleared otherwise. */
		if (segment.vaddr >= limit)
			continue;
		if (bytes > limit - segment.vaddr)
			bytes = limit - segment.vaddr;
		to = guest_memory_page(&b->memory, guest_pfn(&b->layout, page));
		to += segment.vaddr - page;
		rc = copy_in(b, b->build->kernel, segment.offset, to, segment.file_bytes);
		if (rc)
			return rc;
		memset(to + segment.file_bytes, 0, bytes - segment.file_bytes);
	}
	return 0;
}

static int load_ramdisk(struct builder *b)
{
	const struct guest_image *ramdisk = b->build->ramdisk;
	uint8_t *to;
	int rc;

	if (!ramdisk)
		return 0;
	to = guest_memory_page(&b->memory, b->layout.ramdisk_pfn);
	rc = copy_in(b, ramdisk, 0, to, ramdisk->length);
	if (!rc && ramdisk->length & (PAGE_BYTES - 1))
		memset(to + ramdisk->length, 0, PAGE_BYTES - (ramdisk->length & (PAGE_BYTES - 1)));
	return rc;
}

/* ---- pages that the guest reads first ---- */

static xen_pfn_t frame_at(const struct builder *b, uint64_t vaddr)
{
	return b->memory.p2m[guest_pfn(&b->layout, vaddr)];
}

static void fill_start_info(struct builder *b, xen_pfn_t shared_info)
{
	const struct guest_layout *layout = &b->layout;
	struct guest_build *build = b->build;
	struct start_info *info = guest_memory_page(&b->memory,
						    guest_pfn(layout, layout->start_info));

	memset(info, 0, PAGE_BYTES);
	strcpy(info->magic, "xen-3.0-x86_64");
	info->nr_pages = layout->nr_pages;
	info->shared_info = shared_info << PAGE_BITS;
	info->flags = build->start_flags;
	info->store_mfn = build->store_mfn;
	info->store_evtchn = build->store_port;
	info->console.domU.mfn = build->console_mfn;
	info->console.domU.evtchn = build->console_port;
	info->pt_base = layout->tables;
	info->nr_pt_frames = layout->nr_tables;
	info->mfn_list = layout->p2m;
	if (layout->outer_p2m) {
		info->first_p2m_pfn = layout->p2m_pfn;
		info->nr_p2m_frames = layout->nr_p2m_pages + layout->nr_p2m_tables;
	}
	if (build->ramdisk) {
		info->mod_start = layout->ramdisk ? layout->ramdisk : layout->ramdisk_pfn;
		info->mod_len = build->ramdisk->length;
		if (!layout->ramdisk)
			info->flags |= SIF_MOD_START_PFN;
	}
	snprintf((char *)info->cmd_line, sizeof(info->cmd_line), "%s",
		 build->command_line ? build->command_line : "");
}

static void fill_shared_info(struct builder *b)
{
	struct shared_info *shared = guest_memory_shared_info(&b->memory);

	memset(shared, 0, sizeof(*shared));
	for (unsigned int i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
		shared->vcpu_info[i].evtchn_upcall_mask = 1;
}

static int fill(struct builder *b)
{
	const struct guest_layout *layout = &b->layout;
	struct xen_domctl_getdomaininfo info;
	int rc = ctl_getdomaininfo(b->memory.ctl, b->build->domid, &info);

	if (rc)
		return tools_fail(b->error, rc, "no-domain", "domain %u has gone: %s",
				  b->build->domid, strerror(-rc));
	rc = guest_memory_clear(&b->memory, b->error);
	if (!rc)
		rc = guest_memory_map(&b->memory, info.shared_info_frame, b->error);
	if (rc)
		return rc;
	b->build->store_mfn = frame_at(b, layout->store);
	b->build->console_mfn = frame_at(b, layout->console);
	rc = load_kernel(b);
	if (!rc)
		rc = load_ramdisk(b);
	if (!rc) {
		/* The store's and the console's page, one behind the other. */
		memset(guest_memory_page(&b->memory, guest_pfn(layout, layout->store)), 0,
		       2 * PAGE_BYTES);
		fill_start_info(b, info.shared_info_frame);
		fill_shared_info(b);
		guest_fill_tables(&b->memory);
	}
	/* Page tables that somebody can write are none to the hypervisor. */
	guest_memory_unmap(&b->memory);
	return rc;
}

/* ---- what only hypercalls can do ---- */

static void seed(grant_entry_v1_t *entry, domid_t domid, xen_pfn_t frame)
{
	entry->domid = domid;
	entry->frame = frame;
	entry->flags = GTF_permit_access;
}

/* The reserved grants, by which console and store daemons map their pages. */
static int seed_grants(struct builder *b)
{
	struct guest_build *build = b->build;
	grant_entry_v1_t *table;
	void *page;
	int rc;

	rc = foreignmemory_map_resource(b->memory.fm, build->domid, XENMEM_resource_grant_table,
					XENMEM_resource_grant_table_id_shared, 0, 1,
					PROT_READ | PROT_WRITE, &page);
	if (rc == -EOPNOTSUPP) {
		xen_pfn_t frame;

		rc = ctl_gnttab_setup_table(b->memory.ctl, build->domid, 1, &frame);
		if (!rc)
			rc = foreignmemory_map(b->memory.fm, build->domid, PROT_READ | PROT_WRITE,
					       1, &frame, NULL, &page);
	}
	if (rc)
		return tools_fail(b->error, rc, "map-failed",
				  "domain %u's grant table cannot be mapped: %s", build->domid,
				  strerror(-rc));
	table = page;
	seed(&table[GNTTAB_RESERVED_CONSOLE], build->console_domid, build->console_mfn);
	seed(&table[GNTTAB_RESERVED_XENSTORE], build->store_domid, build->store_mfn);
	foreignmemory_unmap(b->memory.fm, page, 1);
	return 0;
}

static int start_vcpu(struct builder *b)
{
	const struct guest_layout *layout = &b->layout;
	struct vcpu_guest_context context;
	struct cpu_user_regs *regs = &context.user_regs;

	memset(&context, 0, sizeof(context));
	context.flags = VGCF_in_kernel | VGCF_online;
	regs->rip = b->elf.entry;
	regs->rsp = layout->stack + PAGE_BYTES;
	regs->rsi = layout->start_info;
	regs->rflags = RFLAGS_IF;
	regs->cs = FLAT_KERNEL_CS;
	regs->ss = FLAT_KERNEL_SS;
	regs->ds = regs->es = regs->fs = regs->gs = FLAT_KERNEL_DS;
	context.kernel_ss = regs->ss;
	context.kernel_sp = regs->rsp;
	context.debugreg[6] = DR6_RESET;
	context.debugreg[7] = DR7_RESET;
	context.ctrlreg[3] = xen_pfn_to_cr3(frame_at(b, layout->tables));
	return ctl_setvcpucontext(b->memory.ctl, b->build->domid, 0, &context);
}

static int finish(struct builder *b)
{
	struct mmuext_op pin = {
		.cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = frame_at(b, b->layout.tables),
	};
	struct ctl *ctl = b->memory.ctl;
	const char *step = NULL;
	int rc = 0;

	if (b->elf.hypercall_page != UNSET_ADDRESS) {
		step = "hypercall page";
		rc = ctl_hypercall_init(ctl, b->build->domid, frame_at(b, b->elf.hypercall_page));
	}
	if (!rc) {
		step = "page tables";
		rc = ctl_mmuext(ctl, b->build->domid, &pin, 1);
	}
	if (!rc) {
		rc = seed_grants(b);
		if (rc)
			return rc;
		step = "first vcpu";
		rc = start_vcpu(b);
	}
	return rc ? tools_fail(b->error, rc, "refused", "the hypervisor refuses domain %u's %s: %s",
			       b->build->domid, step, strerror(-rc)) : 0;
}

static int populate(struct builder *b)
{
	struct ctl *ctl = b->memory.ctl;
	domid_t domid = b->build->domid;
	int rc;

	if (b->build->claim) {
		rc = ctl_claim_pages(ctl, domid, b->layout.nr_pages);
		if (rc && rc != -ENOSYS) {
			tools_fail(b->error, rc, "no-memory",
				   "the hypervisor cannot set %llu MiB aside for domain %u: %s",
				   (unsigned long long)b->layout.nr_pages >> 8, domid,
				   strerror(-rc));
			return tools_hint(b->error, rc, "free memory by stopping or shrinking "
					  "another guest, or lower memory=");
		}
	}
	rc = guest_memory_populate(&b->memory, b->error);
	if (b->build->claim)
		ctl_claim_pages(ctl, domid, 0);
	return rc;
}

int guest_build_pv(struct ctl *ctl, struct foreignmemory *fm, struct guest_build *build,
		   struct tools_error *error)
{
	uint64_t ramdisk_bytes = build->ramdisk ? build->ramdisk->length : 0;
	struct builder b = {
		.build = build, .error = error,
		.memory = { .ctl = ctl, .fm = fm, .domid = build->domid },
	};
	const char *why;
	int rc;

	if (guest_elf_parse(build->kernel->bytes, build->kernel->length, &b.elf, &why))
		return tools_fail(error, -EINVAL, "bad-image", "the kernel cannot be used: %s",
				  why);
	rc = guest_lay_out(&b.elf, build->memory_kib >> 2, ramdisk_bytes, &b.layout, error);
	if (rc)
		return rc;
	b.memory.layout = &b.layout;
	rc = populate(&b);
	if (!rc)
		rc = fill(&b);
	if (!rc)
		rc = finish(&b);
	guest_memory_free(&b.memory);
	return rc;
}
