/* SPDX-License-Identifier: MIT */
/*
 * Boot, as a list. head.S has brought this CPU to long mode on its own stack,
 * with the first GiBs and the image mapped; interrupts are off until
 * setup_running(). docs/boot.md walks through it.
 */
#include <core/console.h>
#include <core/domain.h>
#include <core/grant_table.h>
#include <core/keyhandler.h>
#include <core/lib.h>
#include <core/mm.h>
#include <core/param.h>
#include <core/sched.h>
#include <core/softirq.h>
#include <core/version.h>
#include <arch/domain.h>
#include <arch/time.h>
#include <x86/asm.h>
#include <x86/boot_info.h>
#include <x86/console_dev.h>
#include <x86/context.h>
#include <x86/cpu_policy.h>
#include <x86/mm.h>
#include <x86/platform.h>
#include <x86/pv.h>

void start_hypervisor(unsigned long magic, unsigned long info_phys);

static unsigned int opt_maxcpus __initdata = NR_CPUS;
integer_param("maxcpus", opt_maxcpus);
static bool opt_nosmp __initdata;
boolean_param("nosmp", opt_nosmp);

static void __init say_hello(void)
{
	printk(XENLOG_INFO "Krypton %s, a Xen %u.%u compatible hypervisor (%s)\n", krypton_version,
	       KRYPTON_ABI_MAJOR, KRYPTON_ABI_MINOR, krypton_changeset);
	printk(XENLOG_INFO "Built with %s on %s\n", krypton_compiler, krypton_compile_date);
	printk(XENLOG_INFO "Bootloader: %s\n", boot_info.loader_name);
	printk(XENLOG_INFO "Command line: %s\n", boot_info.cmdline);
	boot_say_left_out(&boot_info);
}

static void __init bring_up_cpus(void)
{
	unsigned int limit = opt_nosmp ? 1 : opt_maxcpus;

	for (unsigned int cpu = 1; cpu < nr_cpu_ids; cpu++) {
		int rc;

		if (cpu >= limit) {
			printk(XENLOG_INFO "CPU%u left off: maxcpus=%u\n", cpu, limit);
			continue;
		}
		rc = cpu_up(cpu);
		if (rc)
			printk(XENLOG_ERR "CPU%u did not come up: error %d; going on without it\n",
			       cpu, rc);
	}
	printk(XENLOG_INFO "%u CPUs\n", cpumask_weight(&cpu_online_map));
}

static void __init build_dom0(void)
{
	dom0_build(&boot_info);
	printk(XENLOG_INFO "Free memory after dom0: %lu MiB\n", total_free_pages() >> 8);
	console_endboot();
	domain_unpause_by_controller(hardware_domain);
}

/* Not in init memory, which goes to the heap here. */
static void __attribute__((noinline)) __noreturn start_idling(void)
{
	free_init_memory();
	local_irq_disable();
	continue_running(current);
}

void __init start_hypervisor(unsigned long magic, unsigned long info_phys)
{
	percpu_init_bsp();
	boot_info_parse(magic, info_phys);
	cmdline_parse(boot_info.cmdline);
	serial_init_early();
	say_hello();
	cpu_identify_bsp();

	e820_init(&boot_info);
	paging_init();
	traps_init();
	cpu_init();
	context_init();
	vector_pages_init();
	vga_init(&boot_info.video);
	heap_init();
	end_boot_allocator();
	console_init_ring();

	softirq_init();
	timers_init();
	quiesce_init();
	if (acpi_tables_init(boot_info.acpi_rsdp))
		panic("No ACPI tables were found; Krypton needs a machine (or emulator) with ACPI\n");
	i8259_init();
	irq_init();
	apic_init_bsp();
	ioapic_init();
	time_init_early();
	pci_init();
	smp_init();
	scheduler_init();
	domains_init();
	get_cpu_info()->current_vcpu = idle_vcpu[0];
	arch_mm_init();
	cpu_policy_init();
	pv_traps_init();
	time_init();
	keyhandlers_init();
	gnttab_keyhandler_init();
	microcode_init();
	mce_init_cpu();

	local_irq_enable();
	serial_init_irq();
	bring_up_cpus();
	efi_runtime_init();
	heap_scrub_boot();
	build_dom0();
	nmi_watchdog_init();	/* not earlier: unpacking a kernel runs long with interrupts off */
	start_idling();
}
