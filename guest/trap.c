/* SPDX-License-Identifier: MIT */
/* Trap table, dispatch and the catching of expected faults: see trap.h. */
#include <guest/console.h>
#include <guest/cpu.h>
#include <guest/event.h>
#include <guest/hypercall.h>
#include <guest/trap.h>
#include <guest/user.h>

#define STUB_SIZE	32
#define TRAP_MASKS	4	/* trap_info.flags: mask event upcalls on entry */

extern char trap_stubs[], trap_catch_resume[];
int trap_catch_call(struct trap_catch *c, void (*fn)(void *), void *arg);
void trap_dispatch(struct trap_frame *frame, unsigned int vector);

static trap_hook_t hooks[VEC_FAILSAFE + 1];

unsigned long trap_stub(unsigned int vector)
{
	return PTR(trap_stubs) + vector * STUB_SIZE;
}

void trap_fill_table(struct trap_info *table)
{
	for (unsigned int v = 0; v < 256; v++) {
		/* #BP, #OF and a few software vectors may be raised by user code. */
		uint8_t dpl = v == VEC_BP || v == VEC_OF || v >= 0x80 ? 3 : 0;

		table[v] = (struct trap_info){
			.vector = v, .flags = dpl, .cs = FLAT_KERNEL_CS, .address = trap_stub(v),
		};
	}
	table[256] = (struct trap_info){ .address = 0 };
}

static void set_callback(unsigned int type, unsigned int flags, unsigned long address)
{
	struct callback_register cb = { .type = type, .flags = flags, .address = address };
	long rc = callback_op(CALLBACKOP_register, &cb);

	if (rc)
		panic("callback %u: %ld", type, rc);
}

void trap_init_cpu(void)
{
	set_callback(CALLBACKTYPE_event, 0, trap_stub(VEC_UPCALL));
	set_callback(CALLBACKTYPE_failsafe, 0, PTR(failsafe_entry));
	set_callback(CALLBACKTYPE_syscall, 0, trap_stub(VEC_SYSCALL));
}

void trap_init(void)
{
	static struct trap_info table[257];
	long rc;

	trap_fill_table(table);
	rc = set_trap_table(table);
	if (rc)
		panic("set_trap_table: %ld", rc);
	trap_init_cpu();
}

void trap_set_hook(unsigned int vector, trap_hook_t hook)
{
	hooks[vector] = hook;
}

static void dump(const struct trap_frame *f, unsigned int vector, uint64_t cr2)
{
	printk("vector %u error %lx cr2 %lx vcpu %u\n", vector, f->error, cr2, this_cpu()->id);
	printk("rip %04x:%lx rsp %04lx:%lx rflags %lx\n", f->cs, f->rip, f->ss, f->rsp, f->rflags);
	printk("rax %lx rbx %lx rcx %lx rdx %lx rsi %lx rdi %lx rbp %lx\n", f->rax, f->rbx, f->rcx,
	       f->rdx, f->rsi, f->rdi, f->rbp);
	printk("r8 %lx r9 %lx r10 %lx r11 %lx r12 %lx r13 %lx r14 %lx r15 %lx\n", f->r8, f->r9,
	       f->r10, f->r11, f->r12, f->r13, f->r14, f->r15);
}

/* Make the frame resume in trap_catch_call() with result 1, in kernel mode. */
static void unwind(struct trap_catch *c, struct trap_frame *frame, unsigned int vector,
		   uint64_t cr2)
{
	c->vector = vector;
	c->cr2 = cr2;
	c->frame = *frame;
	frame->rip = PTR(trap_catch_resume);
	frame->rsp = c->rsp;
	frame->cs = FLAT_KERNEL_CS & ~3;
	frame->ss = FLAT_KERNEL_SS;
	frame->rflags &= ~0x100UL;	/* a trap flag under test ends here */
	frame->rax = 1;
}

void trap_dispatch(struct trap_frame *frame, unsigned int vector)
{
	uint64_t cr2 = this_vcpu_info()->arch.cr2;
	struct cpu *cpu = this_cpu();

	if (vector == VEC_UPCALL) {
		event_upcall(frame);
		return;
	}
	if (user_leave(frame, vector))
		return;
	if (hooks[vector] && hooks[vector](frame, vector))
		return;
	if (cpu->catch) {
		unwind(cpu->catch, frame, vector, cr2);
		return;
	}
	dump(frame, vector, cr2);
	panic("unexpected trap %u", vector);
}

bool trap_catch(struct trap_catch *c, void (*fn)(void *), void *arg)
{
	struct cpu *cpu = this_cpu();
	bool trapped;

	c->outer = cpu->catch;
	cpu->catch = c;
	trapped = trap_catch_call(c, fn, arg);
	cpu->catch = c->outer;
	return trapped;
}

int trap_vector_of(void (*fn)(void *), void *arg)
{
	struct trap_catch c;

	return trap_catch(&c, fn, arg) ? (int)c.vector : -1;
}

struct access {
	uint64_t *va, value;
};

static void do_read(void *arg)
{
	struct access *a = arg;

	a->value = *(volatile uint64_t *)a->va;
}

static void do_write(void *arg)
{
	struct access *a = arg;

	*(volatile uint64_t *)a->va = a->value;
}

bool try_read64(const void *va, uint64_t *value)
{
	struct access a = { .va = (void *)va };
	bool ok = trap_vector_of(do_read, &a) < 0;

	*value = a.value;
	return ok;
}

bool try_write64(void *va, uint64_t value)
{
	struct access a = { .va = va, .value = value };

	return trap_vector_of(do_write, &a) < 0;
}
