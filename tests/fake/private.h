/* SPDX-License-Identifier: MIT */
/* What the files of the fake world share: world.c (life, delivery), world_grant.c, world_store.c. */
#ifndef FAKE_PRIVATE_H
#define FAKE_PRIVATE_H

#include <world.h>

#define MAX_GRANTS	8192
#define FIRST_GRANT	8
#define MAX_PORTS	512

/* A page of the world's memory: a file, so that others can map it at addresses of their own. */
struct page {
	struct pv_domain *owner;	/* NULL: free */
	char *address;			/* where the owner sees it */
	unsigned int next_free;
};

struct region {			/* what one pv_pages_alloc() gave */
	struct region *next;
	char *address;
	unsigned int first, count;
};

struct grant {
	bool used, writable;
	domid_t to;
	unsigned int page;
	unsigned int pins;	/* mappings */
};

struct map {
	struct map *next;
	char *address;
	unsigned int count;
	domid_t from;
	grant_ref_t refs[];
};

enum port_state { PORT_FREE, PORT_UNBOUND, PORT_BOUND };

struct port {
	enum port_state state;
	bool pending, busy;	/* busy: its handler runs */
	domid_t remote;
	evtchn_port_t remote_port;
	pv_event_fn fn;
	void *arg;
};

struct watch_event {
	struct watch_event *next;
	uint32_t id;
	char path[];
};

struct node {
	char *path;
	char *value;
	size_t length;
};

/* A whole store: a sorted array. A transaction has a copy, and the paths that it changed. */
struct tree {
	struct node *nodes;
	unsigned int count, room;
};

struct transaction {
	struct transaction *next;
	uint32_t id;
	uint64_t generation;
	struct tree tree;
	struct tree changed;	/* value "r": removed */
};

struct pv_domain {
	struct pv_domain *next;
	struct world *world;
	domid_t domid;
	struct region *regions;
	struct grant grants[MAX_GRANTS];
	unsigned int grant_top, grants_used;
	struct map *maps;
	struct port ports[MAX_PORTS];
	evtchn_port_t ports_end;	/* above all that were ever open */
	struct pv_watch *watches;
	struct watch_event *events, **events_end;
	struct pv_timer *timers;
	struct transaction *transactions;
	unsigned long calls, fail_at;
};

struct world {
	struct pv_domain *domains;
	uint64_t random;
	uint64_t now;
	int memory;		/* a memfd */
	struct page *pages;
	unsigned int nr_pages, page_room, free_single;
	struct tree tree;
	uint64_t generation;
	uint32_t next_id;
	unsigned int logs;
	bool show;
	char last_log[512];
};

/* Counts a call that may fail; true: this one shall. */
bool world_fails(struct pv_domain *domain);

struct pv_domain *world_find(struct world *world, domid_t domid);

/* world_grant.c */
void grant_drop_maps(struct pv_domain *domain);
void grant_drop_pages(struct pv_domain *domain, bool all);

/* world_store.c */
void store_drop(struct pv_domain *domain);
void store_free(struct world *world);
/* Delivers the oldest watch event of the domain. */
void store_deliver(struct pv_domain *domain);

#endif
