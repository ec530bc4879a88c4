/* SPDX-License-Identifier: MIT */
/*
 * Debug registers of PV guests. They are in the CPU only while DR7 enables
 * something; breakpoints on the hypervisor's addresses and on I/O are refused.
 */
#include <core/domain.h>
#include <core/errno.h>
#include <core/hypercall.h>
#include <x86/debugreg.h>
#include <x86/page.h>

#define DR6_RESERVED_ZERO	(~0xffffeffful)
#define DR6_RESERVED_ONE	0xffff0ff0ul
#define DR7_RESERVED_ZERO	(~0xffff27fful)
#define DR7_RESERVED_ONE	0x400ul
#define DR7_GENERAL_DETECT	(1ul << 13)
#define DR_TYPE_IO		2u

void debugreg_load(const struct vcpu *v)
{
	write_dr0(v->arch.dr[0]);
	write_dr1(v->arch.dr[1]);
	write_dr2(v->arch.dr[2]);
	write_dr3(v->arch.dr[3]);
	write_dr6(DR6_DEFAULT);
	write_dr7(v->arch.dr[7]);
}

static long set_address(struct vcpu *v, unsigned int reg, unsigned long value)
{
	if (!is_canonical(value) || (value >= HYPERVISOR_VIRT_START && value < HYPERVISOR_VIRT_END))
		return -EPERM;
	v->arch.dr[reg] = value;
	return 0;
}

static long set_dr7(struct vcpu *v, unsigned long value)
{
	value = (value & ~DR7_RESERVED_ZERO) | DR7_RESERVED_ONE;
	if (value & DR7_GENERAL_DETECT)
		return -EPERM;
	for (unsigned int i = 0; i < 4; i++)
		if ((value >> (2 * i) & 3) && (value >> (16 + 4 * i) & 3) == DR_TYPE_IO)
			return -EPERM;
	v->arch.dr[7] = value;
	return 0;
}

long set_debugreg(struct vcpu *v, unsigned int reg, unsigned long value)
{
	bool was_active = v->arch.dr[7] & DR7_ACTIVE_MASK;
	long rc = 0;

	if (reg == 4 || reg == 5) {
		if (v->arch.ctrlreg[4] & CR4_DE)
			return -ENODEV;
		reg += 2;
	}
	if (reg < 4) {
		rc = set_address(v, reg, value);
	} else if (reg > 7) {
		return -ENODEV;
	} else if (value >> 32) {
		return -EINVAL;
	} else if (reg == 6) {
		v->arch.dr[6] = (value & ~DR6_RESERVED_ZERO) | DR6_RESERVED_ONE;
	} else {
		rc = set_dr7(v, value);
	}
	if (!rc && v == current && reg != 6) {
		if (v->arch.dr[7] & DR7_ACTIVE_MASK)
			debugreg_load(v);
		else if (was_active)
			write_dr7(DR7_DEFAULT);
	}
	return rc;
}

DEFINE_HYPERCALL(set_debugreg)
{
	return set_debugreg(current, (unsigned int)a1, a2);
}

DEFINE_HYPERCALL(get_debugreg)
{
	struct vcpu *v = current;
	unsigned int reg = (unsigned int)a1;

	if (reg == 4 || reg == 5) {
		if (v->arch.ctrlreg[4] & CR4_DE)
			return -ENODEV;
		reg += 2;
	}
	return reg < 8 ? (long)v->arch.dr[reg] : -ENODEV;
}
