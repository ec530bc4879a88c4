/* SPDX-License-Identifier: MIT */
/*
 * Every key of xl.cfg: the 156 that 4.17's parser looks for, what kind of value each takes and what
 * becomes of it; and some that are no keys but stand in people's files. In order of the alphabet.
 */
#include <stdlib.h>
#include <string.h>
#include "private.h"

static const struct light_key keys[] = {
	{ "acpi", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "acpi_firmware", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "acpi_laptop_slate", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "acpi_s3", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "acpi_s4", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "acpi_tables", KEY_STRING | KEY_NUMBER, KEY_STRANGE, "it has no effect in any version" },
	{ "altp2m", KEY_STRING | KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "altp2mhvm", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "apic", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "bios", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "bios_path_override", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "boot", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "bootargs", KEY_STRING, KEY_STRANGE, "write bootloader_args" },
	{ "bootloader", KEY_STRING, KEY_OK, NULL },
	{ "bootloader_args", KEY_STRING | KEY_NUMBER | KEY_LIST, KEY_OK, NULL },
	{ "builder", KEY_STRING, KEY_OK, NULL },
	{ "cap", KEY_NUMBER, KEY_OK, NULL },
	{ "channel", KEY_LIST, KEY_REFUSED, "this device is not offered" },
	{ "cmdline", KEY_STRING, KEY_OK, NULL },
	{ "cpu", KEY_STRING | KEY_NUMBER, KEY_STRANGE, "write cpus" },
	{ "cpu_cap", KEY_STRING | KEY_NUMBER, KEY_STRANGE, "write cap" },
	{ "cpu_weight", KEY_NUMBER, KEY_OK, NULL },
	{ "cpuid", KEY_STRING | KEY_LIST, KEY_OK, NULL },
	{ "cpus", KEY_STRING | KEY_NUMBER | KEY_LIST, KEY_OK, NULL },
	{ "cpus_soft", KEY_STRING | KEY_NUMBER | KEY_LIST, KEY_OK, NULL },
	{ "device_model", KEY_STRING, KEY_NOTED, "obsolete; device_model_override names one" },
	{ "device_model_args", KEY_LIST, KEY_HVM, "of guests with a device model" },
	{ "device_model_args_hvm", KEY_LIST, KEY_HVM, "of guests with a device model" },
	{ "device_model_args_pv", KEY_LIST, KEY_HVM, "of guests with a device model" },
	{ "device_model_override", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "device_model_stubdomain_override", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "device_model_stubdomain_seclabel", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "device_model_user", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "device_model_version", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "device_tree", KEY_STRING, KEY_ARM, "of ARM" },
	{ "dhcp", KEY_STRING, KEY_STRANGE, "put it into extra" },
	{ "disk", KEY_LIST, KEY_OK, NULL },
	{ "display", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "dm_restrict", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "driver_domain", KEY_NUMBER, KEY_OK, NULL },
	{ "dtdev", KEY_LIST, KEY_ARM, "of ARM" },
	{ "e820_host", KEY_NUMBER, KEY_OK, NULL },
	{ "extra", KEY_STRING, KEY_OK, NULL },
	{ "extratime", KEY_NUMBER, KEY_OK, NULL },
	{ "features", KEY_STRING, KEY_STRANGE, "put it into extra" },
	{ "firmware", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "firmware_override", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "gateway", KEY_STRING, KEY_STRANGE, "put it into extra" },
	{ "gfx_passthru", KEY_STRING | KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "gic_version", KEY_STRING, KEY_ARM, "of ARM" },
	{ "hap", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "hdtype", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "hostname", KEY_STRING, KEY_STRANGE, "put it into extra" },
	{ "hpet", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "init_seclabel", KEY_STRING, KEY_OK, NULL },
	{ "interface", KEY_STRING, KEY_STRANGE, "put it into extra" },
	{ "iomem", KEY_LIST, KEY_REFUSED, "hardware is not given to guests" },
	{ "ioports", KEY_LIST, KEY_REFUSED, "hardware is not given to guests" },
	{ "ip", KEY_STRING, KEY_STRANGE, "put it into extra" },
	{ "irqs", KEY_LIST, KEY_REFUSED, "hardware is not given to guests" },
	{ "kernel", KEY_STRING, KEY_OK, NULL },
	{ "keymap", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "latency", KEY_NUMBER, KEY_OK, NULL },
	{ "localtime", KEY_NUMBER, KEY_OK, NULL },
	{ "max_event_channels", KEY_NUMBER, KEY_OK, NULL },
	{ "max_grant_frames", KEY_NUMBER, KEY_OK, NULL },
	{ "max_grant_version", KEY_NUMBER, KEY_OK, NULL },
	{ "max_maptrack_frames", KEY_NUMBER, KEY_OK, NULL },
	{ "maxmem", KEY_NUMBER, KEY_OK, NULL },
	{ "maxvcpus", KEY_NUMBER, KEY_OK, NULL },
	{ "mca_caps", KEY_LIST, KEY_HVM, "of HVM and PVH guests" },
	{ "memory", KEY_NUMBER, KEY_OK, NULL },
	{ "mmio_hole", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "ms_vm_genid", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "msr_relaxed", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "name", KEY_STRING, KEY_OK, NULL },
	{ "nestedhvm", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "netmask", KEY_STRING, KEY_STRANGE, "put it into extra" },
	{ "nfs_root", KEY_STRING, KEY_STRANGE, "put it into extra" },
	{ "nfs_server", KEY_STRING, KEY_STRANGE, "put it into extra" },
	{ "nographic", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "nomigrate", KEY_NUMBER, KEY_OK, NULL },
	{ "nx", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "on_crash", KEY_STRING, KEY_OK, NULL },
	{ "on_poweroff", KEY_STRING, KEY_OK, NULL },
	{ "on_reboot", KEY_STRING, KEY_OK, NULL },
	{ "on_soft_reset", KEY_STRING, KEY_OK, NULL },
	{ "on_watchdog", KEY_STRING, KEY_OK, NULL },
	{ "oos", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "opengl", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "p9", KEY_LIST, KEY_REFUSED, "this device is not offered" },
	{ "pae", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "passthrough", KEY_STRING, KEY_OK, NULL },
	{ "pci", KEY_LIST, KEY_REFUSED, "PCI passthrough is not offered" },
	{ "pci_msitranslate", KEY_NUMBER, KEY_NOTED, "PCI passthrough is not offered" },
	{ "pci_permissive", KEY_NUMBER, KEY_NOTED, "PCI passthrough is not offered" },
	{ "pci_power_mgmt", KEY_NUMBER, KEY_NOTED, "PCI passthrough is not offered" },
	{ "pci_seize", KEY_NUMBER, KEY_NOTED, "PCI passthrough is not offered" },
	{ "period", KEY_NUMBER, KEY_OK, NULL },
	{ "pool", KEY_STRING, KEY_OK, NULL },
	{ "pvcalls", KEY_LIST, KEY_REFUSED, "this device is not offered" },
	{ "pvshim", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "pvshim_cmdline", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "pvshim_extra", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "pvshim_path", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "ramdisk", KEY_STRING, KEY_OK, NULL },
	{ "rdm", KEY_STRING, KEY_NOTED, "PCI passthrough is not offered" },
	{ "rdm_mem_boundary", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "root", KEY_STRING, KEY_OK, NULL },
	{ "rtc_timeoffset", KEY_NUMBER, KEY_OK, NULL },
	{ "sdl", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "seclabel", KEY_STRING, KEY_OK, NULL },
	{ "serial", KEY_STRING | KEY_LIST, KEY_HVM, "of HVM and PVH guests" },
	{ "shadow_memory", KEY_NUMBER, KEY_OK, NULL },
	{ "slice", KEY_NUMBER, KEY_OK, NULL },
	{ "smbios_firmware", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "soundhw", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "spice", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "spice_clipboard_sharing", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "spice_image_compression", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "spice_streaming_video", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "spiceagent_mouse", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "spicedisable_ticketing", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "spicehost", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "spicepasswd", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "spiceport", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "spicetls_port", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "spiceusbredirection", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "spicevdagent", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "stdvga", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "stubdomain_cmdline", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "stubdomain_kernel", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "stubdomain_memory", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "stubdomain_ramdisk", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "tee", KEY_STRING, KEY_ARM, "of ARM" },
	{ "timer_mode", KEY_STRING | KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "tsc_mode", KEY_STRING | KEY_NUMBER, KEY_OK, NULL },
	{ "type", KEY_STRING, KEY_OK, NULL },
	{ "usb", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "usbctrl", KEY_LIST, KEY_REFUSED, "USB devices are not offered" },
	{ "usbdev", KEY_LIST, KEY_REFUSED, "USB devices are not offered" },
	{ "usbdevice", KEY_STRING | KEY_LIST, KEY_HVM, "of HVM and PVH guests" },
	{ "usbversion", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "uuid", KEY_STRING, KEY_OK, NULL },
	{ "vcpu_avail", KEY_STRING | KEY_NUMBER, KEY_STRANGE, "it has no effect in any version" },
	{ "vcpus", KEY_NUMBER, KEY_OK, NULL },
	{ "vdispl", KEY_LIST, KEY_REFUSED, "this device is not offered" },
	{ "vendor_device", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "vfb", KEY_LIST, KEY_REFUSED, "a framebuffer needs a device model, which is not run" },
	{ "vga", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "videoram", KEY_NUMBER, KEY_OK, NULL },
	{ "vif", KEY_LIST, KEY_OK, NULL },
	{ "vif2", KEY_LIST, KEY_NOTED, "netchannel2 is gone" },
	{ "viridian", KEY_NUMBER | KEY_LIST, KEY_HVM, "of HVM and PVH guests" },
	{ "vkb", KEY_LIST, KEY_REFUSED, "this device is not offered" },
	{ "vkb_device", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "vmtrace_buf_kb", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "vnc", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "vncdisplay", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "vnclisten", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "vncpasswd", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "vncunused", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "vncviewer", KEY_NUMBER, KEY_NOTED, "use create -V" },
	{ "vnuma", KEY_LIST, KEY_REFUSED, "guests get one node" },
	{ "vpmu", KEY_NUMBER, KEY_OK, NULL },
	{ "vpt_align", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "vsnd", KEY_LIST, KEY_REFUSED, "this device is not offered" },
	{ "vtpm", KEY_LIST, KEY_REFUSED, "this device is not offered" },
	{ "vuart", KEY_STRING, KEY_ARM, "of ARM" },
	{ "xauthority", KEY_STRING, KEY_HVM, "of HVM and PVH guests" },
	{ "xen_platform_pci", KEY_NUMBER, KEY_HVM, "of HVM and PVH guests" },
	{ "xend_suspend_evtchn_compat", KEY_NUMBER, KEY_NOTED, "guests suspend through the store" },
};
#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

