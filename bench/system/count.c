/* SPDX-License-Identifier: MIT */
/*
 * A TCG plugin for QEMU 7.2: counts the instructions executed at hypervisor addresses and
 * elsewhere.
 *
 * A mark in the guest's instruction stream makes it print both counts: `xchg %bx, %bx` twice in a
 * row (66 87 db 66 87 db), which nothing else executes. The line is "MARK <n> <hypervisor> <other>"
 * on standard error. Whole blocks are counted as they are entered: one that a fault leaves early
 * counts in full, which is below one part in a hundred here and makes a run several times faster
 * than counting each instruction. QEMU has no installed header for plugins; the few declarations below follow
 * its documented interface, version 1.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef struct qemu_info_t qemu_info_t;
enum { QEMU_PLUGIN_CB_NO_REGS };
enum { QEMU_PLUGIN_INLINE_ADD_U64 };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
					   void (*cb)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op, void *ptr,
					      uint64_t imm);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    void (*cb)(unsigned int, void *), int flags,
					    void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;
__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id,
							       const qemu_info_t *info, int argc,
							       char **argv);

#define HYPERVISOR_BEGIN	0xffff800000000000ULL
#define HYPERVISOR_END		0xffff880000000000ULL

static uint64_t in_hypervisor, elsewhere, marks;

static void on_mark(unsigned int vcpu, void *data)
{
	(void)vcpu;
	(void)data;
	fprintf(stderr, "MARK %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", ++marks, in_hypervisor,
		elsewhere);
	fflush(stderr);
}

static bool is_xchg(const struct qemu_plugin_insn *insn)
{
	return qemu_plugin_insn_size(insn) == 3 &&
	       !memcmp(qemu_plugin_insn_data(insn), "\x66\x87\xdb", 3);
}

static bool is_hypervisor(uint64_t va)
{
	return va >= HYPERVISOR_BEGIN && va < HYPERVISOR_END;
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);
	bool last = false;

	(void)id;
	qemu_plugin_register_vcpu_tb_exec_inline(
		tb, QEMU_PLUGIN_INLINE_ADD_U64,
		is_hypervisor(qemu_plugin_tb_vaddr(tb)) ? &in_hypervisor : &elsewhere, n);
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		bool xchg = is_xchg(insn);

		if (xchg && last)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark,
							       QEMU_PLUGIN_CB_NO_REGS,
							       NULL);
		last = xchg;
	}
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
	(void)info;
	(void)argc;
	(void)argv;
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	return 0;
}
