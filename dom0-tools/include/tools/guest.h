/* SPDX-License-Identifier: MIT */
/*
 * The builder of PV64 guests: an ELF kernel (plain, or a bzImage with an xz, zstd, gzip or lz4
 * payload) and a ramdisk become the memory, page tables, start info and first vcpu of a domain that
 * exists already (ctl_createdomain, ctl_max_vcpus, ctl_max_mem done).
 *
 * Images are untrusted: they are parsed here, in a process of dom0, with every field checked.
 */
#ifndef TOOLS_GUEST_H
#define TOOLS_GUEST_H

#include <tools/ctl.h>
#include <tools/foreignmemory.h>
#include <tools/util.h>

struct guest_image {
	void *bytes;		/* the file, mapped (touch little of it), or what it unpacked to */
	size_t length;
	int fd;			/* the file, from which the builder reads into the guest; or -1 */
};

/*
 * Opens @path; for kernels, unpacks what needs unpacking: a bzImage's payload, a gzipped ELF file.
 * Free with guest_image_free(). -ENOENT etc. of the file, -EINVAL: not a kernel, -ENOMEM.
 */
int guest_image_load_kernel(const char *path, struct guest_image *out, struct tools_error *error);
int guest_image_load_ramdisk(const char *path, struct guest_image *out, struct tools_error *error);
void guest_image_free(struct guest_image *image);

struct guest_build {
	/* in */
	domid_t domid;
	uint64_t memory_kib;		/* populated now; the frame list covers it */
	uint64_t max_memory_kib;	/* not looked at: guests learn it from the hypervisor */
	unsigned int vcpus;
	const struct guest_image *kernel;
	const struct guest_image *ramdisk;	/* or NULL */
	const char *command_line;
	unsigned int start_flags;	/* SIF_* */
	domid_t store_domid;
	domid_t console_domid;
	evtchn_port_t store_port;	/* of the guest, unbound for store_domid */
	evtchn_port_t console_port;
	uint32_t claim;			/* 1: claim the memory first, drop the claim at the end */
	/* out */
	xen_pfn_t store_mfn;
	xen_pfn_t console_mfn;
};

/*
 * Populates, loads, and sets vcpu 0's context; the domain stays paused. Grant entries 0 and 1 give
 * the console and store pages to their domains. On failure the domain is to be destroyed by the
 * caller; nothing stays mapped or claimed. -EINVAL bad image (named in @error), -ENOMEM, -E2BIG: it
 * does not fit into the memory.
 *
 * What the guest finds is what Xen's own builder gives (<xen/xen.h>, "Start-of-day memory layout"):
 * from VIRT_BASE kernel, ramdisk, frame list, start info, store and console page, page tables,
 * stack, 512 KiB of slack up to a multiple of 4 MiB; ramdisk and frame list behind all that where
 * the kernel's notes MOD_START_PFN and INIT_P2M allow. Gzipped ramdisks stay packed.
 */
int guest_build_pv(struct ctl *ctl, struct foreignmemory *fm, struct guest_build *build,
		   struct tools_error *error);

#endif
