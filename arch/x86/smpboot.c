/* SPDX-License-Identifier: MIT */
/*
 * Starting and stopping CPUs. cpu_up() prepares all that the CPU needs (per-CPU
 * area, stack, window, idle vcpu), copies the trampoline below 1 MiB and sends
 * INIT and SIPI; the CPU arrives in start_secondary(). One at a time: who comes
 * meanwhile, by a sysctl or a platform_op, gets -EBUSY.
 */
#include <core/domain.h>
#include <core/errno.h>
#include <core/lib.h>
#include <core/param.h>
#include <core/quiesce.h>
#include <core/sched.h>
#include <arch/domain.h>
#include <arch/spinlock.h>
#include <arch/time.h>
#include <x86/asm.h>
#include <x86/boot_info.h>
#include <x86/irq.h>
#include <x86/microcode.h>
#include <x86/mm.h>
#include <x86/paging.h>
#include <x86/platform.h>
#include <x86/smp.h>

extern const char trampoline_start[], trampoline_end[], trampoline_args[];

/* The words at the end of trampoline.S. */
struct trampoline_args {
	uint64_t entry, rsp;
	uint32_t cpu, cr3;
	uint32_t far_offset;
	uint16_t far_selector, pad;
	uint16_t pad2, gdt_limit;
	uint32_t gdt_base;
} __packed;

/* Milliseconds: emulators on busy machines let a CPU wait for seconds. */
#define START_TIMEOUT	5000

/* How far the CPU that is being started got; written by it but for AP_GO. */
enum { AP_NONE, AP_ALIVE, AP_ONLINE, AP_GO, AP_DEAD };
static unsigned int ap_state;
static void *cpu_stack[NR_CPUS];
static DEFINE_SPINLOCK(hotplug_lock, LOCK_ANY);		/* tried only */

/*
 * The four pages below 1 MiB: code, and tables with a 2 MiB identity page at 0
 * and the hypervisor's slots. Made anew each time: dom0 can write there.
 */
static void prepare_trampoline(unsigned int cpu)
{
	char *code = mfn_to_virt(paddr_to_mfn(trampoline_phys));
	pte_t *l4 = (pte_t *)(code + PAGE_SIZE), *l3 = l4 + PT_ENTRIES, *l2 = l3 + PT_ENTRIES;
	uint32_t phys = (uint32_t)trampoline_phys;
	struct trampoline_args *args;

	memcpy(code, trampoline_start, (size_t)(trampoline_end - trampoline_start));
	args = (void *)(code + (trampoline_args - trampoline_start));
	args->entry = (unsigned long)start_secondary;
	args->rsp = (unsigned long)cpu_stack[cpu] + STACK_SIZE - sizeof(struct cpu_info);
	args->cpu = cpu;
	args->cr3 = phys + (uint32_t)PAGE_SIZE;
	args->far_offset += phys;
	args->gdt_base += phys;

	clear_page(l4);
	clear_page(l3);
	clear_page(l2);
	init_guest_l4_slots(l4);
	l4[0] = pte_make(virt_to_mfn(l3), PTE_PRESENT | PTE_RW);
	l3[0] = pte_make(virt_to_mfn(l2), PTE_PRESENT | PTE_RW);
	l2[0] = pte_make(_mfn(0), PTE_PRESENT | PTE_RW | PTE_PSE);
}

/* What must exist before the CPU runs its first instruction; kept if it goes down again. */
static int prepare_cpu(unsigned int cpu)
{
	int rc = percpu_alloc(cpu);

	if (!rc)
		rc = cpu_window_prepare(cpu);
	if (rc)
		return rc;
	if (!cpu_stack[cpu])
		cpu_stack[cpu] = alloc_xenheap_pages(STACK_ORDER, 0);
	if (!cpu_stack[cpu])
		return -ENOMEM;
	memset(cpu_stack[cpu], 0, STACK_SIZE);
	if (!idle_vcpu[cpu])
		idle_vcpu[cpu] = vcpu_create(dom_idle, cpu);
	if (!idle_vcpu[cpu])
		return -ENOMEM;
	timers_init_cpu(cpu);
	return 0;
}

static bool wait_for_state(unsigned int state, unsigned int ms)
{
	for (unsigned int i = 0; i < ms * 20; i++) {
		if (atomic_load(&ap_state) >= state)
			return true;
		udelay(50);
	}
	return false;
}

