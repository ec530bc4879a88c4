/* SPDX-License-Identifier: MIT */
/*
 * The productions of the hypercall fuzzer: which hypercalls it issues and of what shape. Left out,
 * or restricted to domUs, is what legitimately ends or halts the domain or the machine.
 */
#include "fuzz.h"

#include <xen/kexec.h>
#include <xen/nmi.h>

#define MEM(cmd, fields)	"memory " #cmd, __HYPERVISOR_memory_op, XENMEM_##cmd, "CS", \
				fields, ANYONE
#define EVT(cmd, fields)	"evtchn " #cmd, __HYPERVISOR_event_channel_op, EVTCHNOP_##cmd, \
				"CS", fields, ANYONE
#define GNT(cmd, fields)	"grant " #cmd, __HYPERVISOR_grant_table_op, GNTTABOP_##cmd, "CSN", \
				fields, ANYONE
#define VCPU(cmd, fields)	"vcpu " #cmd, __HYPERVISOR_vcpu_op, VCPUOP_##cmd, "CVS", \
				fields, ANYONE
#define VER(cmd)		"version " #cmd, __HYPERVISOR_xen_version, XENVER_##cmd, "Cb", \
				"", ANYONE
#define PHYS(cmd, fields)	"physdev " #cmd, __HYPERVISOR_physdev_op, PHYSDEVOP_##cmd, "CS", \
				fields, ANYONE
#define RAW(name, args, fields)	#name, __HYPERVISOR_##name, 0, args, fields, ANYONE

/*
 * struct xen_memory_reservation: extents, how many, order, flags, domid. A small order above 0
 * would take in frames beside the one named, which may be the kernel's.
 */
#define RESERVATION	"enzodw0"

