/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the hypercall fuzzer share: the grammar's rows and the values its letters stand
 * for.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <guest/hypercall.h>
#include <guest/mm.h>

/*
 * One production. `args` has a letter for each argument, `fields` one for each field of the
 * structure that S points to (up to FUZZ_MAX_STRUCTS of them in an array):
 *
 *	C the command   S pointer to the structures   N how many of them
 *	p port 32       v vcpu 32      V vcpu, one argument    d domid 16      r grant reference 32
 *	h grant handle 32              f frame 64             a address 64
 *	m machine address of an entry 64
 *	b buffer 64     e extents 64   n small count 64       o small 32      u small 16
 *	x any 32        X any 64       w any 16               t time 64       y page-table entry 64
 *	0 zero 32       . two bytes of padding
 *	c mmuext command 32            z extent order 32
 */
struct production {
	const char *name;
	unsigned int nr, cmd;
	const char *args, *fields;
	unsigned int who;
};

enum { ANYONE, DOMU_ONLY };	/* dom0 may not: it would stop the machine */

#define FUZZ_MAX_STRUCTS	4

extern const struct production productions[];
extern const unsigned int nr_productions;

/* values.c: set up, and pick. */
void values_init(uint64_t seed);
uint64_t random64(void);
unsigned int random_below(unsigned int n);

/* A value for a letter of the grammar; its size in bytes is letter_size(). */
uint64_t value_of(char letter);
unsigned int letter_size(char letter);

/*
 * The n-th writable buffer for structures. Each call of a multicall has one of its own: structures
 * filled for another call would name frames that are the kernel's.
 */
#define FUZZ_MAX_MULTICALL	6
#define FUZZ_STRUCT_BYTES	1024
void *struct_buffer(unsigned int n);

/* After memory operations: take over the frames that lie in the extents buffer. */
void adopt_frames(unsigned int n);

/* Which port numbers are not ours to close (console and store of a domU). */
void values_reserve_ports(void);

#endif
