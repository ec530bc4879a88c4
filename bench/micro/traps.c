/* SPDX-License-Identifier: MIT */
/* Benchmarks of traps: system calls, page faults, and the emulation of privileged instructions. */
#include "bench.h"

#include <guest/mm.h>
#include <guest/trap.h>
#include <guest/user.h>

#define RAW_FAULT_LENGTH	3

extern char raw_syscall[];
unsigned int raw_fault_count(void *va);
long raw_user_syscall(long unused);

static long user_syscall_loop(long loops)
{
	uint32_t best = ~0U, t;

	while (loops--) {
		t = raw_user_syscall(0);
		if (t < best)
			best = t;
	}
	return best;
}

static void bench_syscall(void)
{
	struct callback_register cb = { .type = CALLBACKTYPE_syscall, .address = PTR(raw_syscall) };

	user_init();
	must(callback_op(CALLBACKOP_register, &cb), "syscall callback");
	report("user syscall round trip", user_call(user_syscall_loop, LOOPS) - empty_pair);
	trap_init_cpu();
}

static bool skip_fault(struct trap_frame *frame, unsigned int vector __unused)
{
	frame->rip += RAW_FAULT_LENGTH;
	return true;
}

/*
 * Through the library's own trap path and this hook: about 75 instructions of the guest's are
 * counted.
 */
static void bench_page_fault(void)
{
	void *hole = pfn_to_virt(MM_LINEAR_MAX >> PAGE_SHIFT) + PAGE_SIZE;
	uint32_t best = ~0U, t;

	trap_set_hook(VEC_PF, skip_fault);
	for (unsigned int i = 0; i < LOOPS; i++) {
		t = raw_fault_count(hole);
		if (t < best)
			best = t;
	}
	trap_set_hook(VEC_PF, NULL);
	report("#PF bounce and iret", best - empty_pair);
}

static void bench_emulation(void)
{
	uint32_t eax = 0, ebx, ecx = 0, edx;
	unsigned long cr0;

	report("emulated rdmsr", MEASURE(, __asm__ volatile("rdmsr" : "=a"(eax), "=d"(edx)
							     : "c"(0xc0000100))));
	report("emulated mov cr0", MEASURE(, __asm__ volatile("mov %%cr0, %0" : "=r"(cr0))));
	report("emulated clts", MEASURE(, __asm__ volatile("clts")));
	report("emulated cpuid",
	       MEASURE(eax = 1; ecx = 0, __asm__ volatile(XEN_EMULATE_PREFIX "cpuid"
							  : "+a"(eax), "=b"(ebx), "+c"(ecx),
							    "=d"(edx))));
}

void bench_traps(void)
{
	bench_syscall();
	bench_page_fault();
	bench_emulation();
}
