/* SPDX-License-Identifier: MIT */
/*
 * The small hypervisor of fake_kl.h. Operations that change something write themselves into @last.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <fake_kl.h>
#include <fake_store.h>
#include <tools/foreignmemory.h>
#include <tools/light.h>
#include <tools/move.h>
#include "../../dom0-tools/kl/kl.h"

struct fake_kl fake_kl;

void fake_kl_reset(void)
{
	memset(&fake_kl, 0, sizeof(fake_kl));
	fake_kl.host = (struct xen_sysctl_physinfo){
		.nr_cpus = 4,
		.max_cpu_id = 3,
		.nr_nodes = 1,
		.threads_per_core = 1,
		.cores_per_socket = 4,
		.cpu_khz = 2400123,
		.total_pages = 262144,
		.free_pages = 65536,
		.capabilities = XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_gnttab_v1,
	};
	fake_kl.pools = 1;
	fake_kl.pool_cpus[0][0] = 0x0f;
	fake_kl.weight = 256;
	fake_kl.ring = "(XEN) one\n(XEN) two\n";
	fake_kl_add(0, "Domain-0");
	fake_store_set("/local/pool/0/name", "Pool-0");
}

struct xen_domctl_getdomaininfo *fake_kl_add(domid_t domid, const char *name)
{
	struct xen_domctl_getdomaininfo *d = &fake_kl.domains[fake_kl.count++];
	char path[64];

	d->domain = domid;
	d->tot_pages = 16384;
	d->max_pages = 32768;
	d->nr_online_vcpus = 1;
	d->max_vcpu_id = 1;
	d->cpu_time = 1500000000;
	d->flags = XEN_DOMINF_blocked;
	memset(d->handle, domid, sizeof(d->handle));
	if (name) {
		snprintf(path, sizeof(path), "/local/domain/%u/name", domid);
		fake_store_set(path, name);
	}
	return d;
}

/* Every function starts here: counted, and failing if that was ordered. */
static int enter(void)
{
	int fail = fake_kl.fail;

	fake_kl.calls++;
	fake_kl.fail = 0;
	return fail;
}

