/* SPDX-License-Identifier: MIT */
/*
 * Domains as a user means them: found, created, changed, destroyed. The CLI and the daemons work
 * through this header; it works through ctl, store and guest.
 *
 * Shares its places with Xen's own toolstack, so that both can be used in turn on one machine:
 * store nodes below /local/domain, /vm and /libxl, userdata files and their locks in /var/lib/xen,
 * the tool's lock /var/lock/xl, hotplug scripts in /etc/xen/scripts.
 *
 * Every wait has a deadline, ends when the caller's cancel descriptor becomes readable
 * (-ECANCELED), and watches the store: nothing polls by sleeping.
 */
#ifndef TOOLS_LIGHT_H
#define TOOLS_LIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tools/ctl.h>
#include <tools/foreignmemory.h>
#include <tools/light_config.h>
#include <tools/store.h>
#include <tools/util.h>

struct light {
	struct ctl *ctl;
	struct store *store;
	struct foreignmemory *fm; /* opened when first needed */
	struct light_defaults defaults;
	int cancel_fd; /* readable: give up waiting; -1: none */
	unsigned int device_wait_ms; /* for backends and scripts: 40,000 as in 4.17's, per step */
	light_warn *warn; /* remarks and progress; may be NULL */
	void *warn_cookie;
	/* Where things live; tests point them elsewhere. */
	const char *lib_dir; /* /var/lib/xen */
	const char *run_dir; /* /run/xen: creation markers below kl/ */
	const char *daemon_dir; /* /run/krypton: the backends' folders, each with its lock */
	const char *script_dir; /* /etc/xen/scripts */
	const char *log_dir; /* /var/log/xen */
	bool owns_handles, owns_fm;
};

/*
 * Opens store and hypervisor and reads xl.conf. @error says which part is missing and what to
 * start.
 */
int light_open(struct light **out, struct tools_error *error);
/* On handles of the caller's (fakes in tests); defaults are 4.17's without any file. */
int light_open_with(struct light **out, struct ctl *ctl, struct store *store,
		    struct foreignmemory *fm);
void light_close(struct light *light);

/* --- Finding --- */
/* By name or number. The domid; -ESRCH "no such domain", with @error naming the nearest name. */
int light_find(struct light *light, const char *name_or_id, struct tools_error *error);
/* By name alone: the domid or -ESRCH. Reads all names in one pipelined batch. */
int light_name_to_domid(struct light *light, const char *name);
/*
 * Where the name and the cause of a domain are kept once it is destroyed and until it is gone:
 * LIGHT_DEAD_PATH/<domid> = name, its child "cause" = why it ended. Written in the transaction that
 * removes /local/domain/<domid>; removed by light_gc() or whoever sees the domain gone.
 */
#define LIGHT_DEAD_PATH "/tool/krypton/dead"

/*
 * The name, free(). A domain that the store has forgotten (a zombie) answers with the name that was
 * remembered for it, else "(null)" (exactly so: programs look for it). NULL: out of memory.
 */
char *light_domid_to_name(struct light *light, uint32_t domid);
/* Names of many at once (one batch): names[i] to free(), NULL where there is none. */
int light_names(struct light *light, const uint32_t *domids, unsigned int count, char **names);
int light_domain_uuid(struct light *light, uint32_t domid, uint8_t uuid[16]);
/* LIGHT_TYPE_*, from the hypervisor's flags. -ESRCH. */
int light_domain_type(struct light *light, uint32_t domid);

/* --- Userdata: files beside a domain, <lib_dir>/userdata-d.DOMID.UUID.NAME --- */
/*
 * The lock libxl takes around changes of a domain's files and devices. Waits at most @ms.
 * A descriptor for light_unlock_domain(); -ETIMEDOUT, -ESRCH.
 */
int light_lock_domain(struct light *light, uint32_t domid, unsigned int ms);
void light_unlock_domain(struct light *light, uint32_t domid, int lock);
/* -ENOENT: no such file. *data to free(), NUL-terminated. */
int light_userdata_read(struct light *light, uint32_t domid, const char *name, char **data,
			size_t *length);
int light_userdata_write(struct light *light, uint32_t domid, const char *name, const void *data,
			 size_t length);
int light_userdata_remove(struct light *light, uint32_t domid, const char *name);

/*
 * The configuration a domain was created with, as it is now (devices, name, memory target, vcpus).
 * -ENOENT: created without one (dom0): @config then holds what hypervisor and store tell.
 */
int light_domain_config(struct light *light, uint32_t domid, struct light_config *config,
			struct tools_error *error);
/*
 * What the domain is to be made from when it is started again: the text that config-update left
 * (with the uuid of now), else as light_domain_config(). -EINVAL: that text has a mistake.
 */
