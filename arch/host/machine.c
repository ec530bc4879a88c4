/* SPDX-License-Identifier: MIT */
/*
 * The rest of the machine and of the core, as fakes that record: links whatever
 * a test leaves out.
 */
#include <core/lib.h>
#include <core/domain.h>
#include <core/errno.h>
#include <core/event.h>
#include <core/hypercall.h>
#include <core/keyhandler.h>
#include <core/memory.h>
#include <core/param.h>
#include <core/quiesce.h>
#include <core/sched.h>
#include <core/softirq.h>
#include <core/timer.h>
#include <arch/domain.h>
#include <arch/irq.h>
#include <arch/map.h>
#include <arch/time.h>
#include <arch/trap.h>
#include <host/host.h>

#define WEAK	__attribute__((weak))

/* ---- arch/domain.h ---- */
WEAK int arch_domain_create(struct domain *d,
			    const struct xen_domctl_createdomain *cfg __maybe_unused)
{
	spin_lock_init(&d->arch.pirq_lock, LOCK_PIRQ);
	return 0;
}
WEAK void arch_domain_destroy(struct domain *d __maybe_unused) { }
WEAK int arch_sanitise_domain_config(struct xen_domctl_createdomain *cfg __maybe_unused)
{
	return 0;
}
WEAK int arch_vcpu_create(struct vcpu *v)
{
	v->arch.guest_table = v->arch.guest_table_user = INVALID_MFN;
	v->arch.flags = TF_kernel_mode;
	return 0;
}
WEAK void arch_vcpu_destroy(struct vcpu *v __maybe_unused) { }
WEAK int arch_domain_relinquish(struct domain *d __maybe_unused) { return 0; }
WEAK void arch_domain_shutdown(struct domain *d __maybe_unused) { }
WEAK void arch_domain_pause(struct domain *d __maybe_unused) { }
WEAK void arch_domain_unpause(struct domain *d __maybe_unused) { }
WEAK void arch_domain_creation_finished(struct domain *d __maybe_unused) { }
WEAK int arch_set_info_guest(struct vcpu *v, const struct vcpu_guest_context *ctxt)
{
	v->arch.regs = ctxt->user_regs;
	v->is_initialised = true;
	return 0;
}
WEAK void arch_get_info_guest(struct vcpu *v, struct vcpu_guest_context *ctxt)
{
	ctxt->user_regs = v->arch.regs;
}
WEAK int arch_vcpu_reset(struct vcpu *v __maybe_unused) { return 0; }
WEAK long arch_vcpu_op(unsigned int cmd __maybe_unused, struct vcpu *v __maybe_unused,
		       unsigned long arg __maybe_unused)
{
	return -ENOSYS;
}
WEAK void sync_vcpu_execstate(struct vcpu *v __maybe_unused) { }
WEAK void sync_local_execstate(void) { }
WEAK void vcpu_mark_events_pending(struct vcpu *v)
{
	if (!atomic_xchg(&v->vcpu_info->evtchn_upcall_pending, 1))
		vcpu_kick(v);
}
WEAK bool vcpu_event_delivery_is_enabled(const struct vcpu *v)
{
	return !v->vcpu_info->evtchn_upcall_mask;
}
WEAK void vcpu_set_event_delivery(struct vcpu *v, bool enabled)
{
	v->vcpu_info->evtchn_upcall_mask = !enabled;
}
WEAK bool local_events_need_delivery(void)
{
	return current->vcpu_info->evtchn_upcall_pending && !current->vcpu_info->evtchn_upcall_mask;
}
WEAK bool kernel_addresses_begin(struct vcpu *v __maybe_unused) { return false; }
WEAK void kernel_addresses_end(struct vcpu *v __maybe_unused, bool changed __maybe_unused) { }
WEAK bool arch_get_features(unsigned int submap, uint32_t *bits)
{
	*bits = submap ? 0 : 1u << 5 | 1u << 7;
	return submap == 0;
}
WEAK const char *arch_capabilities(void) { return "xen-3.0-x86_64 "; }
WEAK unsigned long arch_virt_start(void) { return 0xffff800000000000; }
WEAK unsigned long arch_vm_assist_valid(void) { return ~0UL; }
WEAK void arch_hypercall_rewind(struct vcpu *v __maybe_unused, unsigned int op, unsigned int nr,
				const unsigned long *args)
{
	host_rec.continuations++;
	host_rec.cont_op = op;
	host_rec.cont_nr = nr;
	for (unsigned int i = 0; i < nr && i < 6; i++)
		host_rec.cont_args[i] = args[i];
}
WEAK long hypercall_continue(unsigned int op, unsigned int nr, ...)
{
	unsigned long args[6] = { 0 };
	va_list ap;

	va_start(ap, nr);
	for (unsigned int i = 0; i < nr && i < 6; i++)
		args[i] = va_arg(ap, unsigned long);
	va_end(ap);
	arch_hypercall_rewind(current, op, nr, args);
	return -ERESTART;
}
WEAK void arch_dump_vcpu(struct vcpu *v __maybe_unused) { }
WEAK void arch_dump_domain(struct domain *d __maybe_unused) { }
WEAK void arch_each_mapping(void (*each)(const struct domain *by, const struct domain *dying,
					 void *data) __maybe_unused,
			    void *data __maybe_unused) { }