static int change(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int change(const char *format, ...)
{
	int err = enter();
	va_list args;

	if (err)
		return err;
	va_start(args, format);
	vsnprintf(fake_kl.last, sizeof(fake_kl.last), format, args);
	va_end(args);
	return 0;
}

static struct xen_domctl_getdomaininfo *find(domid_t domid)
{
	unsigned int i;

	for (i = 0; i < fake_kl.count; i++)
		if (fake_kl.domains[i].domain == domid)
			return &fake_kl.domains[i];
	return NULL;
}

int ctl_open(struct ctl **out)
{
	int err = enter();

	*out = err ? NULL : (struct ctl *)&fake_kl;
	return err;
}

void ctl_close(struct ctl *ctl __attribute__((unused)))
{
}

struct call *ctl_call(struct ctl *ctl)
{
	return (struct call *)ctl;
}

void *call_alloc(struct call *call __attribute__((unused)), size_t bytes)
{
	return calloc(1, bytes);
}

void call_free(struct call *call __attribute__((unused)), void *buffer,
	       size_t bytes __attribute__((unused)))
{
	free(buffer);
}

int call_hypercall(struct call *call __attribute__((unused)), unsigned int op,
		   unsigned long a1 __attribute__((unused)),
		   unsigned long a2 __attribute__((unused)),
		   unsigned long a3 __attribute__((unused)),
		   unsigned long a4 __attribute__((unused)),
		   unsigned long a5 __attribute__((unused)))
{
	return op == __HYPERVISOR_hypfs_op ? -ENOSYS : -EPERM;
}

long call_memory_op(struct call *call __attribute__((unused)),
		    unsigned int cmd __attribute__((unused)), void *arg __attribute__((unused)))
{
	return -ENOSYS;
}

int ctl_domctl(struct ctl *ctl __attribute__((unused)), struct xen_domctl *op)
{
	if (!find(op->domain))
		return -ESRCH;
	if (op->cmd == XEN_DOMCTL_setvcpuaffinity) {
		const uint8_t *hard = op->u.vcpuaffinity.cpumap_hard.bitmap.p;

		return change("affinity %u.%u flags %u hard %x", op->domain,
			      op->u.vcpuaffinity.vcpu, op->u.vcpuaffinity.flags, hard[0]);
	}
	return enter() ? -EINVAL : 0;
}

int ctl_sysctl(struct ctl *ctl __attribute__((unused)), struct xen_sysctl *op)
{
	if (op->cmd != XEN_SYSCTL_scheduler_op)
		return -ENOSYS;
	if (op->u.scheduler_op.cmd == XEN_SYSCTL_SCHEDOP_putinfo)
		return change("ratelimit %u", op->u.scheduler_op.u.sched_credit2.ratelimit_us);
	op->u.scheduler_op.u.sched_credit2.ratelimit_us = 1000;
	return enter();
}

int ctl_pausedomain(struct ctl *ctl __attribute__((unused)), domid_t domid)
{
	return find(domid) ? change("pause %u", domid) : -ESRCH;
}

int ctl_unpausedomain(struct ctl *ctl __attribute__((unused)), domid_t domid)
{
	return find(domid) ? change("unpause %u", domid) : -ESRCH;
}

int ctl_max_mem(struct ctl *ctl __attribute__((unused)), domid_t domid, uint64_t kib)
{
	return find(domid) ? change("max_mem %u %lu", domid, (unsigned long)kib) : -ESRCH;
}

int ctl_sendtrigger(struct ctl *ctl __attribute__((unused)), domid_t domid, uint32_t trigger,
		    uint32_t vcpu)
{
	return find(domid) ? change("trigger %u %u %u", domid, trigger, vcpu) : -ESRCH;
}

int ctl_debug_keys(struct ctl *ctl __attribute__((unused)), const char *keys)
{
	return change("keys %s", keys);
}

int ctl_getdomaininfo(struct ctl *ctl __attribute__((unused)), domid_t domid,
		      struct xen_domctl_getdomaininfo *info)
{
	int err = enter();

	if (!err && !find(domid))
		err = -ESRCH;
	if (!err)
		*info = *find(domid);
	return err;
}

int ctl_getdomaininfolist(struct ctl *ctl __attribute__((unused)), domid_t first, unsigned int max,
			  struct xen_domctl_getdomaininfo *list)
{
	int err = enter();
	unsigned int i, count = 0;

	for (i = 0; i < fake_kl.count && count < max; i++)
		if (fake_kl.domains[i].domain >= first)
			list[count++] = fake_kl.domains[i];
	return err ? err : (int)count;
}

int ctl_getvcpuinfo(struct ctl *ctl __attribute__((unused)), domid_t domid, unsigned int vcpu,
		    struct xen_domctl_getvcpuinfo *info)
{
	memset(info, 0, sizeof(*info));
	info->online = vcpu == 0;
	info->blocked = 1;
	info->cpu = 2;
	info->cpu_time = 2500000000;
	return find(domid) ? enter() : -ESRCH;
}

int ctl_getvcpuaffinity(struct ctl *ctl __attribute__((unused)), domid_t domid,
			unsigned int vcpu, uint8_t *hard, uint8_t *soft,
			unsigned int bytes __attribute__((unused)))
{
	hard[0] = vcpu ? 0x0d : 0x0f;
	soft[0] = vcpu ? 0 : 0x02;
	return find(domid) ? enter() : -ESRCH;
}

int ctl_sched_get(struct ctl *ctl __attribute__((unused)), domid_t domid,
		  struct xen_domctl_scheduler_op *op)
{
	if (op->sched_id != XEN_SCHEDULER_CREDIT2)
		return -EINVAL;
	op->u.credit2.weight = fake_kl.weight;
	op->u.credit2.cap = fake_kl.cap;
	return find(domid) ? enter() : -ESRCH;
}

int ctl_sched_put(struct ctl *ctl __attribute__((unused)), domid_t domid,
		  struct xen_domctl_scheduler_op *op)
{
	return change("sched %u %u %u", domid, op->u.credit2.weight, op->u.credit2.cap);
}

int ctl_physinfo(struct ctl *ctl __attribute__((unused)), struct xen_sysctl_physinfo *info)
{
	*info = fake_kl.host;
	return enter();
}

int ctl_getcpuinfo(struct ctl *ctl __attribute__((unused)), uint64_t *idle, unsigned int max)
{
	unsigned int i;

	for (i = 0; i < fake_kl.host.nr_cpus && i < max; i++)
		idle[i] = 1000000000;
	return enter() ? -EINVAL : (int)i;
}

int ctl_cputopoinfo(struct ctl *ctl __attribute__((unused)), struct xen_sysctl_cputopo *topo,
		    unsigned int max)
{
	unsigned int i;

	for (i = 0; i < fake_kl.host.nr_cpus && i < max; i++)
		topo[i] = (struct xen_sysctl_cputopo){ .core = i };
	return enter() ? -EINVAL : (int)i;
}

int ctl_numainfo(struct ctl *ctl __attribute__((unused)), struct xen_sysctl_meminfo *mem,
		 uint32_t *distance, unsigned int max __attribute__((unused)))
{
	mem[0].memsize = 1ULL << 30;
	mem[0].memfree = 1ULL << 28;
	distance[0] = 10;
	return enter() ? -EINVAL : 1;
}

int ctl_pcitopoinfo(struct ctl *ctl __attribute__((unused)),
		    const struct physdev_pci_device *devices __attribute__((unused)),
		    uint32_t *nodes, unsigned int count)
{
	memset(nodes, 0, count * sizeof(*nodes));
	return count;
}

int ctl_sched_id(struct ctl *ctl __attribute__((unused)), uint32_t *id)
{
	*id = XEN_SCHEDULER_CREDIT2;
	return enter();
}

int ctl_cpupool(struct ctl *ctl __attribute__((unused)), struct xen_sysctl_cpupool_op *op,
		uint8_t *cpumap, unsigned int bytes __attribute__((unused)))
{
	uint32_t id = op->cpupool_id;

	switch (op->op) {
	case XEN_SYSCTL_CPUPOOL_OP_INFO:
		if (id >= fake_kl.pools)
			return -ENOENT;
		memcpy(cpumap, fake_kl.pool_cpus[id], 8);
		op->sched_id = XEN_SCHEDULER_CREDIT2;
		op->n_dom = id ? 0 : fake_kl.count;
		return enter();
	case XEN_SYSCTL_CPUPOOL_OP_FREEINFO:
		return enter();
	case XEN_SYSCTL_CPUPOOL_OP_CREATE:
		op->cpupool_id = fake_kl.pools++;
		return change("create pool");
	case XEN_SYSCTL_CPUPOOL_OP_DESTROY:
		fake_kl.pools--;
		return change("destroy pool %u", id);
	case XEN_SYSCTL_CPUPOOL_OP_ADDCPU:
		fake_kl.pool_cpus[id][0] |= 1 << op->cpu;
		return change("add %u to pool %u", op->cpu, id);
	case XEN_SYSCTL_CPUPOOL_OP_RMCPU:
		fake_kl.pool_cpus[id][0] &= ~(1 << op->cpu);
		return change("remove %u from pool %u", op->cpu, id);
	case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN:
		return change("move %u to pool %u", op->domid, id);
	}
	return -EINVAL;
}

int ctl_readconsole(struct ctl *ctl __attribute__((unused)), char *buffer, uint32_t bytes,
		    bool clear, bool incremental, uint32_t *index)
{
	uint32_t at = incremental ? *index : 0, n;

	if (clear)
		fake_kl.ring = "";
	n = strlen(fake_kl.ring) - at;
	/* A few bytes at a time, as a ring that has wrapped gives. */
	n = n < bytes ? n : bytes;
	n = n < 7 ? n : 7;
	memcpy(buffer, fake_kl.ring + at, n);
	if (incremental)
		*index = at + n;
	return enter() ? -EPERM : (int)n;
}

int ctl_version(struct ctl *ctl __attribute__((unused)), unsigned int what, void *buffer,
		size_t bytes)
{
	static const struct { unsigned int what; const char *text; } texts[] = {
		{ XENVER_extraversion, ".7" }, { XENVER_capabilities, "xen-3.0-x86_64 " },
		{ XENVER_changeset, "" }, { XENVER_commandline, "console=com1" },
	};
	unsigned int i;

	if (what == XENVER_version)
		return 4 << 16 | 17;
	if (what == XENVER_pagesize)
		return 4096;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].what == what)
			snprintf(buffer, bytes, "%s", texts[i].text);
	return what == XENVER_build_id ? -ENODATA : 0;
}

