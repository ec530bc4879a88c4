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
	if (sysctl_domains(&room, (domid_t)atoi(argv[1]), 1) != 1 || info->domain != atoi(argv[1]))
		return 1;
	printf("%llu\n", (unsigned long long)info->cpu_time);
	return 0;
}
