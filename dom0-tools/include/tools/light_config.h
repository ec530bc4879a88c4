/* SPDX-License-Identifier: MIT */
/*
 * What a user means by a domain: the configuration as data, and its three written forms.
 *
 *   xl.cfg text (light_config_parse)          what people write
 *   JSON (light_config_from_json, _to_json)   what `list -l` prints and what userdata files hold;
 *                                             member names, order and defaults are libxl's of 4.17
 *   the store's nodes (light.h)               what guests and backends see
 *
 * PV domains are understood in full. Members of the JSON form that belong to other guests are kept
 * as they were read and written back, so that a file of another toolstack survives an edit.
 */
#ifndef TOOLS_LIGHT_CONFIG_H
#define TOOLS_LIGHT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tools/json.h>
#include <tools/util.h>

/* A switch that may be left to its default. */
enum light_tri { LIGHT_UNSET = 0, LIGHT_NO = -1, LIGHT_YES = 1 };

enum light_type { LIGHT_TYPE_NONE = -1, LIGHT_TYPE_HVM = 1, LIGHT_TYPE_PV = 2, LIGHT_TYPE_PVH = 3 };

enum light_action {
	LIGHT_ACTION_DESTROY = 1,
	LIGHT_ACTION_RESTART,
	LIGHT_ACTION_RESTART_RENAME,
	LIGHT_ACTION_PRESERVE,
	LIGHT_ACTION_COREDUMP_DESTROY,
	LIGHT_ACTION_COREDUMP_RESTART,
	LIGHT_ACTION_SOFT_RESET,
};

enum light_disk_format {
	LIGHT_FORMAT_UNKNOWN,
	LIGHT_FORMAT_QCOW,
	LIGHT_FORMAT_QCOW2,
	LIGHT_FORMAT_VHD,
	LIGHT_FORMAT_RAW,
	LIGHT_FORMAT_EMPTY,
	LIGHT_FORMAT_QED,
};

enum light_disk_backend {
	LIGHT_BACKEND_UNKNOWN,
	LIGHT_BACKEND_PHY,
	LIGHT_BACKEND_TAP,
	LIGHT_BACKEND_QDISK, /* a program of dom0: ours */
	LIGHT_BACKEND_STANDALONE,
};

enum light_nic_type { LIGHT_NIC_UNKNOWN, LIGHT_NIC_IOEMU, LIGHT_NIC_VIF };

#define LIGHT_MEMKB_DEFAULT UINT64_MAX
#define LIGHT_GRANT_DEFAULT (-1) /* max_grant_* not given */
#define LIGHT_SCHED_DEFAULT (-1) /* weight, cap, period... not given */
#define LIGHT_MAX_VCPUS	    4096 /* the parser's bound; the hypervisor has its own */
#define LIGHT_MAX_CPUS	    4096
#define LIGHT_NAME_MAX	    127 /* bytes of a domain's name, as its user gives it */
#define LIGHT_NAME_SUFFIX   16 /* what we may add: "--incoming", "--migratedaway" */

/* A set of CPUs, vcpus or nodes: bit n of byte n / 8. */
struct light_bitmap {
	uint8_t *bits;
	unsigned int bytes;
};

bool light_bitmap_test(const struct light_bitmap *map, unsigned int bit);
/* Grows as needed. -ENOMEM; -ERANGE at LIGHT_MAX_CPUS. */
int light_bitmap_set(struct light_bitmap *map, unsigned int bit, bool value);
int light_bitmap_copy(struct light_bitmap *to, const struct light_bitmap *from);
unsigned int light_bitmap_weight(const struct light_bitmap *map);
void light_bitmap_free(struct light_bitmap *map);

struct light_strings {
	char **list;
	unsigned int count;
};

struct light_sched {
	int scheduler; /* XEN_SCHEDULER_*, 0: not known yet */
	long weight, cap, period, budget, extratime, slice, latency;
};

struct light_disk {
	uint32_t backend_domid;
	char *backend_domname;
	char *pdev_path;
	char *vdev;
	int backend; /* enum light_disk_backend */
	int format; /* enum light_disk_format */
	char *script;
	int removable, readwrite, is_cdrom;
	bool shared; /* access=w!: whoever else writes is the owner's business */
	bool direct_io_safe;
	int patience; /* seconds that requests wait for an image's server; 0: for ever */
	int discard; /* enum light_tri */
	int specification, transport; /* 1: xen, 2: virtio (refused) */
	int trusted; /* enum light_tri */
	struct json_value *kept; /* members of the JSON form that we do not use */
};

