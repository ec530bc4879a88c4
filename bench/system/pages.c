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
	int domains;

	if (sysctl_open(&room))
		return 1;
	info = room.buffer;
	room.op->cmd = XEN_SYSCTL_physinfo;
	if (sysctl_call(&room))
		return 1;
	free_pages = room.op->u.physinfo.free_pages;
	domains = sysctl_domains(&room, 1, MAX_DOMAINS);
	if (domains < 0)
		return 1;
	for (int i = 0; i < domains; i++)
		pages += info[i].tot_pages;
	printf("%lu %lu %d\n", free_pages, pages, domains);
	return 0;
}
