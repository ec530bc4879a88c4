/* SPDX-License-Identifier: MIT */
/*
 * Debug keys. Handlers run from a softirq of the CPU that got the key, with
 * interrupts enabled, so that they may print at length and take locks.
 */
#include <core/domain.h>
#include <core/event.h>
#include <core/keyhandler.h>
#include <core/lib.h>
#include <core/sched.h>
#include <core/softirq.h>
#include <arch/domain.h>
#include <arch/time.h>
#include <arch/trap.h>

static struct {
	void (*fn)(unsigned char key);
	const char *desc;
} keys[128];

static struct deferred work;
static unsigned char pending_key;

void keyhandler_run(unsigned char key)
{
	if (key < ARRAY_SIZE(keys) && keys[key].fn)
		keys[key].fn(key);
	else
		printk("Debug key '%c' (0x%02x) is not used; 'h' lists the keys\n",
		       key >= ' ' && key < 127 ? key : '?', key);
}

static void run_pending(void *arg __maybe_unused)
{
	keyhandler_run(read_once(pending_key));
}

void keyhandler_handle(unsigned char key)
{
	write_once(pending_key, key);
	defer_on_cpu(&work, smp_processor_id());
}

void keyhandler_register(unsigned char key, void (*fn)(unsigned char), const char *desc)
{
	BUG_ON(key >= ARRAY_SIZE(keys));
	keys[key].fn = fn;
	keys[key].desc = desc;
}

static void key_help(unsigned char key __maybe_unused)
{
	printk("Debug keys:\n");
	for (unsigned int i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].fn)
			printk(" key '%c' (ascii '%02x') => %s\n", (char)i, i, keys[i].desc);
}

static void key_domains(unsigned char key __maybe_unused)
{
	struct domain *d;
	struct vcpu *v;

	printk("'q' pressed -> dumping domain info (now = %ld)\n", NOW());
	for_each_domain(d) {
		printk("General information for domain %u:\n", d->domain_id);
		printk("    refcnt=%d dying=%d pause_count=%d\n", read_once(d->refcnt),
		       d->is_dying, d->controller_pause_count);
		printk("    nr_pages=%lu xenheap_pages=%lu max_pages=%lu claimed=%lu\n",
		       d->tot_pages, d->xenheap_pages, d->max_pages, d->outstanding_pages);
		arch_dump_domain(d);
		for_each_vcpu(d, v) {
			printk("    VCPU%u: CPU%u [has=%c] poll=%d upcall_pend=%02x upcall_mask=%02x\n",
			       v->vcpu_id, v->processor, v->is_running ? 'T' : 'F', v->poll_evtchn,
			       v->vcpu_info->evtchn_upcall_pending,
			       v->vcpu_info->evtchn_upcall_mask);
			printk("    pause_count=%d pause_flags=%lx\n", v->pause_count,
			       v->pause_flags);
			process_pending_softirqs();
		}
	}
}

static void key_registers(unsigned char key __maybe_unused)
{
	struct domain *d;
	struct vcpu *v;

	for_each_domain(d)
		for_each_vcpu(d, v) {
			printk("*** Dumping %pv state: ***\n", v);
			arch_dump_vcpu(v);
			process_pending_softirqs();
		}
}

static void key_heap(unsigned char key __maybe_unused)
{
	printk("Free pages: %lu (%lu MiB), claimed %lu\n", total_free_pages(),
	       total_free_pages() >> 8, total_outstanding_claims());
}

static void key_time(unsigned char key __maybe_unused)
{
	unsigned int cpu;

	printk("System time %ld ns\n", NOW());
	for_each_online_cpu(cpu)
		printk("CPU%u: idle %lu ms\n", cpu, cpu_idle_time(cpu) / 1000000);
}

static void key_reboot(unsigned char key __maybe_unused)
{
	printk("'R' pressed -> rebooting machine\n");
	machine_restart(0);
}


static void key_stack(unsigned char key __maybe_unused)
{
	dump_stack();
}

void keyhandlers_init(void)
{
	defer_init(&work, run_pending, NULL);
	keyhandler_register('h', key_help, "show this message");
	keyhandler_register('q', key_domains, "dump domain (and guest debug) info");
	keyhandler_register('0', key_registers, "dump registers of all vcpus");
	keyhandler_register('H', key_heap, "dump heap info");
	keyhandler_register('e', events_dump, "dump event channels");
	keyhandler_register('r', sched_dump, "dump run queues");
	keyhandler_register('t', key_time, "display time and idle info");
	keyhandler_register('R', key_reboot, "reboot machine");
	keyhandler_register('d', key_stack, "dump this CPU's stack");
}
