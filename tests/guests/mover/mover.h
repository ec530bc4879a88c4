/* SPDX-License-Identifier: MIT */
/* The parts of the guest that moves: its store client (store.c). */
#ifndef MOVER_H
#define MOVER_H

/* Takes the store's ring and port that start_info names now: at first, and in a new domain. */
void store_attach(void);
/* The value of a node, relative to the domain's own, ended by a 0; not 0: none, or too long. */
int store_read(const char *path, char *value, unsigned int room);
int store_write(const char *path, const char *value);
/* Lets other domains run for @ns. */
void time_sleep(unsigned long ns);

#endif
