/* SPDX-License-Identifier: MIT */
/*
 * A hypervisor, a store and some guests for the console daemon, in memory that outlives a process:
 * a test's daemon runs in a child that may die at any kill_point(), and the next one finds the same
 * rings, nodes and files.
 */
#ifndef TESTS_CONSOLED_WORLD_H
#define TESTS_CONSOLED_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include <xen/xen.h>
#include <xen/io/console.h>

#define WORLD_DOMAINS 4
#define WORLD_NODES 64

struct world_domain {
	bool exists, dying, granted;
	domid_t domid;
	uint8_t life;			/* of this number: part of the handle */
	unsigned int events;		/* that the daemon has sent to it */
	bool pending, masked, bound;	/* the daemon's end */
	struct xencons_interface ring;
	uint32_t written, read;		/* of the guest's endless text; of what was typed */
};

struct world {
	struct world_domain domains[WORLD_DOMAINS];
	struct {
		char path[64], value[64];
	} nodes[WORLD_NODES];
	int maps;			/* grant mappings that exist */
	int points;			/* kill_point() dies when this reaches 0; negative: never */
	char hypervisor[8192];		/* its console */
	uint32_t hypervisor_length;
	bool hypervisor_pending;
	bool store_away;
	int bind_failures;		/* of the next binds: a predecessor still holds the port */
};

extern struct world *world;

/* A fresh world and an empty work folder (named in world_folder). */
void world_reset(void);
extern char world_folder[64];

/* Domain @i (id @i + 1) named @name appears, its console nodes written. */
struct world_domain *world_domain(unsigned int i, const char *name);
void world_domain_dies(unsigned int i);
/* The guest writes: as much of @bytes as the ring has room for; the count. An event if any. */
unsigned int world_print(unsigned int i, const char *bytes, unsigned int length);
/* The guest reads what was typed. */
unsigned int world_typed(unsigned int i, char *bytes, unsigned int room);
void world_event(unsigned int i);
void world_write(const char *path, const char *value);
/* The connection to the store breaks; it can be opened again unless store_away. */
void world_store_breaks(void);

#endif
