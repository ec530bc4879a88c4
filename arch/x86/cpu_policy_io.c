/* SPDX-License-Identifier: MIT */
/* Policies as lists of CPUID leaves and MSRs, the form in which the tools read and write them. */
#include <core/domain.h>
#include <core/errno.h>
#include <core/lib.h>
#include <arch/guest_access.h>
#include <x86/cpu_policy.h>

#define MSR_PLATFORM_INFO	0xce
#define MSR_ARCH_CAPABILITIES	0x10a

struct leaf_writer {
	xen_cpuid_leaf_t *guest;
	uint32_t room, used;
	int rc;
};

static void put_leaf(struct leaf_writer *w, uint32_t leaf, uint32_t subleaf,
		     const struct cpuid_regs *r)
{
	const xen_cpuid_leaf_t l = { leaf, subleaf, r->a, r->b, r->c, r->d };

	if (w->rc)
		return;
	if (w->used == w->room)
		w->rc = -ENOBUFS;
	else if (raw_copy_to_guest(w->guest + w->used, &l, sizeof(l)))
		w->rc = -EFAULT;
	else
		w->used++;
}

static void put_subleaves(struct leaf_writer *w, const struct cpu_policy *p, uint32_t leaf)
{
	uint64_t states = p->xstate[0].a | (uint64_t)p->xstate[0].d << 32;

	switch (leaf) {
	case 4:
		for (unsigned int i = 0; i < POLICY_CACHE_SUBLEAVES; i++) {
			put_leaf(w, leaf, i, &p->cache[i]);
			if (!(p->cache[i].a & 0x1f))
				break;
		}
		break;
	case 7:
		for (unsigned int i = 0; i <= p->feat[0].a && i < POLICY_FEAT_SUBLEAVES; i++)
			put_leaf(w, leaf, i, &p->feat[i]);
		break;
	case 0xb:
		for (unsigned int i = 0; i < POLICY_TOPO_SUBLEAVES; i++)
			put_leaf(w, leaf, i, &p->topo[i]);
		break;
	case 0xd:
		for (unsigned int i = 0; i < POLICY_XSTATE_SUBLEAVES; i++)
			if (i < 2 || (states & (1UL << i)))
				put_leaf(w, leaf, i, &p->xstate[i]);
		break;
	}
}

int policy_leaves_to_guest(const struct cpu_policy *p, xen_cpuid_leaf_t *guest, uint32_t *nr)
{
	struct leaf_writer w = { .guest = guest, .room = *nr };
	const struct cpuid_regs hv = { .a = p->hv_limit }, hv2 = { .a = p->hv2_limit };

	if (!guest) {
		*nr = POLICY_MAX_LEAVES;
		return 0;
	}
	for (uint32_t i = 0; i <= p->basic[0].a && i < POLICY_BASIC_LEAVES; i++) {
		if (i == 4 || i == 7 || i == 0xb || i == 0xd)
			put_subleaves(&w, p, i);
		else
			put_leaf(&w, i, XEN_CPUID_NO_SUBLEAF, &p->basic[i]);
	}
	put_leaf(&w, 0x40000000, XEN_CPUID_NO_SUBLEAF, &hv);
	put_leaf(&w, 0x40000100, XEN_CPUID_NO_SUBLEAF, &hv2);
	for (uint32_t i = 0; i <= (p->ext[0].a & 0xffff) && i < POLICY_EXT_LEAVES; i++)
		put_leaf(&w, 0x80000000 + i, XEN_CPUID_NO_SUBLEAF, &p->ext[i]);
	*nr = w.used;
	return w.rc;
}

int policy_msrs_to_guest(const struct cpu_policy *p, xen_msr_entry_t *guest, uint32_t *nr)
{
	const xen_msr_entry_t m[POLICY_MAX_MSRS] = {
		{ .idx = MSR_PLATFORM_INFO, .val = p->platform_info },
		{ .idx = MSR_ARCH_CAPABILITIES, .val = p->arch_caps },
	};

	if (!guest) {
		*nr = POLICY_MAX_MSRS;
		return 0;
	}
	if (*nr < POLICY_MAX_MSRS)
		return -ENOBUFS;
	*nr = POLICY_MAX_MSRS;
	return raw_copy_to_guest(guest, m, sizeof(m)) ? -EFAULT : 0;
}

/* Where a leaf is kept; NULL: we have none such. */
static struct cpuid_regs *leaf_slot(struct cpu_policy *p, uint32_t leaf, uint32_t sub)
{
	bool plain = sub == XEN_CPUID_NO_SUBLEAF;

	switch (leaf) {
	case 4:
		return sub < POLICY_CACHE_SUBLEAVES ? &p->cache[sub] : NULL;
	case 7:
		return sub < POLICY_FEAT_SUBLEAVES ? &p->feat[sub] : NULL;
	case 0xb:
		return sub < POLICY_TOPO_SUBLEAVES ? &p->topo[sub] : NULL;
	case 0xd:
		return sub < POLICY_XSTATE_SUBLEAVES ? &p->xstate[sub] : NULL;
	}
	if (leaf < POLICY_BASIC_LEAVES)
		return plain ? &p->basic[leaf] : NULL;
	if (leaf >= 0x80000000 && leaf - 0x80000000 < POLICY_EXT_LEAVES)
		return plain ? &p->ext[leaf - 0x80000000] : NULL;
	return NULL;
}

int policy_leaves_from_guest(struct cpu_policy *p, const xen_cpuid_leaf_t *guest, uint32_t nr,
			     uint32_t *err_leaf, uint32_t *err_subleaf)
{
	xen_cpuid_leaf_t l;

	if (nr > POLICY_MAX_LEAVES)
		return -E2BIG;
	for (uint32_t i = 0; i < nr; i++) {
		struct cpuid_regs *slot;

		if (raw_copy_from_guest(&l, guest + i, sizeof(l)))
			return -EFAULT;
		slot = leaf_slot(p, l.leaf, l.subleaf);
		if (slot) {
			*slot = (struct cpuid_regs){ l.a, l.b, l.c, l.d };
		} else if (l.subleaf == XEN_CPUID_NO_SUBLEAF && l.leaf == 0x40000000) {
			p->hv_limit = l.a;
		} else if (l.subleaf == XEN_CPUID_NO_SUBLEAF && l.leaf == 0x40000100) {
			p->hv2_limit = l.a;
		} else {
			*err_leaf = l.leaf;
			*err_subleaf = l.subleaf;
			return -ERANGE;
		}
	}
	return 0;
}

int policy_msrs_from_guest(struct cpu_policy *p, const xen_msr_entry_t *guest, uint32_t nr,
			   uint32_t *err_msr)
{
	xen_msr_entry_t m;

	if (nr > POLICY_MAX_MSRS)
		return -E2BIG;
	for (uint32_t i = 0; i < nr; i++) {
		if (raw_copy_from_guest(&m, guest + i, sizeof(m)))
			return -EFAULT;
		*err_msr = m.idx;
		if (m.flags)
			return -EINVAL;
		if (m.idx == MSR_PLATFORM_INFO)
			p->platform_info = m.val;
		else if (m.idx == MSR_ARCH_CAPABILITIES)
			p->arch_caps = m.val;
		else
			return -ERANGE;
	}
	*err_msr = ~0u;
	return 0;
}