int light_restart_config(struct light *light, uint32_t domid, struct light_config *config,
			 struct tools_error *error);
/* Replaces it in the userdata file. The caller holds the domain's lock. */
int light_domain_config_save(struct light *light, uint32_t domid,
			     const struct light_config *config);

/* --- Creating --- */
#define LIGHT_MAX_STEPS 24
struct light_timing {
	const char *step; /* static: "check", "memory", "domain", "kernel", "build", ... */
	uint64_t ns; /* wall time */
};

struct light_build { /* what a restore gets instead of a kernel */
	domid_t domid;
	domid_t store_domid, console_domid;
	evtchn_port_t store_port, console_port;
	/* To be called now and then: the devices get on meanwhile. Not 0: one of them failed. */
	int (*meanwhile)(void *cookie);
	void *meanwhile_cookie;
	xen_pfn_t store_mfn, console_mfn; /* out */
};

struct light_create {
	/* in */
	struct light_config *config; /* defaults are filled in; devids, MACs and uuid are chosen */
	bool keep_paused; /* do not start it */
	bool ignore_global_affinity; /* xl.conf's vm.cpumask is not applied */
	bool no_monitor; /* no automatic actions when it ends */
	bool interactive; /* a boot loader may use our terminal: its menu is shown */
	/*
	 * Builds memory and vcpus from elsewhere (a stream) instead of the kernel image. NULL: the
	 * kernel. Domain, vcpus, limits and event ports exist; the frames are given back in @build.
	 */
	int (*build)(struct light *light, struct light_build *build, void *cookie,
		     struct tools_error *error);
	/*
	 * Called once the domain and its console ring exist and before it runs: connect a viewer.
	 */
	void (*console_ready)(uint32_t domid, void *cookie);
	/*
	 * Called last, when only starting it is left: a failure still undoes everything (as does
	 * light_gc() if the creator dies in it). For who needs another end's leave. May rename it.
	 */
	int (*confirm)(struct light *light, uint32_t domid, void *cookie,
		       struct tools_error *error);
	void *cookie;
	/* out */
	uint32_t domid;
	struct light_timing timing[LIGHT_MAX_STEPS];
	unsigned int n_timing;
};

/*
 * All of it, or nothing: on failure (also by cancel or deadline) everything made so far is undone
 * before it returns. If the process dies, light_gc() undoes it. Codes in @error: bad-config,
 * name-taken, no-memory, image, device, hotplug, bootloader, hypervisor, store, canceled, timeout.
 */
int light_create(struct light *light, struct light_create *create, struct tools_error *error);

/* Undoes what creators that died left: the number of domains removed, or -errno. Idempotent. */
int light_gc(struct light *light, struct tools_error *error);

/* --- Ending --- */
#define LIGHT_MAX_HOLDERS 8
struct light_holder { /* who keeps a dead domain's memory */
	uint32_t domid;
	bool mapping; /* in its page tables, without a grant; else by grants */
	unsigned int count; /* grants, or page table entries */
	unsigned int first; /* grants: the first reference */
};

struct light_destroy {
	/* out: what is still held when the domain stays a zombie */
	uint64_t pages_held;
	bool zombie;
	char holder[128]; /* "vbd 51712 (backend in domain 0, state 5)", or empty */
	struct light_holder holders[LIGHT_MAX_HOLDERS];
	unsigned int n_holders;
	bool holders_complete; /* the hypervisor told all there is */
};
/*
 * Devices are closed (their scripts run "offline"), the domain is destroyed, its store nodes and
 * files go. 0 also if it stays a zombie: see @report (may be NULL). -ESRCH, -EPERM (domain 0).
 */
int light_destroy(struct light *light, uint32_t domid, struct light_destroy *report,
		  struct tools_error *error);
/*
 * The holders of a zombie into @report, as the hypervisor tells on its console when asked with a
 * debug key: Krypton all of them, Xen those by grants (it is not asked with many domains about: its
 * list is long). -EOPNOTSUPP: it tells nothing; -errno.
 */
int light_holders(struct light *light, uint32_t domid, struct light_destroy *report);
/* One holder in words: "2 grants (from reference 8 on) mapped by domain 0". */
void light_holder_text(const struct light_holder *holder, char *text, size_t room);
/*
 * Asks the guest: "poweroff", "reboot", "suspend", "halt". -EOPNOTSUPP with a hint if the guest has
 * no PV control driver connected.
 */
int light_shutdown_request(struct light *light, uint32_t domid, const char *what,
			   struct tools_error *error);
/*
 * Waits until each of @domids is shut down or gone. @any: until the first of them is. Returns its
 * index, or 0; -ETIMEDOUT after @ms (0: no limit), -ECANCELED.
 */
