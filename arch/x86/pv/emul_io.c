/* SPDX-License-Identifier: MIT */
/*
 * Port I/O of PV guests. Two questions: has the guest's kernel allowed it (its
 * virtual IOPL, its I/O bitmap), else the guest gets its #GP; and has the
 * domain the right to the port (rangeset), else the access goes nowhere: reads
 * give all ones. PCI configuration and CMOS go through us in any case.
 */
#include <core/domain.h>
#include <core/lib.h>
#include <arch/domain.h>
#include <arch/guest_access.h>
#include <arch/spinlock.h>
#include <x86/asm.h>
#include <x86/context.h>
#include <x86/emul.h>
#include <x86/entry.h>
#include <x86/platform.h>
#include <x86/pv.h>
#include <x86/rangeset.h>

#define PORT_CMOS_INDEX	0x70u
#define PORT_CMOS_DATA	0x71u
#define PORT_CF8	0xcf8u

/* ---- rights ---- */

bool emul_iopl_allows(const struct vcpu *v)
{
	unsigned int cpl = 3;

	if (guest_kernel_mode(v, &v->arch.regs))
		cpl = v->domain->vm_assist & (1UL << VMASST_TYPE_architectural_iopl) ? 0 : 1;
	return cpl << 12 <= v->arch.iopl;
}

/*
 * The guest's own permission: IOPL, or the bitmap that its kernel set (read in
 * its address space).
 */
bool pv_io_permitted(struct vcpu *v, unsigned int port, unsigned int bytes)
{
	bool toggle = !(v->arch.flags & TF_kernel_mode);
	uint8_t bits[2] = { 0xff, 0xff };
	unsigned int mask;

	if (likely(emul_iopl_allows(v)))
		return true;
	if (port + bytes > v->arch.iobmp_limit)
		return false;
	if (toggle)
		toggle_guest_mode(v);
	if (raw_copy_from_guest(bits, v->arch.iobmp + port / 8, 2)) {
		bits[1] = 0xff;
		if (raw_copy_from_guest(bits, v->arch.iobmp + port / 8, 1))
			bits[0] = 0xff;
	}
	if (toggle)
		toggle_guest_mode(v);
	mask = bits[0] | (unsigned int)bits[1] << 8;
	return !(mask & (((1u << bytes) - 1) << (port & 7)));
}

static bool port_permitted(const struct domain *d, unsigned int port, unsigned int bytes)
{
	return rangeset_contains(d->arch.ioport_caps, port, port + bytes - 1);
}

/* May the access be made as it is? */
static bool direct(const struct domain *d, unsigned int port, unsigned int bytes)
{
	if (port == PORT_CF8 && bytes == 4)
		return false;
	if (port <= PORT_CMOS_DATA && port + bytes > PORT_CMOS_INDEX)
		return false;
	return port_permitted(d, port, bytes);
}

/* ---- ports that we stand in for ---- */

static DEFINE_SPINLOCK(cmos_lock, LOCK_ANY);	/* index and data are two accesses */

static uint32_t cmos_access(struct domain *d, unsigned int port, const uint32_t *write)
{
	uint32_t val = ~0u;

	if (port == PORT_CMOS_INDEX) {
		if (write)
			d->arch.cmos_index = (uint8_t)*write;
		return d->arch.cmos_index;
	}
	if (!port_permitted(d, PORT_CMOS_INDEX, 2))
		return val;
	spin_lock(&cmos_lock);
	outb(d->arch.cmos_index & 0x7f, PORT_CMOS_INDEX);
	if (write)
		outb((uint8_t)*write, PORT_CMOS_DATA);
	else
		val = inb(PORT_CMOS_DATA);
	spin_unlock(&cmos_lock);
	return val;
}

/* Bits 24-27 of 0xcf8 are AMD's way to the extended registers. */
static unsigned int cf8_register(uint32_t cf8, unsigned int port)
{
	return (cf8 & 0xfc) | (port & 3) | (cf8 >> 16 & 0xf00);
}

static uint32_t pci_data_read(const struct domain *d, unsigned int port, unsigned int bytes)
{
	uint32_t cf8 = d->arch.pci_cf8;

	if (!d->is_hardware || !(cf8 >> 31))
		return ~0u;
	return pci_conf_read(0, (uint8_t)(cf8 >> 16), (uint8_t)(cf8 >> 8), cf8_register(cf8, port),
			     bytes);
}

static void pci_data_write(struct domain *d, unsigned int port, unsigned int bytes, uint32_t val)
{
	uint32_t cf8 = d->arch.pci_cf8;

	if (!d->is_hardware || !(cf8 >> 31))
		return;
	if (pci_conf_write_intercept(d, (cf8 & ~3u) | (port & 3), bytes, &val))
		pci_conf_write(0, (uint8_t)(cf8 >> 16), (uint8_t)(cf8 >> 8),
			       cf8_register(cf8, port), bytes, val);
}

static uint32_t read_port(unsigned int port, unsigned int bytes)
{
	return bytes == 1 ? inb((uint16_t)port) :
	       bytes == 2 ? inw((uint16_t)port) :
			    inl((uint16_t)port);
}

static void write_port(unsigned int port, unsigned int bytes, uint32_t val)
{
	if (bytes == 1)
		outb((uint8_t)val, (uint16_t)port);
	else if (bytes == 2)
		outw((uint16_t)val, (uint16_t)port);
	else
		outl(val, (uint16_t)port);
}

/* How much of an access at port one handler takes: within a PCI data register, else a byte. */
static unsigned int piece(unsigned int port, unsigned int bytes)
{
	unsigned int n = 1;

	if ((port & ~3u) == 0xcfc) {
		n = min(bytes, 4 - (port & 3));
		if (n == 3)
			n = 2;
	}
	return n;
}

