/* SPDX-License-Identifier: MIT */
/*
 * A web server that is a whole guest: pages from a tar archive on its disk (site.c), HTTP (http.c) over
 * lwIP on netfront (card.c). No operating system, one thread; everything runs from main.c's loop.
 */
#ifndef GUEST_HTTP_H
#define GUEST_HTTP_H

#include <pv/port.h>

/* --- site.c: the disk --- */

struct site_file {
	char name[100];
	uint64_t offset, bytes;		/* on the disk */
};

/* A read under way; zeroed before the first use. */
struct site_read;

/* Reads the archive's index, then calls @ready with the number of files (or a negative error). */
int site_open(struct pv_domain *domain, const char *path, void (*ready)(int files));

/* The file of this name ("index.html"); NULL: none. */
const struct site_file *site_find(const char *name, size_t length);

/* After a move: reads under way are done in the new place. */
void site_resume(void);

#define SITE_CHUNK	65536U

/*
 * Reads up to SITE_CHUNK bytes of @file from @at; done(arg, data, bytes) is called later, bytes negative if the
 * disk failed; @data is good until the next read with this handle. NULL: no memory.
 */
struct site_read *site_read_new(struct pv_domain *domain,
				void (*done)(void *arg, const void *data, long bytes), void *arg);
int site_read(struct site_read *read, const struct site_file *file, uint64_t at);
/* If a read is under way, its end is waited for first; done() is not called any more. */
void site_read_free(struct site_read *read);

/* --- http.c: the server --- */

int http_start(struct pv_domain *domain, unsigned int port);
uint64_t http_served(void);

/* --- card.c: lwIP's network interface --- */

/* Brings up the card with @queues at most; @address as "10.0.0.2" (netmask /24), or NULL for DHCP. */
int card_open(struct pv_domain *domain, const char *path, const char *address, unsigned int queues,
	      bool no_split);
/* Prints the address each time that there is a new one. */

/* After a move: connections go on, as the peers send again what was lost. */
void card_resume(void);

#endif