static int bring_up(unsigned int cpu)
{
	int rc;

	if (cpu >= nr_cpu_ids || !cpumask_test_cpu(cpu, &cpu_possible_map))
		return -EINVAL;
	if (cpumask_test_cpu(cpu, &cpu_online_map))
		return -EEXIST;
	if (!trampoline_phys)
		return -ENODEV;
	rc = prepare_cpu(cpu);
	if (rc)
		return rc;
	prepare_trampoline(cpu);
	atomic_store(&ap_state, AP_NONE);
	apic_send_init_sipi(x86_cpu_to_apicid[cpu], (uint8_t)(trampoline_phys >> PAGE_SHIFT));
	if (!wait_for_state(AP_ALIVE, START_TIMEOUT)) {
		/* It must not come later, with the stack of another: it waits for the next SIPI. */
		apic_send_init(x86_cpu_to_apicid[cpu]);
		printk(XENLOG_ERR "CPU %u (APIC id %u) does not start; going on without it\n",
		       cpu, x86_cpu_to_apicid[cpu]);
		return -EIO;
	}
	/* It is ours now: it must come online. */
	if (!wait_for_state(AP_ONLINE, 2 * START_TIMEOUT))
		panic("CPU %u started but did not come online\n", cpu);
	rc = sched_cpu_up(cpu);
	if (rc)
		printk(XENLOG_ERR "CPU %u: the scheduler refused it (%d)\n", cpu, rc);
	atomic_store(&ap_state, AP_GO);
	return 0;
}

int cpu_up(unsigned int cpu)
{
	int rc = -EBUSY;

	if (spin_trylock(&hotplug_lock)) {
		rc = bring_up(cpu);
		spin_unlock(&hotplug_lock);
	}
	return rc;
}

void start_secondary(unsigned int cpu)
{
	struct cpu_info *info = get_cpu_info();

	info->processor_id = cpu;
	info->percpu_offset = percpu_offsets[cpu];
	info->current_vcpu = idle_vcpu[cpu];
	write_cr3(mfn_to_paddr(idle_l4_mfn()));
	atomic_store(&ap_state, AP_ALIVE);

	cpu_init();
	apic_init_cpu();
	microcode_apply_cpu();
	mce_init_cpu();
	time_init_cpu();
	cpumask_set_cpu(cpu, &cpu_online_map);
	atomic_store(&ap_state, AP_ONLINE);
	local_irq_enable();	/* whoever sees us online may send IPIs and wait */
	/* Not until AP_GO: who takes us down again at once may have passed that. */
	while (atomic_load(&ap_state) == AP_ONLINE)
		cpu_relax();
	idle_loop();
}

/*
 * OFFLINE_SOFTIRQ, on the CPU that goes: from its idle loop, so that it leaves nothing half done, no lock
 * held and no pages that it was clearing. A vcpu that it still has is switched away first.
 */
void cpu_play_dead(void)
{
	unsigned int cpu = smp_processor_id();

	if (!is_idle_vcpu(current)) {
		raise_softirq(OFFLINE_SOFTIRQ);
		raise_softirq(SCHEDULE_SOFTIRQ);
		return;
	}
	local_irq_disable();
	sync_local_execstate();
	cpumask_clear_cpu(cpu, &cpu_online_map);
	irqs_leave_cpu(cpu);
	apic_shutdown_cpu();
	atomic_store(&ap_state, AP_DEAD);
	for (;;)
		__asm__ __volatile__("hlt");
}

static int take_down(unsigned int cpu)
{
	int rc;

	if (cpu == 0)
		return -EBUSY;
	if (cpu >= nr_cpu_ids || !cpumask_test_cpu(cpu, &cpu_online_map))
		return -ENODEV;
	if (cpu == smp_processor_id())
		return -EBUSY;
	rc = sched_cpu_down(cpu);
	if (rc)
		return rc;
	atomic_store(&ap_state, AP_NONE);
	cpu_raise_softirq(cpu, OFFLINE_SOFTIRQ);
	if (!wait_for_state(AP_DEAD, START_TIMEOUT))
		panic("CPU %u does not go down\n", cpu);
	timers_offline_cpu(cpu);
	softirq_cpu_offline(cpu);
	quiesce_cpu_offline(cpu);
	return 0;
}

int cpu_down(unsigned int cpu)
{
	int rc = -EBUSY;

	if (spin_trylock(&hotplug_lock)) {
		rc = take_down(cpu);
		spin_unlock(&hotplug_lock);
	}
	return rc;
}