long ctl_maximum_ram_page(struct ctl *ctl __attribute__((unused)))
{
	return fake_kl.host.total_pages - 1;
}

/* What kl links but these tests do not reach. */
int foreignmemory_open(struct foreignmemory **out __attribute__((unused)))
{
	return -ENODEV;
}

void foreignmemory_close(struct foreignmemory *fm __attribute__((unused)))
{
}

static struct light fake_light;

int light_open_with(struct light **out, struct ctl *ctl __attribute__((unused)),
		    struct store *store __attribute__((unused)),
		    struct foreignmemory *fm __attribute__((unused)))
{
	if (!fake_kl.light)
		return -ENODEV;
	memset(&fake_light, 0, sizeof(fake_light));
	light_defaults_init(&fake_light.defaults);
	*out = &fake_light;
	return 0;
}

void light_close(struct light *light)
{
	light_defaults_free(&light->defaults);
}

/* Every domain has one device of each kind; "stuck" cannot be changed. */
int light_devices(struct light *light __attribute__((unused)), uint32_t domid, const char *kind,
		  struct light_device **list)
{
	static char backend[] = "/local/domain/0/backend", params[] = "aio:/a";
	struct light_device *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	*d = (struct light_device){ .devid = 51712, .frontend_domid = domid, .frontend_state = 4,
				    .backend_state = 4, .event_channel = 9, .ring_ref = { 8, 7 },
				    .backend = backend, .params = params,
				    .mac = { 0, 0x16, 0x3e, 0, 0, 0xa } };
	snprintf(d->kind, sizeof(d->kind), "%s", kind);
	*list = d;
	return 1;
}