WEAK void machine_restart(unsigned int delay __maybe_unused) { panic("machine_restart"); }
WEAK void machine_halt(void) { panic("machine_halt"); }
WEAK void hwdom_shutdown(unsigned int reason) { panic("hwdom_shutdown %u", reason); }

/* ---- arch/irq.h ---- */
WEAK int pirq_guest_bind(struct vcpu *v __maybe_unused, unsigned int pirq __maybe_unused,
			 bool share __maybe_unused)
{
	host_rec.pirq_binds++;
	return 0;
}
WEAK void pirq_guest_unbind(struct domain *d __maybe_unused, unsigned int pirq __maybe_unused)
{
	host_rec.pirq_unbinds++;
}
WEAK void pirq_guest_eoi(struct domain *d __maybe_unused, unsigned int pirq __maybe_unused)
{
	host_rec.pirq_eois++;
}
WEAK int pirq_check(struct domain *d __maybe_unused, unsigned int pirq)
{
	return pirq < 256 ? 0 : -EINVAL;
}
static unsigned int pirq_ports[256];
WEAK unsigned int pirq_evtchn(const struct domain *d __maybe_unused, unsigned int pirq)
{
	return pirq < 256 ? pirq_ports[pirq] : 0;
}
WEAK void pirq_set_evtchn(struct domain *d __maybe_unused, unsigned int pirq, unsigned int port)
{
	pirq_ports[pirq] = port;
}
WEAK void pirq_set_affinity(struct domain *d __maybe_unused, unsigned int pirq __maybe_unused,
			    const struct vcpu *v __maybe_unused) { }
WEAK void pirqs_release(struct domain *d __maybe_unused) { }

/* ---- arch/map.h, arch/time.h, arch/trap.h ---- */
WEAK long arch_memory_op(unsigned long cmd __maybe_unused, unsigned long arg __maybe_unused)
{
	return -ENOSYS;
}
WEAK void update_vcpu_system_time(struct vcpu *v __maybe_unused) { host_rec.time_updates++; }
WEAK void force_update_vcpu_system_time(struct vcpu *v __maybe_unused) { host_rec.time_updates++; }
WEAK void update_domain_wallclock_time(struct domain *d __maybe_unused) { }
WEAK void do_settime(uint64_t s __maybe_unused, uint64_t ns __maybe_unused,
		     uint64_t b __maybe_unused)
{
}
WEAK void domain_set_time_offset(struct domain *d, int64_t seconds)
{
	d->time_offset_seconds = (uint64_t)seconds;
}
WEAK void show_execution_state(const struct cpu_user_regs *regs __maybe_unused) { }
WEAK void dump_stack(void) { }
WEAK bool vcpu_raise_nmi(struct vcpu *v)
{
	host_rec.nmis++;
	return atomic_xchg(&v->arch.nmi_pending, true) == false;
}

