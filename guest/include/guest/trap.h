/* SPDX-License-Identifier: MIT */
/*
 * Exceptions. A test that expects a fault runs the code by trap_catch() and looks at what came; one
 * that wants to handle and resume sets a hook. Anything else is a panic with a register dump.
 */
#ifndef GUEST_TRAP_H
#define GUEST_TRAP_H

#include <guest/layout.h>
#include <guest/types.h>

/* As laid out by trap_entry.S; from rax on it is the iret hypercall's frame. */
struct trap_frame {
	uint64_t r15, r14, r13, r12, rbp, rbx, r10, r9, r8, rdx, rsi, rdi;
	uint64_t rax, r11, rcx, error, rip;
	uint16_t cs, pad0;
	uint8_t saved_upcall_mask, pad1[3];
	uint64_t rflags, rsp, ss;
};

enum {
	VEC_DE, VEC_DB, VEC_NMI, VEC_BP, VEC_OF, VEC_BR, VEC_UD, VEC_NM, VEC_DF,
	VEC_TS = 10, VEC_NP,
	VEC_SS, VEC_GP, VEC_PF, VEC_MF = 16, VEC_AC, VEC_MC, VEC_XM,
};

/* What a caught trap was. rsp must stay first (assembly). */
struct trap_catch {
	uint64_t rsp;
	struct trap_catch *outer;
	unsigned int vector;
	uint64_t cr2;		/* of a #PF */
	struct trap_frame frame;
};

/* Handles a trap; false passes it on. May change the frame. */
typedef bool (*trap_hook_t)(struct trap_frame *frame, unsigned int vector);

/* Register trap table and callbacks. */
void trap_init(void);

/* Register event, failsafe and syscall callbacks for the calling vcpu. */
void trap_init_cpu(void);

/* Fill table with entries for all 256 vectors and the terminator: 257 entries. */
void trap_fill_table(struct trap_info *table);

/* Set (or with NULL remove) the hook of a vector, VEC_SYSCALL included. */
void trap_set_hook(unsigned int vector, trap_hook_t hook);

/*
 * Run fn(arg). Returns true if it trapped, with *c describing the trap: fn is then abandoned and
 * the registers it changed are lost. Works for faults in user mode started inside fn as well.
 * Nests.
 */
bool trap_catch(struct trap_catch *c, void (*fn)(void *), void *arg);

/* Run fn(arg); the vector it trapped with, or -1. */
int trap_vector_of(void (*fn)(void *), void *arg);

/* One access that may fault: true on success. */
bool try_read64(const void *va, uint64_t *value);
bool try_write64(void *va, uint64_t value);

/* A stub's address, for tests that build their own trap tables. */
unsigned long trap_stub(unsigned int vector);

extern char failsafe_entry[];

#endif
