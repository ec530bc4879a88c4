/* SPDX-License-Identifier: MIT */
/* Starting further vcpus and giving them work: see smp.h. */
#include <guest/console.h>
#include <guest/cpu.h>
#include <guest/event.h>
#include <guest/mm.h>
#include <guest/smp.h>
#include <guest/string.h>
#include <guest/trap.h>

enum { CPU_IDLE, CPU_BUSY };

extern char boot_stack[], smp_entry[];
void smp_start(struct cpu *cpu) __noreturn;

static char stacks[SMP_MAX_VCPUS - 1][GUEST_STACK_SIZE] __attribute__((aligned(GUEST_STACK_SIZE)));
static volatile bool online[SMP_MAX_VCPUS];

static struct cpu *cpu_of(unsigned int vcpu)
{
	return vcpu ? (struct cpu *)stacks[vcpu - 1] : (struct cpu *)boot_stack;
}

void cpu_init(unsigned int id)
{
	*cpu_of(id) = (struct cpu){ .id = id };
}

bool smp_exists(unsigned int vcpu)
{
	return vcpu_op(VCPUOP_is_up, vcpu, NULL) >= 0;
}

void smp_start(struct cpu *cpu)
{
	trap_init_cpu();
	online[cpu->id] = true;
	for (;;) {
		while (cpu->state == CPU_IDLE)
			sched_op(SCHEDOP_yield, NULL);
		cpu->entry(cpu->arg);
		barrier();
		cpu->state = CPU_IDLE;
	}
}

void smp_fill_context(struct vcpu_guest_context *ctxt, unsigned int vcpu)
{
	struct cpu *cpu = cpu_of(vcpu);
	static struct trap_info table[257];

	memset(ctxt, 0, sizeof(*ctxt));
	trap_fill_table(table);
	memcpy(ctxt->trap_ctxt, table, sizeof(ctxt->trap_ctxt));
	ctxt->flags = VGCF_in_kernel;
	ctxt->user_regs.rip = PTR(smp_entry);
	ctxt->user_regs.rsp = PTR(cpu) + GUEST_STACK_SIZE;
	ctxt->user_regs.rdi = PTR(cpu);
	ctxt->user_regs.cs = FLAT_KERNEL_CS;
	ctxt->user_regs.ss = FLAT_KERNEL_SS;
	ctxt->user_regs.ds = FLAT_KERNEL_DS;
	ctxt->user_regs.es = FLAT_KERNEL_DS;
	ctxt->user_regs.rflags = 0x202;
	ctxt->kernel_ss = FLAT_KERNEL_SS;
	ctxt->kernel_sp = PTR(cpu) + GUEST_STACK_SIZE;
	ctxt->ctrlreg[0] = 0x80050033;
	ctxt->ctrlreg[3] = virt_to_mfn(kernel_l4) << PAGE_SHIFT;
	ctxt->event_callback_eip = trap_stub(VEC_UPCALL);
	ctxt->failsafe_callback_eip = PTR(failsafe_entry);
	ctxt->syscall_callback_eip = trap_stub(VEC_SYSCALL);
}

long smp_boot(unsigned int vcpu)
{
	static struct vcpu_guest_context ctxt;
	long rc;

	cpu_init(vcpu);
	shared_info->vcpu_info[vcpu].evtchn_upcall_mask = 1;
	smp_fill_context(&ctxt, vcpu);
	rc = vcpu_op(VCPUOP_initialise, vcpu, &ctxt);
	if (!rc)
		rc = vcpu_op(VCPUOP_up, vcpu, NULL);
	while (!rc && !online[vcpu])
		sched_op(SCHEDOP_yield, NULL);
	return rc;
}

void smp_run(unsigned int vcpu, void (*fn)(void *), void *arg)
{
	struct cpu *cpu = cpu_of(vcpu);

	cpu->entry = fn;
	cpu->arg = arg;
	barrier();
	cpu->state = CPU_BUSY;
}

void smp_wait(unsigned int vcpu)
{
	while (cpu_of(vcpu)->state != CPU_IDLE)
		sched_op(SCHEDOP_yield, NULL);
}
