/* SPDX-License-Identifier: MIT */
/*
 * Registers, code, stack and call trace on the console, in the form that users
 * of Xen know. There are no frame pointers: every word on the stack that is an
 * address of code counts as a call.
 */
#include <core/domain.h>
#include <core/lib.h>
#include <arch/cpu.h>
#include <arch/domain.h>
#include <arch/frame.h>
#include <arch/guest_access.h>
#include <arch/trap.h>
#include <x86/asm.h>
#include <x86/cpu_info.h>
#include <x86/page.h>

extern const char _stext[] __asm__("_start"), _etext[];

static bool is_code(unsigned long a)
{
	return a > IMAGE_START && a < (unsigned long)_etext;
}

static void show_registers(const struct cpu_user_regs *r)
{
	printk("RIP:    %04x:[<%016lx>] %ps\n", r->cs, (unsigned long)r->rip,
	       r->cs & 3 ? NULL : (void *)r->rip);
	printk("RFLAGS: %016lx   CPU: %u   error code: %04x\n", (unsigned long)r->rflags,
	       smp_processor_id(), r->error_code);
	printk("rax: %016lx   rbx: %016lx   rcx: %016lx\n", r->rax, r->rbx, r->rcx);
	printk("rdx: %016lx   rsi: %016lx   rdi: %016lx\n", r->rdx, r->rsi, r->rdi);
	printk("rbp: %016lx   rsp: %016lx   r8:  %016lx\n", r->rbp, (unsigned long)r->rsp, r->r8);
	printk("r9:  %016lx   r10: %016lx   r11: %016lx\n", r->r9, r->r10, r->r11);
	printk("r12: %016lx   r13: %016lx   r14: %016lx\n", r->r12, r->r13, r->r14);
	printk("r15: %016lx   ss: %04x   cs: %04x\n", r->r15, r->ss, r->cs);
}

static void show_control_registers(void)
{
	printk("cr0: %016lx   cr2: %016lx   cr3: %016lx   cr4: %016lx\n", read_cr0(), read_cr2(),
	       read_cr3(), read_cr4());
}

/* The page of this CPU's stack area that holds sp ends the trace; so does the top. */
static void show_trace(unsigned long rip, unsigned long sp)
{
	unsigned long area = (unsigned long)get_cpu_info() & ~(STACK_SIZE - 1UL);
	unsigned long end = (unsigned long)get_cpu_info();

	if (sp < area || sp >= end)
		return;
	if (sp < area + 4 * PAGE_SIZE)
		end = (sp | (PAGE_SIZE - 1)) + 1;
	printk("Call trace:\n");
	if (rip)
		printk("   [<%016lx>] R %ps\n", rip, (void *)rip);
	for (unsigned int n = 0; sp < end && n < 24; sp += 8) {
		unsigned long a = *(unsigned long *)sp;

		if (is_code(a)) {
			printk("   [<%016lx>] S %ps\n", a, (void *)a);
			n++;
		}
	}
}

static void show_stack_words(unsigned long sp, bool guest)
{
	printk("%s stack trace from rsp=%016lx:", guest ? "Guest" : "Hypervisor", sp);
	for (unsigned int i = 0; i < 24; i++) {
		unsigned long w;

		if (guest ? raw_copy_from_guest(&w, (void *)(sp + i * 8), 8) != 0 :
			    sp + i * 8 >= (unsigned long)get_cpu_info())
			break;
		if (!guest)
			w = *(unsigned long *)(sp + i * 8);
		printk("%s%016lx", i % 4 ? " " : "\n   ", w);
	}
	printk("\n");
}

void show_execution_state(const struct cpu_user_regs *regs)
{
	if (!regs) {
		dump_stack();
		return;
	}
	printk("----[ krypton  x86_64 ]----\n");
	show_registers(regs);
	show_control_registers();
	if (regs->cs & 3)
		return;
	if (((regs->rsp ^ (unsigned long)get_cpu_info()) & ~(STACK_SIZE - 1UL)) == 0)
		show_stack_words(regs->rsp, false);
	show_trace(regs->rip, regs->rsp);
}

void dump_stack(void)
{
	unsigned long sp;

	__asm__("mov %%rsp, %0" : "=r"(sp));
	show_trace(0, sp);
}

/* Shows v's registers; its stack too if it is the one that runs here. */
void arch_dump_vcpu(struct vcpu *v)
{
	const struct cpu_user_regs *r = &v->arch.regs;

	printk("*** Dumping %pv state: ***\n", v);
	show_registers(r);
	printk("fsb: %016lx   gsb: %016lx   gss: %016lx   cr3: %016lx   %s\n", v->arch.fs_base,
	       v->arch.gs_base_kernel, v->arch.gs_base_user, v->arch.load_cr3[v->arch.flags & TF_kernel_mode],
	       v->arch.flags & TF_kernel_mode ? "kernel" : "user");
	if (v == current)
		show_stack_words(r->rsp, true);
}

void show_page_walk(unsigned long va)
{
	mfn_t table = paddr_to_mfn(read_cr3() & PTE_ADDR_MASK);

	printk("Pagetable walk from %016lx:\n", va);
	for (unsigned int level = 4; level > 0; level--) {
		unsigned int index = (va >> (3 + 9 * level)) & 511;
		pte_t e = ((pte_t *)mfn_to_virt(table))[index];

		printk(" L%u[0x%03x] = %016lx\n", level, index, e.pte);
		if (!pte_present(e) || (level > 1 && (e.pte & PTE_PSE)) || !mfn_valid(pte_mfn(e)))
			return;
		table = pte_mfn(e);
	}
}
