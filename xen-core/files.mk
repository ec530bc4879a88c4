# SPDX-License-Identifier: MIT
# The core: knows no CPU.
HYP_SRC += $(addprefix xen-core/, \
	lib/string.c lib/printf.c lib/math.c cmdline.c cpu.c console.c console_late.c console_ring.c \
	keyhandler.c symbols.c \
	hypercall.c multicall.c version.c domctl.c sysctl.c)
# Deferred work, timers, domains, events, scheduling.
HYP_SRC += $(addprefix xen-core/, \
	softirq.c quiesce.c timer.c domain.c domain_destroy.c vcpu.c vcpu_op.c \
	event_channel.c event_op.c event_virq.c event_2l.c event_fifo.c event_dump.c \
	sched.c sched_credit2.c sched_dump.c sched_op.c cpupool.c watchdog.c)
# Memory of the hypervisor and of domains.
HYP_SRC += $(addprefix xen-core/, \
	boot_alloc.c page_alloc.c heap.c memory_op.c memory_exchange.c \
	grant_table.c grant_map.c grant_copy.c zombie_dump.c log_dirty.c)
