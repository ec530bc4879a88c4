/* SPDX-License-Identifier: MIT */
/*
 * A hypervisor small enough to see through, behind tools/ctl.h, for tests of kl: domains are
 * records that the test fills in, every call is counted, any can be made to fail. Of libs/light
 * only the devices are there, and only if .light is set: what needs more says so.
 */
#ifndef TESTS_TOOLS_FAKE_KL_H
#define TESTS_TOOLS_FAKE_KL_H

#include <tools/ctl.h>
#include <tools/light.h>

#define FAKE_KL_DOMAINS 512
#define FAKE_KL_POOLS 4

struct fake_kl {
	unsigned int count;
	struct xen_domctl_getdomaininfo domains[FAKE_KL_DOMAINS];	/* ascending ids */
	struct xen_sysctl_physinfo host;
	unsigned int pools;
	uint8_t pool_cpus[FAKE_KL_POOLS][8];
	uint16_t weight, cap;
	bool light;		/* libs/light opens */
	const char *ring;	/* the message ring; NULL once cleared */
	unsigned int calls;	/* of any function */
	int fail;		/* not 0: the next call answers this */
	struct light_destroy destroyed;	/* what light_destroy() reports */
	char last[128];		/* the last operation that changes something */
};
extern struct fake_kl fake_kl;

/* Domain 0 and a host of four CPUs; nothing else. */
void fake_kl_reset(void);
/* One more domain, with its name in the fake store if @name is given. */
struct xen_domctl_getdomaininfo *fake_kl_add(domid_t domid, const char *name);

#endif
