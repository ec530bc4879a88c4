/* SPDX-License-Identifier: MIT */
/*
 * In dom0: how the machine's pages are spread: prints "free pages, pages of all domains but 0,
 * domains but 0", by sysctl physinfo and getdomaininfolist. The difference of two runs gives what
 * the hypervisor itself needs for a domain.
 */
#include <stdio.h>
#include "privcmd.h"

#define MAX_DOMAINS	256

int main(void)
{
	unsigned long pages = 0, free_pages;
	xen_domctl_getdomaininfo_t *info;
	struct sysctl_room room;

	if (sysctl_open(&room))
		return 1;
	info = room.buffer;
	room.op->cmd = XEN_SYSCTL_physinfo;
	if (sysctl_call(&room))
		return 1;
	free_pages = room.op->u.physinfo.free_pages;
	memset(room.op, 0, sizeof(*room.op));
	room.op->cmd = XEN_SYSCTL_getdomaininfolist;
	room.op->u.getdomaininfolist.first_domain = 1;
	room.op->u.getdomaininfolist.max_domains = MAX_DOMAINS;
	set_xen_guest_handle(room.op->u.getdomaininfolist.buffer, info);
	if (sysctl_call(&room))
		return 1;
	for (unsigned int i = 0; i < room.op->u.getdomaininfolist.num_domains; i++)
		pages += info[i].tot_pages;
	printf("%lu %lu %u\n", free_pages, pages, room.op->u.getdomaininfolist.num_domains);
	return 0;
}