static uint32_t guest_in(struct domain *d, unsigned int port, unsigned int bytes)
{
	uint32_t data = 0;

	if (likely(direct(d, port, bytes)))
		return read_port(port, bytes);
	if (port == PORT_CF8 && bytes == 4)
		return d->arch.pci_cf8;
	for (unsigned int done = 0, n; done < bytes; done += n, port += n) {
		uint32_t sub = ~0u;

		n = piece(port, bytes - done);
		if (port == PORT_CMOS_INDEX || port == PORT_CMOS_DATA)
			sub = cmos_access(d, port, NULL);
		else if ((port & ~3u) == 0xcfc)
			sub = pci_data_read(d, port, n);
		else if (port_permitted(d, port, 1))
			sub = inb((uint16_t)port);
		if (n == 4)
			return sub;
		data |= (sub & ((1u << (8 * n)) - 1)) << (8 * done);
	}
	return data;
}

static void guest_out(struct domain *d, unsigned int port, unsigned int bytes, uint32_t data)
{
	if (likely(direct(d, port, bytes))) {
		write_port(port, bytes, data);
		return;
	}
	if (port == PORT_CF8 && bytes == 4) {
		d->arch.pci_cf8 = data;
		return;
	}
	for (unsigned int done = 0, n; done < bytes; done += n, port += n) {
		uint32_t sub = data >> (8 * done);

		n = piece(port, bytes - done);
		if (port == PORT_CMOS_INDEX || port == PORT_CMOS_DATA)
			cmos_access(d, port, &sub);
		else if ((port & ~3u) == 0xcfc)
			pci_data_write(d, port, n, sub);
		else if (port_permitted(d, port, 1))
			outb((uint8_t)sub, (uint16_t)port);
	}
}

/* ---- the instructions ---- */

/* e4-e7: port in the instruction; ec-ef: port in dx. Bit 1: OUT. Bit 0: not a byte. */
enum emul_result emul_in_out(struct vcpu *v, struct insn *in)
{
	struct cpu_user_regs *regs = &v->arch.regs;
	unsigned int bytes = !(in->opcode & 1) ? 1 : in->opsize16 ? 2 : 4;
	unsigned int port = regs->rdx & 0xffff;
	uint32_t val;
	uint8_t imm;

	if (!(in->opcode & 8)) {
		if (!insn_byte(in, &imm))
			return EMUL_FAULT;
		port = imm;
	}
	if (!pv_io_permitted(v, port, bytes))
		return EMUL_FAULT;
	if (in->opcode & 2) {
		guest_out(v->domain, port, bytes, (uint32_t)regs->rax);
		return EMUL_DONE;
	}
	val = guest_in(v->domain, port, bytes);
	if (bytes == 4)
		regs->rax = val;
	else if (bytes == 2)
		regs->rax = (regs->rax & ~0xffffUL) | (uint16_t)val;
	else
		regs->rax = (regs->rax & ~0xffUL) | (uint8_t)val;
	return EMUL_DONE;
}

static unsigned long advance(unsigned long reg, long by, bool addr32)
{
	return addr32 ? (uint32_t)(reg + (unsigned long)by) : reg + (unsigned long)by;
}

/* One element between port and memory; false: the memory is not there (err, address: the #PF). */
static bool string_element(struct vcpu *v, const struct insn *in, unsigned int port,
			   unsigned int bytes, unsigned long va)
{
	uint32_t val = 0;

	if (in->opcode & 2) {
		if (raw_copy_from_guest(&val, (void *)va, bytes)) {
			pv_inject_page_fault(0, va);
			return false;
		}
		guest_out(v->domain, port, bytes, val);
		return true;
	}
	/* Before the port is read: is the memory writable? */
	if (raw_copy_from_guest(&val, (void *)va, bytes) ||
	    raw_copy_to_guest((void *)va, &val, bytes)) {
		pv_inject_page_fault(PFEC_write, va);
		return false;
	}
	val = guest_in(v->domain, port, bytes);
	return !raw_copy_to_guest((void *)va, &val, bytes);
}

#define STRING_BATCH	1024u	/* elements before interrupts and others get their turn */

/* INS (6c, 6d: to es:rdi) and OUTS (6e, 6f: from seg:rsi), with or without REP. */
enum emul_result emul_string_io(struct vcpu *v, struct insn *in)
{
	struct cpu_user_regs *regs = &v->arch.regs;
	unsigned int bytes = !(in->opcode & 1) ? 1 : in->opsize16 ? 2 : 4;
	bool addr32 = !in->code64 || in->addr_short, out = in->opcode & 2;
	unsigned long *ptr = out ? &regs->rsi : &regs->rdi;
	long step = regs->rflags & X86_EFLAGS_DF ? -(long)bytes : (long)bytes;
	unsigned int port = regs->rdx & 0xffff;
	unsigned long base = 0;

	if (!pv_io_permitted(v, port, bytes))
		return EMUL_FAULT;
	if (out && in->segment == SEG_FS)
		base = read_fs_base();
	else if (out && in->segment == SEG_GS)
		base = read_gs_base();
	for (unsigned int n = 0; ; n++) {
		if (in->rep && !(addr32 ? (uint32_t)regs->rcx : regs->rcx))
			return EMUL_DONE;
		if (n == STRING_BATCH)
			return EMUL_RETRY;
		if (!string_element(v, in, port, bytes, base + (addr32 ? (uint32_t)*ptr : *ptr)))
			return EMUL_TAKEN;
		*ptr = advance(*ptr, step, addr32);
		if (!in->rep)
			return EMUL_DONE;
		regs->rcx = advance(regs->rcx, -1, addr32);
	}
}
