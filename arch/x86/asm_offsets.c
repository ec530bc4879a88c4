/* SPDX-License-Identifier: MIT */
/*
 * Offsets and constants that assembly needs. The Makefile compiles this to
 * assembly and turns each marker into a #define in build/gen/asm_offsets.h.
 */
#include <core/domain.h>
#include <x86/cpu_info.h>

#define DEFINE(name, value) \
	__asm__ __volatile__(".ascii \"@@OFFSET " #name " %c0\"" :: "i"(value))
#define OFFSET(name, type, field)	DEFINE(name, offsetof(type, field))

void asm_offsets(void);
void asm_offsets(void)
{
	OFFSET(UREGS_r15, struct cpu_user_regs, r15);
	OFFSET(UREGS_r14, struct cpu_user_regs, r14);
	OFFSET(UREGS_r13, struct cpu_user_regs, r13);
	OFFSET(UREGS_r12, struct cpu_user_regs, r12);
	OFFSET(UREGS_rbp, struct cpu_user_regs, rbp);
	OFFSET(UREGS_rbx, struct cpu_user_regs, rbx);
	OFFSET(UREGS_r11, struct cpu_user_regs, r11);
	OFFSET(UREGS_r10, struct cpu_user_regs, r10);
	OFFSET(UREGS_r9, struct cpu_user_regs, r9);
	OFFSET(UREGS_r8, struct cpu_user_regs, r8);
	OFFSET(UREGS_rax, struct cpu_user_regs, rax);
	OFFSET(UREGS_rcx, struct cpu_user_regs, rcx);
	OFFSET(UREGS_rdx, struct cpu_user_regs, rdx);
	OFFSET(UREGS_rsi, struct cpu_user_regs, rsi);
	OFFSET(UREGS_rdi, struct cpu_user_regs, rdi);
	OFFSET(UREGS_error_code, struct cpu_user_regs, error_code);
	OFFSET(UREGS_entry_vector, struct cpu_user_regs, entry_vector);
	OFFSET(UREGS_rip, struct cpu_user_regs, rip);
	OFFSET(UREGS_cs, struct cpu_user_regs, cs);
	OFFSET(UREGS_saved_upcall_mask, struct cpu_user_regs, saved_upcall_mask);
	OFFSET(UREGS_rflags, struct cpu_user_regs, rflags);
	OFFSET(UREGS_rsp, struct cpu_user_regs, rsp);
	OFFSET(UREGS_ss, struct cpu_user_regs, ss);
	OFFSET(UREGS_frame_end, struct cpu_user_regs, es);
	DEFINE(UREGS_sizeof, sizeof(struct cpu_user_regs));

	OFFSET(VCPU_arch_regs, struct vcpu, arch.regs);
	OFFSET(VCPU_arch_flags, struct vcpu, arch.flags);
	OFFSET(VCPU_host_sp, struct vcpu, arch.host_sp);
	OFFSET(VCPU_exit_work, struct vcpu, arch.exit_work);
	OFFSET(VCPU_domain, struct vcpu, domain);
	OFFSET(VCPU_vcpu_info, struct vcpu, vcpu_info);
	OFFSET(VCPUINFO_upcall_pending, struct vcpu_info, evtchn_upcall_pending);
	OFFSET(VCPUINFO_upcall_mask, struct vcpu_info, evtchn_upcall_mask);

	OFFSET(CPUINFO_current_vcpu, struct cpu_info, current_vcpu);
	OFFSET(CPUINFO_percpu_offset, struct cpu_info, percpu_offset);
	OFFSET(CPUINFO_processor_id, struct cpu_info, processor_id);
	OFFSET(CPUINFO_guest_frame_end, struct cpu_info, guest_frame_end);
	OFFSET(CPUINFO_scratch, struct cpu_info, scratch);
	DEFINE(CPUINFO_sizeof, sizeof(struct cpu_info));
}