struct light_nic {
	uint32_t backend_domid;
	char *backend_domname;
	int devid; /* -1: to be chosen */
	int mtu;
	char *model;
	uint8_t mac[6];
	char *ip;
	char *bridge;
	char *ifname;
	char *script;
	int type; /* enum light_nic_type */
	uint64_t rate_bytes; /* per interval; 0: no limit */
	uint32_t rate_interval_us;
	char *gatewaydev;
	int trusted;
	int user_backend; /* enum light_tri: our daemon; dom0's kernel. Unset: nic_defaults() */
	struct json_value *kept;
};

struct light_config {
	/* who it is */
	int type; /* enum light_type */
	char *name;
	uint32_t domid; /* asked for; 0: the hypervisor chooses */
	bool uuid_set;
	uint8_t uuid[16];
	uint32_t ssidref;
	char *ssid_label;
	uint32_t poolid;
	char *pool_name;
	int run_hotplug_scripts;
	int driver_domain;
	int passthrough; /* 0 default, 1 disabled, ... */

	/* what it is made of */
	int max_vcpus;
	struct light_bitmap avail_vcpus;
	struct light_bitmap *hard_affinity, *soft_affinity; /* per vcpu */
	unsigned int n_hard, n_soft;
	struct light_bitmap nodemap;
	int numa_placement;
	int tsc_mode;
	uint64_t max_memkb, target_memkb, video_memkb, shadow_memkb, iommu_memkb;
	uint32_t rtc_timeoffset;
	char *exec_ssid_label;
	uint32_t exec_ssidref;
	int localtime;
	int disable_migrate;
	char *blkdev_start;
	int64_t max_grant_frames, max_maptrack_frames, max_grant_version;
	int device_model_version;
	struct light_sched sched;
	int claim_mode;
	uint32_t event_channels;
	char *kernel, *cmdline, *ramdisk;
	char *bootloader;
	struct light_strings bootloader_args;
	int vpmu;
	int e820_host;
	struct light_strings extra_pv;

	struct light_disk *disks;
	unsigned int n_disks;
	struct light_nic *nics;
	unsigned int n_nics;

	int on_poweroff, on_reboot, on_watchdog, on_crash, on_soft_reset; /* enum light_action */

	/* JSON members that we do not use, per section; opaque */
	struct json_value *kept_c, *kept_b, *kept_type, *kept_sched, *kept_arm, *kept_x86,
		*kept_top;
};

/* Everything "not given". Pair with light_config_free(), which leaves it so again. */
void light_config_init(struct light_config *config);
void light_config_free(struct light_config *config);
void light_disk_init(struct light_disk *disk);
void light_disk_free(struct light_disk *disk);
void light_nic_init(struct light_nic *nic);
void light_nic_free(struct light_nic *nic);
/* One more at the end, initialised; NULL: out of memory. */
struct light_disk *light_config_add_disk(struct light_config *config);
struct light_nic *light_config_add_nic(struct light_config *config);
void light_config_remove_disk(struct light_config *config, unsigned int index);
void light_config_remove_nic(struct light_config *config, unsigned int index);

/* --- The tool's own configuration: xl.conf --- */
struct light_defaults {
	int autoballoon; /* 0 off, 1 on, -1 auto (off when dom0_mem= was given) */
	bool run_hotplug_scripts;
	char *lockfile;
	bool output_sxp;
	char *blkdev_start;
	int claim_mode;
	bool domid_random;
	/* disk.default.backendtype, vif.default.backendtype: "kernel" */
	bool disk_kernel, vif_kernel;
	char *vif_script, *vif_bridge, *vif_backend, *vif_gatewaydev;
	int64_t max_grant_frames, max_maptrack_frames, max_grant_version;
	struct light_bitmap vm_cpumask, pv_cpumask; /* empty: all */
};

/* 4.17's defaults, without any file. */
void light_defaults_init(struct light_defaults *defaults);
void light_defaults_free(struct light_defaults *defaults);
/*
 * What the file @source says, @text; keys that are not in it stay. -EINVAL with a cause, -ENOMEM.
 */
