/* SPDX-License-Identifier: MIT */
/*
 * The smallest guest: it proves that the domain builder, the first instructions, the console and
 * the power-off work, and prints what start_info says. The first thing to boot on a new hypervisor.
 */
#include <guest/console.h>
#include <guest/hypercall.h>
#include <guest/ktest.h>
#include <guest/start.h>

int guest_main(void)
{
	const struct start_info *si = start_info;
	long version = xen_version(XENVER_version, NULL);

	printk("hello: %s on hypervisor %ld.%ld\n", si->magic, version >> 16, version & 0xffff);
	printk("nr_pages %lu flags %x pt_base %lx nr_pt_frames %lu mfn_list %lx\n", si->nr_pages,
	       si->flags, si->pt_base, si->nr_pt_frames, si->mfn_list);
	printk("shared_info %lx mod_start %lx mod_len %lx cmd_line '%s'\n", si->shared_info,
	       si->mod_start, si->mod_len, (const char *)si->cmd_line);
	printk("start_info %lx boot rsp %lx entry tsc %lu\n", PTR(si), boot_rsp, entry_tsc);
	ktest_ok(si->nr_pages > 1024, "has memory");
	return ktest_result();
}