void light_devices_free(struct light_device *list, unsigned int count __attribute__((unused)))
{
	free(list);
}

static int device(const char *what, uint32_t domid, const char *which, struct tools_error *e)
{
	if (!strcmp(which, "stuck"))
		return tools_fail(e, -EBUSY, "busy", "it is stuck");
	return change("%s %u %s", what, domid, which);
}

int light_attach_disk(struct light *light __attribute__((unused)), uint32_t domid,
		      struct light_disk *disk, struct tools_error *e)
{
	return device("attach disk", domid, disk->vdev, e);
}

int light_attach_nic(struct light *light __attribute__((unused)), uint32_t domid,
		     struct light_nic *nic, struct tools_error *e)
{
	return device("attach nic", domid, nic->bridge ? nic->bridge : "-", e);
}

int light_detach_disk(struct light *light __attribute__((unused)), uint32_t domid,
		      const char *which, bool force, struct tools_error *e)
{
	return device(force ? "tear off disk" : "detach disk", domid, which, e);
}

int light_detach_nic(struct light *light __attribute__((unused)), uint32_t domid, const char *which,
		     bool force, struct tools_error *e)
{
	return device(force ? "tear off nic" : "detach nic", domid, which, e);
}

int light_reconnect_disk(struct light *light __attribute__((unused)), uint32_t domid,
			 const char *which, struct tools_error *e)
{
	return device("reconnect disk", domid, which, e);
}

int light_reconnect_nic(struct light *light __attribute__((unused)), uint32_t domid,
			const char *which, struct tools_error *e)
{
	return device("reconnect nic", domid, which, e);
}

int light_resize_disk(struct light *light __attribute__((unused)), uint32_t domid,
		      const char *which, uint64_t kib, struct tools_error *e)
{
	if (kib)
		return change("resize disk %u %s to %lu", domid, which, (unsigned long)kib);
	return device("resize disk", domid, which, e);
}

int light_rename(struct light *light __attribute__((unused)),
		 uint32_t domid __attribute__((unused)),
		 const char *old_name __attribute__((unused)),
		 const char *new_name __attribute__((unused)),
		 struct tools_error *e __attribute__((unused)))
{
	return -ENODEV;
}

int light_set_memory_target(struct light *light __attribute__((unused)),
			    uint32_t domid __attribute__((unused)),
			    uint64_t kib __attribute__((unused)),
			    bool enforce __attribute__((unused)),
			    struct tools_error *e __attribute__((unused)))
{
	return -ENODEV;
}

int light_lock_domain(struct light *light __attribute__((unused)),
		      uint32_t domid __attribute__((unused)),
		      unsigned int ms __attribute__((unused)))
{
	return fake_kl.light ? 0 : -ENODEV;
}

void light_unlock_domain(struct light *light __attribute__((unused)),
			 uint32_t domid __attribute__((unused)), int lock __attribute__((unused)))
{
}

int light_domain_config(struct light *light __attribute__((unused)),
			uint32_t domid __attribute__((unused)),
			struct light_config *config __attribute__((unused)),
			struct tools_error *e __attribute__((unused)))
{
	return fake_kl.light ? -ENOENT : -ENODEV;
}

int light_domain_config_save(struct light *light __attribute__((unused)),
			     uint32_t domid __attribute__((unused)),
			     const struct light_config *config __attribute__((unused)))
{
	return -ENODEV;
}

int light_gc(struct light *light __attribute__((unused)),
	     struct tools_error *e __attribute__((unused)))
{
	return fake_kl.light ? 0 : -ENODEV;
}

int move_gc(struct light *light __attribute__((unused)))
{
	return 0;
}

int light_destroy(struct light *light __attribute__((unused)),
		  uint32_t domid, struct light_destroy *report,
		  struct tools_error *e __attribute__((unused)))
{
	*report = fake_kl.destroyed;
	return change("destroy %u", domid);
}

/* Verbs whose files are not linked. */
#define NOT_LINKED(verb) \
	int cmd_##verb(struct kl *kl __attribute__((unused)), int argc __attribute__((unused)), \
		       char **argv __attribute__((unused))) \
	{ \
		return KL_FAILED; \
	}
NOT_LINKED(config_update)
NOT_LINKED(create)
NOT_LINKED(dump_core)
NOT_LINKED(migrate)
NOT_LINKED(migrate_cancel)
NOT_LINKED(migrate_receive)
NOT_LINKED(reboot)
NOT_LINKED(restore)
NOT_LINKED(resume)
NOT_LINKED(save)
NOT_LINKED(shutdown)
NOT_LINKED(suspend)