int light_wait_shutdown(struct light *light, const uint32_t *domids, unsigned int count, bool any,
			uint64_t ms);
/* Until the domain is gone or dying; -ETIMEDOUT after @ms (0: no limit), -ECANCELED. */
int light_wait_gone(struct light *light, uint32_t domid, uint64_t ms);
/*
 * The dead domain gets @suffix to its name and @uuid (all of store and hypervisor), so that a new
 * one can take its place.
 */
int light_preserve(struct light *light, uint32_t domid, const char *suffix, const uint8_t uuid[16],
		   struct tools_error *error);
/*
 * -EEXIST: the name is taken. @old_name NULL: whatever it is now, and nobody creates a domain of
 * the new name meanwhile (the tool's lock is taken). With @old_name (else -ESTALE) no lock is
 * waited for: a migration's guest stands still.
 */
int light_rename(struct light *light, uint32_t domid, const char *old_name, const char *new_name,
		 struct tools_error *error);

/* --- Memory --- */
/*
 * Sets a domain's balloon target (KiB), as mem-set does. @enforce: also the hypervisor's maximum.
 */
int light_set_memory_target(struct light *light, uint32_t domid, uint64_t kib, bool enforce,
			    struct tools_error *error);
#define LIGHT_MAXMEM_SLACK_KIB 1024 /* what 4.17's tools allow a domain in the hypervisor above what is set */
/* Free memory in KiB as far as a new domain may have it (claims of others subtracted). */
int light_free_memory(struct light *light, uint64_t *kib);
/*
 * Makes @kib free by ballooning dom0 down if xl.conf allows, never under the floor; waits while
 * there is progress. -ENOMEM with numbers and hint.
 */
int light_make_free(struct light *light, uint64_t kib, struct tools_error *error);

/* --- Devices --- */
struct light_device {
	char kind[16]; /* "vbd", "vif", "console", ... */
	unsigned int devid;
	uint32_t frontend_domid, backend_domid;
	char *frontend, *backend; /* store paths */
	int frontend_state, backend_state; /* xenbus states, 0: no node */
	int event_channel; /* -1: none */
	int ring_ref[2]; /* vbd: [0]; vif: tx, rx; -1: none */
	uint8_t mac[6]; /* vif */
	char *params; /* vbd: what backs it */
};

/* The devices of @kind ("vbd", "vif") of a domain: count, *list to light_devices_free(). */
int light_devices(struct light *light, uint32_t domid, const char *kind,
		  struct light_device **list);
void light_devices_free(struct light_device *list, unsigned int count);

/*
 * Adds to a running domain and waits until the backend is ready (a running guest may take its time
 * to connect). The configuration file is updated. -EEXIST: that vdev or devid is in use.
 */
int light_attach_disk(struct light *light, uint32_t domid, struct light_disk *disk,
		      struct tools_error *error);
int light_attach_nic(struct light *light, uint32_t domid, struct light_nic *nic,
		     struct tools_error *error);
/*
 * @which: vdev name or number. Waits until the guest let go; with @force the nodes are torn off.
 * -ENODEV; -ETIMEDOUT "the guest still uses it".
 */
int light_detach_disk(struct light *light, uint32_t domid, const char *which, bool force,
		      struct tools_error *error);
/* @which: devid or MAC. */
int light_detach_nic(struct light *light, uint32_t domid, const char *which, bool force,
		     struct tools_error *error);

/*
 * The guest stands still and is to go on elsewhere, or after all here: our backends on this host
 * write back and let go of its images (@hold; waits for it), or take them back (not waited for:
 * what the guest asks is done when they have them). -EIO: one cannot be written back; -ETIMEDOUT,
 * -ECANCELED: it may still happen, until they are taken back.
 */
int light_hold_disks(struct light *light, uint32_t domid, bool hold, struct tools_error *error);

/*
 * Unplugs (as soon as the guest lets go: -ETIMEDOUT if it does not) and plugs in again with the
 * saved configuration: both ends negotiate anew. -ENODEV.
 */
int light_reconnect_disk(struct light *light, uint32_t domid, const char *which,
			 struct tools_error *error);
int light_reconnect_nic(struct light *light, uint32_t domid, const char *which,
			struct tools_error *error);
/*
 * What is behind the disk has another size now: backend and guest are told. With @kib != 0 the
 * backend is asked to make an image that large first: -EINVAL where the disk is none. -ENODEV.
 */
int light_resize_disk(struct light *light, uint32_t domid, const char *which, uint64_t kib,
		      struct tools_error *error);

/* --- The tool-wide lock (/var/lock/xl) --- */
int light_lock_tool(struct light *light, unsigned int ms, struct tools_error *error); /* fd */
void light_unlock_tool(int lock);

#endif
