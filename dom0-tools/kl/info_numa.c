/* SPDX-License-Identifier: MIT */
/*
 * kl info -n: which CPU is on which core, socket and node; which PCI device is at which node;
 * memory and distances of the nodes.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "info.h"

static int print_cpus(struct kl *kl, struct json_writer *w)
{
	struct xen_sysctl_cputopo *topo = calloc(KL_INFO_CPUS, sizeof(*topo));
	int i, count = topo ? ctl_cputopoinfo(kl->ctl, topo, KL_INFO_CPUS) : -ENOMEM;

	if (count < 0) {
		free(topo);
		return kl_check(kl, count, "cannot ask for the CPUs' topology");
	}
	if (kl->json)
		json_open_array(w, "cpu_topology");
	else
		printf("cpu_topology           :\ncpu:    core    socket     node\n");
	for (i = 0; i < count; i++) {
		if (topo[i].core == XEN_INVALID_CORE_ID)
			continue;
		if (!kl->json) {
			printf("%3d:    %4d     %4d     %4d\n", i, topo[i].core, topo[i].socket,
			       topo[i].node);
			continue;
		}
		json_open_object(w, NULL);
		json_int(w, "cpu", i);
		json_uint(w, "core", topo[i].core);
		json_uint(w, "socket", topo[i].socket);
		json_uint(w, "node", topo[i].node);
		json_close_object(w);
	}
	if (kl->json)
		json_close_array(w);
	free(topo);
	return KL_OK;
}

static int by_address(const void *a, const void *b)
{
	const struct physdev_pci_device *x = a, *y = b;

	if (x->seg != y->seg)
		return x->seg < y->seg ? -1 : 1;
	if (x->bus != y->bus)
		return x->bus < y->bus ? -1 : 1;
	return x->devfn - y->devfn;
}

/* The PCI devices that this Linux knows, by address: count, or -errno. */
static int list_devices(struct physdev_pci_device **out)
{
	DIR *dir = opendir("/sys/bus/pci/devices");
	struct physdev_pci_device *list = NULL, *more;
	struct dirent *entry;
	int count = 0;

	while (dir && (entry = readdir(dir))) {
		unsigned int seg, bus, slot, function;

		if (sscanf(entry->d_name, "%x:%x:%x.%x", &seg, &bus, &slot, &function) != 4)
			continue;
		more = realloc(list, (count + 1) * sizeof(*list));
		if (!more)
			break;
		list = more;
		list[count].seg = seg;
		list[count].bus = bus;
		list[count++].devfn = slot << 3 | function;
	}
	if (dir)
		closedir(dir);
	if (count)
		qsort(list, count, sizeof(*list), by_address);
	*out = list;
	return count;
}

/* The nodes of @count devices; the hypervisor may answer a part at a time. */
static int device_nodes(struct kl *kl, const struct physdev_pci_device *devices, uint32_t *nodes,
			int count)
{
	int done = 0, got = 0;

	while (done < count && got >= 0) {
		got = ctl_pcitopoinfo(kl->ctl, devices + done, nodes + done, count - done);
		if (got == 0)
			got = -EPROTO;
		done += got > 0 ? got : 0;
	}
	return got < 0 ? got : 0;
}

static void print_devices(struct kl *kl)
{
	struct physdev_pci_device *list;
	int i, err, valid = 0, count = list_devices(&list);
	uint32_t *nodes = calloc(count + 1, sizeof(*nodes));

	err = nodes ? device_nodes(kl, list, nodes, count) : -ENOMEM;
	if (!err)
		printf("device topology        :\ndevice           node\n");
	for (i = 0; !err && i < count; i++) {
		if (nodes[i] == XEN_INVALID_DEV || nodes[i] == XEN_INVALID_NODE_ID)
			continue;
		printf("%04x:%02x:%02x.%01x      %d\n", list[i].seg, list[i].bus,
		       list[i].devfn >> 3 & 0x1f, list[i].devfn & 7, nodes[i]);
		valid++;
	}
	if (!err && !valid)
		printf("No device topology data available\n");
	free(list);
	free(nodes);
	kl_check(kl, err, "cannot ask for the devices' topology");
}

static void print_node(struct kl *kl, struct json_writer *w, int node, int count,
		       const struct xen_sysctl_meminfo *mem, const uint32_t *distance)
{
	int i;

	if (!kl->json) {
		printf("%4d:    %6" PRIu64 "     %6" PRIu64 "      %d", node, mem->memsize >> 20,
		       mem->memfree >> 20, distance[0]);
		for (i = 1; i < count; i++)
			printf(",%d", distance[i]);
		printf("\n");
		return;
	}
	json_open_object(w, NULL);
	json_int(w, "node", node);
	json_uint(w, "memory_mib", mem->memsize >> 20);
	json_uint(w, "free_mib", mem->memfree >> 20);
	json_open_array(w, "distances");
	for (i = 0; i < count; i++)
		json_uint(w, NULL, distance[i]);
	json_close_array(w);
	json_close_object(w);
}

static int print_nodes(struct kl *kl, struct json_writer *w)
{
	static struct xen_sysctl_meminfo mem[KL_INFO_NODES];
	static uint32_t distance[KL_INFO_NODES * KL_INFO_NODES];
	int i, count = ctl_numainfo(kl->ctl, mem, distance, KL_INFO_NODES);

	if (count < 0)
		return kl_check(kl, count, "cannot ask for the nodes");
	if (kl->json)
		json_open_array(w, "numa_info");
	else
		printf("numa_info              :\nnode:    memsize    memfree    distances\n");
	for (i = 0; i < count; i++)
		if (mem[i].memsize != XEN_INVALID_MEM_SZ)
			print_node(kl, w, i, count, &mem[i], distance + i * count);
	if (kl->json)
		json_close_array(w);
	return KL_OK;
}

int kl_info_topology(struct kl *kl, struct json_writer *w)
{
	int status = print_cpus(kl, w);

	/* A hypervisor that does not tell where devices are is no failure; xl goes on as well. */
	if (!kl->json)
		print_devices(kl);
	if (print_nodes(kl, w))
		status = KL_FAILED;
	return status;
}
