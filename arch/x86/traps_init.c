/* SPDX-License-Identifier: MIT */
/*
 * What the CPU needs to enter the hypervisor: IDT (one for all CPUs), and per
 * CPU the descriptors in its window, the TSS with its stacks, and the MSRs of
 * SYSCALL and SYSENTER. traps_init() comes first, once; then each CPU calls
 * percpu_traps_init(). Both need paging_init() done.
 */
#include <core/lib.h>
#include <core/mm.h>
#include <arch/cpu.h>
#include <arch/percpu.h>
#include <x86/alternative.h>
#include <x86/asm.h>
#include <x86/cpu_info.h>
#include <x86/cpufeature.h>
#include <x86/entry.h>
#include <x86/layout.h>
#include <x86/mm.h>
#include <x86/platform.h>
#include <xen/xen.h>

#define MSR_SYSENTER_CS		0x174
#define MSR_SYSENTER_ESP	0x175
#define MSR_SYSENTER_EIP	0x176
#define MSR_EFER		0xc0000080
#define MSR_STAR		0xc0000081
#define MSR_LSTAR		0xc0000082
#define MSR_CSTAR		0xc0000083
#define MSR_SFMASK		0xc0000084

struct idt_gate {
	uint16_t offset_low, selector;
	uint8_t ist, attr;
	uint16_t offset_mid;
	uint32_t offset_high, reserved;
};

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3, iomap;
} __packed;

struct table_register {
	uint16_t limit;
	uint64_t base;
} __packed;

enum { IST_NMI = 1, IST_MCE, IST_DF, IST_DB };

static struct idt_gate idt[256] __aligned(16);
static DEFINE_PER_CPU(struct tss, tss);

/* Pages of the boot CPU's window; other CPUs take theirs from the heap. */
static uint8_t boot_gdt_page[4096] __section(".bss.page_aligned") __aligned(4096);
static uint8_t zero_page[4096] __section(".bss.page_aligned") __aligned(4096);

void entry_nmi(void);
void entry_mce(void);
void entry_debug(void);
void entry_double_fault(void);
void entry_page_fault(void);

static void __init set_gate(unsigned int vector, const void *entry, unsigned int dpl,
			    unsigned int ist)
{
	unsigned long a = (unsigned long)entry;

	idt[vector] = (struct idt_gate){
		.offset_low = (uint16_t)a, .offset_mid = (uint16_t)(a >> 16),
		.offset_high = (uint32_t)(a >> 32), .selector = HYP_CS,
		.ist = (uint8_t)ist, .attr = (uint8_t)(0x8e | dpl << 5),	/* interrupt gate */
	};
}

void __init traps_init(void)
{
	const char *exc = (const char *)entry_exceptions;

	alternatives_apply();
	for (unsigned int i = 0; i < 32; i++)
		set_gate(i, exc + i * 16, i == TRAP_bp || i == TRAP_of ? 3 : 0, 0);
	set_gate(TRAP_pf, entry_page_fault, 0, 0);
	set_gate(TRAP_nmi, entry_nmi, 0, IST_NMI);
	set_gate(TRAP_mc, entry_mce, 0, IST_MCE);
	set_gate(TRAP_df, entry_double_fault, 0, IST_DF);
	set_gate(TRAP_db, entry_debug, 0, IST_DB);
	for (unsigned int i = 0x20; i < 0x100; i++)
		set_gate(i, &irq_stubs[(i - 0x20) * 2], 0, 0);
	set_gate(0x80, exc + 32 * 16, 3, 0);
}

/* Frame behind an address of the image or of the direct map. */
static mfn_t trap_page_mfn(const void *va)
{
	return (unsigned long)va >= DIRECTMAP_START ? virt_to_mfn(va) : image_virt_to_mfn(va);
}

static void map_or_panic(unsigned long va, const void *page, uint64_t flags)
{
	if (map_pages_to_hyp(va, trap_page_mfn(page), 1, flags))
		panic("no memory for the entry mappings of CPU%u", smp_processor_id());
}

static DEFINE_PER_CPU(uint64_t *, gdt_page);

