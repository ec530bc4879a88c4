/* SPDX-License-Identifier: MIT */
/* In dom0: prints how long the vcpus of domain DOMID have run, in ns, the hypervisor's work for them with it. */
#include <stdio.h>
#include <stdlib.h>
#include "privcmd.h"

int main(int argc, char **argv)
{
	xen_domctl_getdomaininfo_t *info;
	struct sysctl_room room;

	if (argc != 2 || sysctl_open(&room))
		return 1;
	info = room.buffer;
	room.op->cmd = XEN_SYSCTL_getdomaininfolist;
	room.op->u.getdomaininfolist.first_domain = (domid_t)atoi(argv[1]);
	room.op->u.getdomaininfolist.max_domains = 1;
	set_xen_guest_handle(room.op->u.getdomaininfolist.buffer, info);
	if (sysctl_call(&room) || !room.op->u.getdomaininfolist.num_domains ||
	    info->domain != atoi(argv[1]))
		return 1;
	printf("%llu\n", (unsigned long long)info->cpu_time);
	return 0;
}