int light_defaults_parse(struct light_defaults *defaults, const char *text, size_t length,
			 const char *source, struct tools_error *error);
/* Reads /etc/xen/xl.conf (@path NULL) if it exists. -EINVAL with a cause. */
int light_defaults_load(struct light_defaults *defaults, const char *path,
			struct tools_error *error);

/* --- Reading what people write --- */
/*
 * Called for each remark that does not stop us: unknown keys, deprecated spellings. One line each.
 */
typedef void light_warn(void *cookie, const char *line);

/* What the host has, for cpus="node:1" and such; zero-initialised: one node, any CPU. */
struct light_host {
	unsigned int cpus, nodes;
	const uint32_t *cpu_node; /* node of each CPU */
	unsigned int grant_frames; /* 0: 4.17's rule by memory size is not applied */
};

struct light_parse {
	const char *source; /* file name, for messages */
	const struct light_defaults *defaults; /* NULL: 4.17's */
	const struct light_host *host; /* NULL: unknown */
	light_warn *warn;
	void *cookie;
};

/*
 * xl.cfg text, then @overrides ("key=value" each, as on the command line), into @config
 * (initialised by the caller). @text need not be terminated. -EINVAL: @error names source, line,
 * key, what was found and what would be right; @config is to be freed either way. Without "uuid"
 * one is generated.
 */
int light_config_parse(struct light_config *config, const char *text, size_t length,
		       char *const *overrides, unsigned int n_overrides,
		       const struct light_parse *how, struct tools_error *error);
/* One disk or vif as in the list, or as on a command line ("a,b" or one word per argument). */
int light_disk_parse(struct light_disk *disk, const char *const *words, unsigned int count,
		     const struct light_parse *how, struct tools_error *error);
int light_nic_parse(struct light_nic *nic, const char *const *words, unsigned int count,
		    const struct light_parse *how, struct tools_error *error);
/* "0-3,^2,node:1,all" into @map (initialised or zero). */
int light_cpus_parse(struct light_bitmap *map, const char *text, const struct light_host *host,
		     struct tools_error *error);
/*
 * "1024", "1g", "512m", "1048576k", "t", "b"; bare numbers are MiB. KiB in *kib. -EINVAL, -ERANGE.
 */
int light_size_parse(const char *text, uint64_t *kib);
/*
 * May be a domain's name, and part of a file's: 1 to LIGHT_NAME_MAX + LIGHT_NAME_SUFFIX bytes, no
 * slash, no control character.
 */
bool light_name_valid(const char *name);
int light_uuid_parse(const char *text, uint8_t uuid[16]); /* -EINVAL */
void light_uuid_format(const uint8_t uuid[16], char text[37]);
int light_uuid_generate(uint8_t uuid[16]); /* version 4 */
/* The device number of "xvda1", "hdc", "sdb", "d2p3", "51712", "0xca00"; -EINVAL. */
int light_vdev_number(const char *vdev, unsigned int *disk, unsigned int *partition);
/* "xvda1" for a device number of the store; @text of 32 bytes. */
void light_vdev_name(unsigned int number, char *text);
/* Names of enum light_action as in xl.cfg ("rename-restart"); -EINVAL, NULL. */
int light_action_parse(const char *text);
const char *light_action_name(int action);

/* --- JSON --- */
/*
 * As libxl_domain_config's; free(). NULL: out of memory. Indented as yajl does. With @domid >= 0
 * wrapped as `list -l` prints one domain: { "domid": N, "config": {...} }; -1: the configuration
 * alone.
 */
char *light_config_to_json(const struct light_config *config, int domid);
/* One device alone, as block-attach -N and network-attach -N print it; free(). */
char *light_disk_to_json(const struct light_disk *disk);
char *light_nic_to_json(const struct light_nic *nic);
/*
 * The configuration as @key's value (NULL: an element) of a text under way; @domid -1 prints null
 * in the wrapper.
 */
void light_config_write_wrapped(struct json_writer *writer, const char *key,
				const struct light_config *config, int domid);
int light_config_from_json(struct light_config *config, const char *text, size_t length,
			   struct tools_error *error);
/* Deep copy by way of the above. */
int light_config_copy(struct light_config *to, const struct light_config *from);
/* The old xm form that output_format="sxp" prints; free(). */
char *light_config_to_sxp(const struct light_config *config, int domid);

#endif
