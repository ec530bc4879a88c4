/* SPDX-License-Identifier: MIT */
/*
 * The world of consoled_world.h: fakes of <tools/...> over memory shared with children.
 */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <tools/ctl.h>
#include <tools/evtchn.h>
#include <tools/foreignmemory.h>
#include <tools/gnttab.h>
#include <tools/store.h>
#include "consoled_world.h"
#include <tools/kill_point.h>

#define PORT_BASE 20
#define VIRQ_PORT 5
#define WATCHES 64
#define EVENTS 128

struct world *world;
char world_folder[64];

/* What belongs to a process: it is gone with it. */
static int event_fd = -1, watch_fd = -1;
static struct { char path[64], token[16]; } watches[WATCHES];
static struct { char path[64], token[16]; } queue[EVENTS];
static unsigned int queued;
static bool broken;

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

void world_reset(void)
{
	if (!world)
		world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(world, 0, sizeof(*world));
	memset(watches, 0, sizeof(watches));
	queued = 0;
	broken = false;
	world->points = -1;
	if (world_folder[0])
		nftw(world_folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	snprintf(world_folder, sizeof(world_folder), "/tmp/consoled-test-XXXXXX");
	if (!mkdtemp(world_folder))
		abort();
}

void kill_point(void)
{
	if (world && world->points > 0 && --world->points == 0)
		_exit(99);
}

static void kick(int fd)
{
	uint64_t one = 1;

	if (fd >= 0 && write(fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
		abort();
}

static void calm(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		abort();
}

/* --- The store --- */

static void fire(const char *path)
{
	for (unsigned int i = 0; i < WATCHES; i++) {
		size_t length = strlen(watches[i].path);

		if (length == 0 || strncmp(path, watches[i].path, length) != 0 || queued == EVENTS)
			continue;
		strcpy(queue[queued].path, path);
		strcpy(queue[queued++].token, watches[i].token);
		kick(watch_fd);
	}
}

void world_write(const char *path, const char *value)
{
	unsigned int i;

	for (i = 0; i < WORLD_NODES && world->nodes[i].path[0]; i++)
		if (strcmp(world->nodes[i].path, path) == 0)
			break;
	if (i == WORLD_NODES)
		abort();
	snprintf(world->nodes[i].path, sizeof(world->nodes[i].path), "%s", path);
	snprintf(world->nodes[i].value, sizeof(world->nodes[i].value), "%s", value);
	fire(path);
}

void world_store_breaks(void)
{
	broken = true;
	queued = 0;
	memset(watches, 0, sizeof(watches));
	kick(watch_fd);
}

int store_open(struct store **out)
{
	if (world->store_away)
		return -ECONNREFUSED;
	broken = false;
	watch_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	*out = (struct store *)world;
	return 0;
}

void store_close(struct store *store)
{
	(void)store;
	close(watch_fd);
	watch_fd = -1;
	queued = 0;
	memset(watches, 0, sizeof(watches));
}

void store_set_deadline(struct store *store, unsigned int ms)
{
	(void)store, (void)ms;
}

int store_fd(struct store *store)
{
	(void)store;
	return watch_fd;
}

int store_read(struct store *store, store_tx tx, const char *path, char **value, size_t *length)
{
	(void)store, (void)tx;
	for (unsigned int i = 0; i < WORLD_NODES && !broken; i++) {
		if (strcmp(world->nodes[i].path, path) != 0)
			continue;
		*value = strdup(world->nodes[i].value);
		if (length)
			*length = strlen(*value);
		return 0;
	}
	return broken ? -EPIPE : -ENOENT;
}

int store_write(struct store *store, store_tx tx, const char *path, const void *value,
		size_t length)
{
	char text[64];

	(void)store, (void)tx;
	if (broken || length >= sizeof(text))
		return -EPIPE;
	memcpy(text, value, length);
	text[length] = 0;
	world_write(path, text);
	return 0;
}

int store_watch(struct store *store, const char *path, const char *token)
{
	(void)store;
	for (unsigned int i = 0; i < WATCHES; i++) {
		if (watches[i].path[0])
			continue;
		strcpy(watches[i].path, path);
		strcpy(watches[i].token, token);
		strcpy(queue[queued].path, path);
		strcpy(queue[queued++].token, token);
		kick(watch_fd);
		return 0;
	}
	return -E2BIG;
}

int store_unwatch(struct store *store, const char *path, const char *token)
{
	(void)store;
	for (unsigned int i = 0; i < WATCHES; i++)
		if (strcmp(watches[i].path, path) == 0 && strcmp(watches[i].token, token) == 0)
			watches[i].path[0] = 0;
	return 0;
}

int store_event(struct store *store, char **buffer, char **path, char **token)
{
	(void)store;
	calm(watch_fd);
	if (broken)
		return -EPIPE;
	if (queued == 0)
		return -EAGAIN;
	*buffer = malloc(sizeof(queue[0]));
	memcpy(*buffer, &queue[0], sizeof(queue[0]));
	memmove(&queue[0], &queue[1], --queued * sizeof(queue[0]));
	*path = *buffer;
	*token = *buffer + sizeof(queue[0].path);
	return 0;
}

/* --- Event channels --- */

int evtchn_open(struct evtchn **out)
{
	event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	*out = (struct evtchn *)world;
	for (unsigned int i = 0; i < WORLD_DOMAINS; i++)
		world->domains[i].bound = false;	/* the dead process's ports */
	return 0;
}

void evtchn_close(struct evtchn *evtchn)
{
	(void)evtchn;
	close(event_fd);
	event_fd = -1;
}

int evtchn_fd(const struct evtchn *evtchn)
{
	(void)evtchn;
	return event_fd;
}

int evtchn_bind_interdomain(struct evtchn *evtchn, domid_t remote, evtchn_port_t remote_port)
{
	struct world_domain *d = &world->domains[remote - 1];

	(void)evtchn;
	if (remote < 1 || remote > WORLD_DOMAINS || !d->exists || remote_port != 2)
		return -EINVAL;
	if (d->bound || (world->bind_failures > 0 && world->bind_failures--))
		return -EINVAL;
	d->bound = true;
	d->masked = false;
	world_event(remote - 1);
	return PORT_BASE + remote - 1;
}

int evtchn_bind_virq(struct evtchn *evtchn, unsigned int virq)
{
	(void)evtchn, (void)virq;
	return VIRQ_PORT;
}

int evtchn_unbind(struct evtchn *evtchn, evtchn_port_t port)
{
	(void)evtchn;
	world->domains[port - PORT_BASE].bound = false;
	return 0;
}

int evtchn_notify(struct evtchn *evtchn, evtchn_port_t port)
{
	(void)evtchn;
	world->domains[port - PORT_BASE].events++;
	return 0;
}

int evtchn_pending(struct evtchn *evtchn)
{
	(void)evtchn;
	if (world->hypervisor_pending) {
		world->hypervisor_pending = false;
		return VIRQ_PORT;
	}
	for (unsigned int i = 0; i < WORLD_DOMAINS; i++) {
		struct world_domain *d = &world->domains[i];

		if (d->bound && d->pending && !d->masked) {
			d->pending = false;
			d->masked = true;
			return PORT_BASE + (int)i;
		}
	}
	calm(event_fd);
	return -EAGAIN;
}

int evtchn_unmask(struct evtchn *evtchn, evtchn_port_t port)
{
	(void)evtchn;
	if (port >= PORT_BASE) {
		world->domains[port - PORT_BASE].masked = false;
		if (world->domains[port - PORT_BASE].pending)
			kick(event_fd);
	}
	return 0;
}

void world_event(unsigned int i)
{
	world->domains[i].pending = true;
	if (!world->domains[i].masked)
		kick(event_fd);
}

/* --- Memory --- */

int gnttab_open(struct gnttab **out)
{
	*out = (struct gnttab *)world;
	world->maps = 0;
	return 0;
}

void gnttab_close(struct gnttab *gnttab)
{
	(void)gnttab;
}

static int map_ring(domid_t domid, void **address)
{
	if (domid < 1 || domid > WORLD_DOMAINS || !world->domains[domid - 1].exists)
		return -EINVAL;
	world->maps++;
	*address = &world->domains[domid - 1].ring;
	return 0;
}

int gnttab_map(struct gnttab *gnttab, unsigned int count, const domid_t *domids,
	       const grant_ref_t *refs, bool writable, void **address)
{
	(void)gnttab, (void)writable, (void)count, (void)refs;
	return world->domains[domids[0] - 1].granted ? map_ring(domids[0], address) : -EINVAL;
}

int gnttab_unmap(struct gnttab *gnttab, void *address, unsigned int count)
{
	(void)gnttab, (void)address, (void)count;
	world->maps--;
	return 0;
}

int foreignmemory_open(struct foreignmemory **out)
{
	*out = (struct foreignmemory *)world;
	return 0;
}

void foreignmemory_close(struct foreignmemory *fm)
{
	(void)fm;
}

int foreignmemory_map(struct foreignmemory *fm, domid_t domid, int prot, size_t count,
		      const xen_pfn_t *frames, int *errors, void **address)
{
	(void)fm, (void)prot, (void)count, (void)errors;
	return frames[0] == 1000u + domid ? map_ring(domid, address) : -EINVAL;
}

int foreignmemory_unmap(struct foreignmemory *fm, void *address, size_t count)
{
	(void)fm, (void)address, (void)count;
	world->maps--;
	return 0;
}

/* --- Control --- */

int ctl_open(struct ctl **out)
{
	*out = (struct ctl *)world;
	return 0;
}

void ctl_close(struct ctl *ctl)
{
	(void)ctl;
}

int ctl_getdomaininfolist(struct ctl *ctl, domid_t first, unsigned int max,
			  struct xen_domctl_getdomaininfo *list)
{
	unsigned int n = 0;

	(void)ctl;
	for (unsigned int i = 0; i < WORLD_DOMAINS && n < max; i++) {
		struct world_domain *d = &world->domains[i];

		if (!d->exists || i + 1 < first)
			continue;
		memset(&list[n], 0, sizeof(list[n]));
		list[n].domain = (domid_t)(i + 1);
		list[n].flags = d->dying ? XEN_DOMINF_dying : 0;
		memset(list[n].handle, (int)i + 1, sizeof(list[n].handle));
		list[n].handle[0] = d->life;
		n++;
	}
	return (int)n;
}

int ctl_getdomaininfo(struct ctl *ctl, domid_t domid, struct xen_domctl_getdomaininfo *info)
{
	return ctl_getdomaininfolist(ctl, domid, 1, info) == 1 && info->domain == domid ? 0 :
											  -ESRCH;
}

int ctl_readconsole(struct ctl *ctl, char *buffer, uint32_t bytes, bool clear, bool incremental,
		    uint32_t *index)
{
	(void)ctl, (void)clear, (void)incremental;
	if (bytes > world->hypervisor_length - *index)
		bytes = world->hypervisor_length - *index;
	memcpy(buffer, world->hypervisor + *index, bytes);
	*index += bytes;
	return (int)bytes;
}

/* --- Guests --- */

struct world_domain *world_domain(unsigned int i, const char *name)
{
	struct world_domain *d = &world->domains[i];
	uint8_t life = d->life + 1;
	char path[64], value[16];

	memset(d, 0, sizeof(*d));
	d->life = life;
	d->exists = d->granted = true;
	d->domid = (domid_t)(i + 1);
	snprintf(path, sizeof(path), "/local/domain/%u/name", i + 1);
	world_write(path, name);
	snprintf(path, sizeof(path), "/local/domain/%u/console/ring-ref", i + 1);
	snprintf(value, sizeof(value), "%u", 1001 + i);
	world_write(path, value);
	snprintf(path, sizeof(path), "/local/domain/%u/console/port", i + 1);
	world_write(path, "2");
	snprintf(path, sizeof(path), "/local/domain/%u/console/type", i + 1);
	world_write(path, "xenconsoled");
	fire("@introduceDomain");
	return d;
}

void world_domain_dies(unsigned int i)
{
	world->domains[i].dying = true;
	fire("@releaseDomain");
}

unsigned int world_print(unsigned int i, const char *bytes, unsigned int length)
{
	struct xencons_interface *ring = &world->domains[i].ring;
	unsigned int n;

	for (n = 0; n < length && ring->out_prod - ring->out_cons < sizeof(ring->out); n++)
		ring->out[MASK_XENCONS_IDX(ring->out_prod++, ring->out)] = bytes[n];
	if (n > 0)
		world_event(i);
	return n;
}

unsigned int world_typed(unsigned int i, char *bytes, unsigned int room)
{
	struct xencons_interface *ring = &world->domains[i].ring;
	unsigned int n;

	for (n = 0; n < room && ring->in_cons != ring->in_prod; n++)
		bytes[n] = ring->in[MASK_XENCONS_IDX(ring->in_cons++, ring->in)];
	if (n > 0)
		world_event(i);
	return n;
}