/* ---- the core's, when a test leaves them out ---- */
WEAK void vcpu_kick(struct vcpu *v __maybe_unused) { host_rec.kicks++; }
WEAK void vcpu_wake(struct vcpu *v)
{
	host_rec.wakes++;
	host_rec.last_woken = v;
}
WEAK void vcpu_unblock(struct vcpu *v)
{
	if (!test_and_clear_bit(VPF_blocked, &v->pause_flags))
		return;
	host_rec.unblocks++;
	vcpu_wake(v);
}
WEAK void vcpu_pause(struct vcpu *v) { v->pause_count++; }
WEAK void vcpu_pause_nosync(struct vcpu *v) { v->pause_count++; }
WEAK void vcpu_unpause(struct vcpu *v) { v->pause_count--; }
WEAK void domain_pause(struct domain *d)
{
	struct vcpu *v;

	for_each_vcpu(d, v)
		vcpu_pause(v);
}
WEAK void domain_unpause(struct domain *d)
{
	struct vcpu *v;

	for_each_vcpu(d, v)
		vcpu_unpause(v);
}
WEAK void send_guest_global_virq(struct domain *d __maybe_unused, unsigned int virq)
{
	host_rec.virqs++;
	host_rec.last_virq = virq;
}
WEAK void send_global_virq(unsigned int virq) { send_guest_global_virq(NULL, virq); }
WEAK void send_guest_vcpu_virq(struct vcpu *v __maybe_unused, unsigned int virq)
{
	send_guest_global_virq(NULL, virq);
}
WEAK void keyhandler_register(unsigned char key __maybe_unused,
			      void (*fn)(unsigned char) __maybe_unused,
			      const char *desc __maybe_unused)
{
}

WEAK DEFINE_PER_CPU(unsigned long, softirq_bits);
static void (*softirq_fns[NR_SOFTIRQS])(void);
WEAK void open_softirq(unsigned int nr, void (*fn)(void)) { softirq_fns[nr] = fn; }
WEAK void raise_softirq(unsigned int nr) { set_bit(nr, &this_cpu(softirq_bits)); }
WEAK void cpu_raise_softirq(unsigned int cpu, unsigned int nr)
{
	set_bit(nr, &per_cpu(softirq_bits, cpu));
}
WEAK void cpumask_raise_softirq(const cpumask_t *mask, unsigned int nr)
{
	unsigned int cpu;

	for_each_cpu(cpu, mask)
		cpu_raise_softirq(cpu, nr);
}
WEAK void process_pending_softirqs(void) { }

/* Nobody runs beside us: what quiesces, quiesced. */
WEAK void quiesce_call(struct quiesce_head *head, void (*fn)(struct quiesce_head *)) { fn(head); }

/* Timers that never fire by themselves; the armed ones are known. */
#define MAX_TIMERS	1024
static const struct timer *armed[MAX_TIMERS];
long host_timers;

static int armed_slot(const struct timer *t)
{
	for (int i = 0; i < MAX_TIMERS; i++)
		if (armed[i] == t)
			return i;
	return -1;
}
WEAK void init_timer(struct timer *t, void (*fn)(void *), void *data, unsigned int cpu)
{
	*t = (struct timer){ .fn = fn, .data = data, .cpu = cpu };
}
WEAK void set_timer(struct timer *t, s_time_t expires)
{
	t->expires = expires;
	if (armed_slot(t) >= 0)
		return;
	BUG_ON(armed_slot(NULL) < 0);
	armed[armed_slot(NULL)] = t;
	host_timers++;
}
WEAK void stop_timer(struct timer *t)
{
	if (armed_slot(t) < 0)
		return;
	armed[armed_slot(t)] = NULL;
	host_timers--;
}
WEAK void kill_timer(struct timer *t) { stop_timer(t); }
WEAK void migrate_timer(struct timer *t, unsigned int cpu) { t->cpu = cpu; }
WEAK bool timer_is_active(const struct timer *t) { return armed_slot(t) >= 0; }

void host_reset(void)
{
	host_cpus_reset();
	host_locks_reset();
	host_percpu_reset();
	host_guest_reset();
	host_domains_reset();
	host_frames_reset();
	host_heap_reset();
	host_timers = 0;
	memset(armed, 0, sizeof(armed));
	memset(pirq_ports, 0, sizeof(pirq_ports));
}