const struct production productions[] = {
	{ RAW(mmu_update, "SNbd", "my") },
	{ RAW(mmu_update, "SNbd", "my") },
	{ RAW(mmu_update, "SNbX", "my") },
	{ RAW(update_va_mapping, "ayu", "") },
	{ RAW(update_va_mapping, "ayX", "") },
	{ RAW(update_va_mapping_otherdomain, "ayud", "") },
	{ RAW(mmuext_op, "SNbd", "c0fb") },
	{ RAW(mmuext_op, "SNbd", "c0fn") },
	{ RAW(mmuext_op, "SNbd", "c0af") },
	{ RAW(set_gdt, "eo", "") },
	{ RAW(update_descriptor, "mX", "") },
	{ RAW(stack_switch, "XX", "") },
	{ RAW(fpu_taskswitch, "o", "") },
	{ RAW(set_debugreg, "oa", "") },
	{ RAW(set_debugreg, "oX", "") },
	{ RAW(get_debugreg, "o", "") },
	{ RAW(set_segment_base, "oa", "") },
	{ RAW(set_segment_base, "oX", "") },
	{ RAW(set_timer_op, "t", "") },
	{ RAW(vm_assist, "oo", "") },
	{ RAW(set_callbacks, "XXX", "") },
	{ RAW(nmi_op, "ob", "") },
	{ RAW(console_io, "XXX", "") },
	{ RAW(hvm_op, "oS", "dw0X") },
	{ RAW(xsm_op, "b", "") },
	{ RAW(argo_op, "obboo", "") },
	{ RAW(xenpmu_op, "oS", "XXXX") },
	{ RAW(dm_op, "dob", "") },
	{ RAW(hypfs_op, "obobo", "") },
	{ "unknown", 63, 0, "XXXXX", "", ANYONE },
	{ "domctl", __HYPERVISOR_domctl, 0, "S", "oxdwXXXX", DOMU_ONLY },
	{ "sysctl", __HYPERVISOR_sysctl, 0, "S", "oxXXXXXX", DOMU_ONLY },
	{ "platform_op", __HYPERVISOR_platform_op, 0, "S", "oxXXXXXX", DOMU_ONLY },
	{ "kexec_op", __HYPERVISOR_kexec_op, 0, "ob", "", DOMU_ONLY },
	{ "mca", __HYPERVISOR_arch_0, 0, "S", "ooXXXX", DOMU_ONLY },
	{ "tmem_op", 38, 0, "b", "", ANYONE },

	{ MEM(increase_reservation, RESERVATION) },
	{ MEM(decrease_reservation, RESERVATION) },
	{ MEM(populate_physmap, RESERVATION) },
	{ MEM(populate_physmap, RESERVATION) },
	{ MEM(exchange, RESERVATION RESERVATION "n") },
	{ MEM(current_reservation, "d") },
	{ MEM(maximum_reservation, "d") },
	{ MEM(maximum_gpfn, "d") },
	{ MEM(maximum_ram_page, "") },
	{ MEM(machphys_mfn_list, "o0bo0") },
	{ MEM(machphys_compat_mfn_list, "o0bo0") },
	{ MEM(machphys_mapping, "XXX") },
	{ MEM(memory_map, "o0b") },
	{ MEM(machine_memory_map, "o0b") },
	{ MEM(add_to_physmap, "dwoff") },
	{ MEM(add_to_physmap_batch, "dwwwbbb") },
	{ MEM(remove_from_physmap, "dw0f") },
	{ "memory unknown", __HYPERVISOR_memory_op, 0, "oS", "XXXX", ANYONE },

	{ EVT(alloc_unbound, "dd0") },
	{ EVT(alloc_unbound, "dd0") },
	{ EVT(bind_interdomain, "d.p0") },
	{ EVT(bind_interdomain, "d.p0") },
	{ EVT(bind_virq, "ov0") },
	{ EVT(bind_ipi, "v0") },
	{ EVT(close, "p") },
	{ EVT(send, "p") },
	{ EVT(send, "p") },
	{ EVT(status, "d.pXXX") },
	{ EVT(bind_vcpu, "pv") },
	{ EVT(unmask, "p") },
	{ EVT(init_control, "fov") },
	{ EVT(expand_array, "f") },
	{ EVT(set_priority, "po") },
	{ "evtchn unknown", __HYPERVISOR_event_channel_op, 0, "XS", "XX", DOMU_ONLY },

	{ GNT(map_grant_ref, "aord.000") },
	{ GNT(map_grant_ref, "mord.000") },
	{ GNT(unmap_grant_ref, "aXh0") },
	{ GNT(unmap_grant_ref, "mXh0") },
	{ GNT(unmap_and_replace, "aah0") },
	{ GNT(setup_table, "d.o00b") },
	{ GNT(copy, "r0du0fdu0uu..") },
	{ GNT(copy, "fdu0fdu0uu..") },
	{ GNT(query_size, "d.000") },
	{ GNT(get_version, "d.0") },
	{ GNT(swap_grant_ref, "rr0") },
	{ GNT(cache_flush, "fuuo") },
	{ "grant transfer", __HYPERVISOR_grant_table_op, GNTTABOP_transfer, "CSN", "fd.r00",
	 ANYONE },
	{ "grant get_status_frames", __HYPERVISOR_grant_table_op, GNTTABOP_get_status_frames, "CSN",
	  "od.b", ANYONE },

	{ VCPU(is_up, "") },
	{ VCPU(get_runstate_info, "XXXX") },
	{ VCPU(register_runstate_memory_area, "b") },
	{ VCPU(register_vcpu_time_memory_area, "b") },
	{ VCPU(set_periodic_timer, "t") },
	{ VCPU(stop_periodic_timer, "") },
	{ VCPU(set_singleshot_timer, "to0") },
	{ VCPU(stop_singleshot_timer, "") },
	{ VCPU(get_physid, "X") },

	{ "sched yield", __HYPERVISOR_sched_op, SCHEDOP_yield, "C", "", ANYONE },
	{ "sched unknown", __HYPERVISOR_sched_op, 9, "CS", "XX", ANYONE },
	{ "sched pin_override", __HYPERVISOR_sched_op, SCHEDOP_pin_override, "CS", "o0",
	 DOMU_ONLY },

	{ VER(version) },
	{ VER(extraversion) },
	{ VER(compile_info) },
	{ VER(capabilities) },
	{ VER(changeset) },
	{ VER(platform_parameters) },
	{ VER(get_features) },
	{ VER(pagesize) },
	{ VER(guest_handle) },
	{ VER(commandline) },
	{ VER(build_id) },
	{ "version unknown", __HYPERVISOR_xen_version, 0, "ob", "", ANYONE },

	{ PHYS(eoi, "o") },
	{ PHYS(irq_status_query, "oo") },
	{ PHYS(set_iobitmap, "bo") },
	{ PHYS(apic_read, "Xoo") },
	{ "physdev any", __HYPERVISOR_physdev_op, 0, "oS", "xxxxxxxx", DOMU_ONLY },
};

const unsigned int nr_productions = ARRAY_SIZE(productions);