/* The hypervisor's descriptors: page 14 of the window, selectors 0xe000 and up. */
static void load_gdt(unsigned int cpu)
{
	unsigned long window = CPU_WINDOW_START + cpu * CPU_WINDOW_SIZE;
	uint64_t *gdt = this_cpu(gdt_page);
	unsigned long tss_base = (unsigned long)&this_cpu(tss);
	struct table_register gdtr = { 16 * 4096 - 1, window };

	/* A CPU that has been up before keeps its page. */
	if (!gdt)
		gdt = this_cpu(gdt_page) = cpu ? alloc_xenheap_page() : (void *)boot_gdt_page;
	if (!gdt)
		panic("no memory for the descriptors of CPU%u", cpu);
	gdt[(HYP_CS & 0xfff) / 8] = 0x00af9b000000ffff;
	gdt[(HYP_DS & 0xfff) / 8] = 0x00cf93000000ffff;
	gdt[(FLAT_RING3_CS32 & 0xff8) / 8] = 0x00cffb000000ffff;
	gdt[(FLAT_RING3_DS32 & 0xff8) / 8] = 0x00cff3000000ffff;
	gdt[(FLAT_RING3_CS64 & 0xff8) / 8] = 0x00affb000000ffff;
	gdt[(TSS_SELECTOR & 0xfff) / 8] = (sizeof(struct tss) - 1) | (tss_base & 0xffffff) << 16 |
		0x89UL << 40 | (tss_base >> 24 & 0xff) << 56;
	gdt[(TSS_SELECTOR & 0xfff) / 8 + 1] = tss_base >> 32;
	map_or_panic(window + 14 * PAGE_SIZE, gdt, PTE_HYP_RW);
	map_or_panic(window + 15 * PAGE_SIZE, zero_page, PTE_HYP_RO);

	__asm__ __volatile__(
		"lgdt %0\n\t"
		"pushq %1\n\t"
		"lea 1f(%%rip), %%rax\n\t"
		"pushq %%rax\n\t"
		"lretq\n"
		"1: mov %2, %%ss\n\t"
		"xor %%eax, %%eax\n\t"
		"mov %%eax, %%ds\n\t"
		"mov %%eax, %%es\n\t"
		"mov %%eax, %%fs\n\t"
		"mov %%eax, %%gs\n\t"
		"lldt %%ax"
		:: "m"(gdtr), "i"(HYP_CS), "r"(HYP_DS) : "rax", "memory");
}

static void load_tss(void)
{
	struct tss *t = &this_cpu(tss);
	unsigned long stack = (unsigned long)get_cpu_info() & ~(STACK_SIZE - 1UL);

	t->rsp[0] = get_cpu_info()->guest_frame_end;
	t->ist[IST_DF - 1] = stack + 1 * PAGE_SIZE;
	t->ist[IST_NMI - 1] = stack + 2 * PAGE_SIZE;
	t->ist[IST_MCE - 1] = stack + 3 * PAGE_SIZE;
	t->ist[IST_DB - 1] = stack + 4 * PAGE_SIZE;
	t->iomap = sizeof(*t);		/* past the limit: no port for ring 3 */
	__asm__ __volatile__("ltr %w0" :: "r"(TSS_SELECTOR));
}

/* Where interrupts of the guest push: see entry.S. */
void set_guest_frame(struct vcpu *v)
{
	unsigned long end = (unsigned long)&v->arch.regs.es;

	get_cpu_info()->guest_frame_end = end;
	this_cpu(tss).rsp[0] = end;
}

/* LDT descriptor of this CPU and LDTR; 0 entries: none. */
void load_ldt(unsigned int entries)
{
	unsigned long window = CPU_WINDOW_START + smp_processor_id() * CPU_WINDOW_SIZE;
	unsigned long base = window + CPU_WINDOW_LDT_PAGE * PAGE_SIZE;
	uint64_t *desc = (uint64_t *)(window + LDT_SELECTOR);

	if (entries) {
		desc[0] = (entries * 8 - 1) | (base & 0xffffff) << 16 | 0x82UL << 40 |
			(base >> 24 & 0xff) << 56;
		desc[1] = base >> 32;
	}
	__asm__ __volatile__("lldt %w0" :: "r"(entries ? LDT_SELECTOR : 0));
}

static void load_syscall_msrs(unsigned int cpu)
{
	unsigned long stub = SYSCALL_STUB_START + cpu * SYSCALL_STUB_SIZE;
	struct cpu_info *info = get_cpu_info();

	map_or_panic(stub, syscall_stub_page, PTE_HYP_RX);
	map_or_panic(stub + PAGE_SIZE, (void *)((unsigned long)info & PAGE_MASK), PTE_HYP_RW);
	wrmsr(MSR_STAR, (uint64_t)FLAT_RING3_CS32 << 48 | (uint64_t)HYP_CS << 32);
	wrmsr(MSR_LSTAR, stub + (unsigned long)(syscall_entry_stub - syscall_stub_page));
	wrmsr(MSR_CSTAR, stub + (unsigned long)(compat_syscall_stub - syscall_stub_page));
	wrmsr(MSR_SFMASK, X86_EFLAGS_AC | X86_EFLAGS_VM | X86_EFLAGS_RF | X86_EFLAGS_NT |
	      X86_EFLAGS_DF | X86_EFLAGS_IF | X86_EFLAGS_TF);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
	if (cpu_has(X86_FEATURE_SEP)) {
		wrmsr(MSR_SYSENTER_CS, HYP_CS);
		wrmsr(MSR_SYSENTER_ESP, (unsigned long)info);
		wrmsr(MSR_SYSENTER_EIP, (unsigned long)sysenter_entry);
	}
}

void percpu_traps_init(void)
{
	unsigned int cpu = smp_processor_id();
	struct table_register idtr = { sizeof(idt) - 1, (unsigned long)idt };

	load_gdt(cpu);
	load_tss();
	__asm__ __volatile__("lidt %0" :: "m"(idtr));
	load_syscall_msrs(cpu);
}
