/* SPDX-License-Identifier: MIT */
/*
 * What the files that deal with domains share: batches of store requests, devices and their waits,
 * traces of a creation under way.
 */
#ifndef LIGHT_DOMAIN_H
#define LIGHT_DOMAIN_H

#include <sys/types.h>
#include <tools/light.h>
#include "private.h"

#define DOM0_FLOOR_KIB	 (128 * 1024)
#define TOOL_LOCK_MS	 60000
#define DOMAIN_LOCK_MS	 20000

/* --- Batches: many store requests, few round trips (batch.c) --- */
struct batch {
	struct store_request *list;
	unsigned int count, room;
	bool failed; /* out of memory: batch_run() says so */
};

void batch_write(struct batch *batch, const char *value, const char *path_format, ...)
	__attribute__((format(printf, 3, 4)));
/* The value by format, at a path that is ready. */
void batch_printf(struct batch *batch, const char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* XS_MKDIR and such, without a value. */
void batch_request(struct batch *batch, uint32_t type, const char *path_format, ...)
	__attribute__((format(printf, 3, 4)));
#define batch_mkdir(batch, ...) batch_request(batch, XS_MKDIR, __VA_ARGS__)
#define batch_rm(batch, ...)	batch_request(batch, XS_RM, __VA_ARGS__)
#define batch_read(batch, ...)	batch_request(batch, XS_READ, __VA_ARGS__)
#define batch_list(batch, ...)	batch_request(batch, XS_DIRECTORY, __VA_ARGS__)
/* @owner owns the node; with @reader >= 0 that domain may read it. Others: nothing. */
void batch_perms(struct batch *batch, uint32_t owner, int reader, const char *path_format, ...)
	__attribute__((format(printf, 4, 5)));
/* Removal of what is not there is no failure, nor is a read of it (reply NULL). */
int batch_run(struct batch *batch, struct store *store, store_tx tx);
/* In a transaction, tried again while it conflicts. */
int batch_commit(struct batch *batch, struct store *store);
void batch_free(struct batch *batch);

/* --- Waiting (wait.c) --- */
/*
 * Until a store event, @fds[] (n_fds, at most 16; -1: skip) readable, cancel or @deadline: 0: a
 * store event may be there (take it with store_event), 1: one of fds, -ETIMEDOUT, -ECANCELED.
 */
int light_wait(struct light *light, const int *fds, unsigned int n_fds, uint64_t deadline);
/* Drops all events that wait. */
void light_drain_events(struct light *light);

/* --- Devices --- */
struct device {
	char kind[16]; /* of the frontend: "vbd", "vif" */
	char backend_kind[16]; /* "vbd", "vif", "qnic", ... */
	uint32_t domid, backend_domid;
	unsigned int devid;
};

#define DEVICE_PATH_MAX 128
void device_frontend_path(const struct device *device, char path[DEVICE_PATH_MAX]);
void device_backend_path(const struct device *device, char path[DEVICE_PATH_MAX]);
void device_libxl_path(const struct device *device, char path[DEVICE_PATH_MAX]);
/* "/local/domain/B/backend/KIND/D/ID" and where its frontend is: -EINVAL. */
int device_parse(struct device *device, uint32_t domid, const char *kind, unsigned int devid,
		 const char *backend_path);

/* Fills in what the user left open and checks it against this host. */
int disk_defaults(struct light *light, struct light_disk *disk, struct tools_error *error);
int nic_defaults(struct light *light, struct light_nic *nic, struct tools_error *error);
void disk_device(const struct light_disk *disk, uint32_t domid, struct device *device);
void nic_device(const struct light_nic *nic, uint32_t domid, struct device *device);

/* The nodes of a device, both ends and the tools' own record. */
struct disk_backing {
	bool native; /* we did the script's work */
	char device_number[24]; /* "fd:1", hexadecimal, for the backend */
	char loop[32]; /* "/dev/loop3", or empty */
	int loop_fd; /* keeps it until the backend has it; -1 */
};
void disk_nodes(struct batch *batch, struct light *light, const struct light_disk *disk,
		const struct disk_backing *backing, uint32_t domid);
void nic_nodes(struct batch *batch, struct light *light, const struct light_nic *nic,
	       uint32_t domid);
void console_nodes(struct batch *batch, uint32_t domid, uint32_t console_domid, evtchn_port_t port,
		   xen_pfn_t mfn);

/*
 * What stands behind a disk, done here for disks of domain 0 without a script of their own: the
 * block device's number, or a loop device for a file. For all disks of domain 0: -EBUSY if someone
 * else writes to it (to be asked under the tool's lock).
 */
int disk_backing_open(struct light *light, const struct light_disk *disk,
		      struct disk_backing *backing, struct tools_error *error);
/* @undo: the loop device goes too. */
void disk_backing_close(struct disk_backing *backing, bool undo);
/* Detaches the loop device @path; 0 also if it is not in use. */
int loop_detach(const char *path);

/* --- Groups of devices on their way (device_wait.c) --- */
enum member_step { MEMBER_BACKEND, MEMBER_SCRIPT, MEMBER_DONE, MEMBER_FAILED };
struct member {
	struct device device;
	enum member_step step;
	char *script; /* full path or NULL: none to run */
	char *loop; /* to be detached when removed */
	pid_t pid;
	int pidfd;
	uint64_t deadline;
	bool watched;
	bool forced; /* the frontend was torn off */
};
struct group {
	struct light *light;
	bool adding; /* else removing */
	bool force; /* removing: do not wait for the guest */
	struct member *members;
	unsigned int count;
	struct tools_error *error;
	int result; /* of the first member that failed */
};
/* A member, zeroed but for the device; NULL: out of memory. */
struct member *group_add(struct group *group, const struct device *device);
/* Watches all, begins what can begin; again, for members that came later. */
int group_start(struct group *group);
/* Does what can be done now, without waiting. */
int group_progress(struct group *group);
/* Until all are done or one failed. @group->error tells. */
int group_finish(struct group *group);
/* Ends scripts that still run, takes watches back, frees. */
void group_free(struct group *group);

/* All devices of a domain (from /libxl/N/device): a group for removal. */
int group_of_domain(struct group *group, uint32_t domid);
/* Their nodes into @batch as removals. */
void group_remove_nodes(struct group *group, struct batch *batch);

/* --- Traces of a creation, for whoever cleans up after a kill (marker.c) --- */
struct marker {
	int fd;
	char path[256];
};
/* Before the domain exists: locked until closed. */
int marker_create(struct light *light, struct marker *marker, const uint8_t uuid[16],
		  const char *name);
int marker_set_domid(struct marker *marker, uint32_t domid);
/* The creation is complete, or undone. */
void marker_remove(struct marker *marker);

/* --- Removal of whatever there is of a domain (destroy.c) --- */
struct removal {
	uint32_t domid;
	bool exists; /* in the hypervisor, with our handle */
	const char *name, *cause; /* remembered if it stays a zombie */
	struct light_destroy *report;
};
int domain_remove(struct light *light, struct removal *removal, struct tools_error *error);

/*
 * A device leaves and comes back, in the configuration all the time: whoever is killed in between,
 * or fails, has lost no disk. -ENODEV: it is not plugged in.
 */
int device_unplug(struct light *light, uint32_t domid, const char *kind, const char *which,
		  bool force, struct tools_error *error);
int device_replug(struct light *light, uint32_t domid, struct light_disk *disk,
		  struct light_nic *nic, struct tools_error *error);

/* Userdata of a domain by id and uuid, without asking the hypervisor. */
char *userdata_path(struct light *light, uint32_t domid, const uint8_t uuid[16], const char *name,
		    const char *kind);
void userdata_remove_all(struct light *light, uint32_t domid, const uint8_t uuid[16]);
int userdata_write(struct light *light, uint32_t domid, const uint8_t uuid[16], const char *name,
		   const void *data, size_t length);

/* The lock file at @path, as libxl locks it: a descriptor for light_unlock_domain(), or -errno. */
int light_lock_path(struct light *light, const char *path, unsigned int ms);

/* --- Domids that were in use a moment ago (history.c) --- */
bool history_has(struct light *light, uint32_t domid);
/* To be called before the hypervisor is asked to destroy it. 0 or -errno. */
int history_add(struct light *light, uint32_t domid);

/* --- Boot loaders (bootloader.c) --- */
struct boot_files {
	char *kernel, *ramdisk, *cmdline; /* to free */
	char *folder; /* where the boot loader put what it took from the disk: it goes */
};
int bootloader_run(struct light *light, const struct light_config *config, bool interactive,
		   struct boot_files *files, struct tools_error *error);
/* Adds what is not there yet from a boot loader's output, @text[@length] and a NUL. */
void boot_files_take(struct boot_files *files, const char *text, size_t length);
void boot_files_free(struct boot_files *files);
/* What boot loaders of dead creators left. */
void boot_files_gc(struct light *light);

/* Says something to the user. */
void light_say(struct light *light, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