static int compare(const void *name, const void *key)
{
	return strcmp(name, ((const struct light_key *)key)->name);
}

const struct light_key *light_key_find(const char *name)
{
	return bsearch(name, keys, N_KEYS, sizeof(keys[0]), compare);
}

/* Levenshtein's distance over the first 32 characters, one row at a time. */
unsigned int light_word_distance(const char *a, const char *b)
{
	unsigned int row[33], left, above, best, i, j;
	size_t n = strnlen(a, 33), m = strnlen(b, 33);

	if (n > 32 || m > 32)
		return 64;
	for (j = 0; j <= m; j++)
		row[j] = j;
	for (i = 1; i <= n; i++) {
		left = row[0];
		row[0] = i;
		for (j = 1; j <= m; j++) {
			above = row[j];
			best = left + (a[i - 1] != b[j - 1]);
			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			left = above;
			row[j] = best;
		}
	}
	return row[m];
}

const char *light_key_nearest(const char *name)
{
	unsigned int i, distance, best = strlen(name) < 5 ? 2 : 4;
	const char *nearest = NULL;

	for (i = 0; i < N_KEYS; i++) {
		if (keys[i].status == KEY_STRANGE)
			continue;
		distance = light_word_distance(name, keys[i].name);
		if (distance < best) {
			best = distance;
			nearest = keys[i].name;
		}
	}
	return nearest;
}
