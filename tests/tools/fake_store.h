/* SPDX-License-Identifier: MIT */
/*
 * A xenstore in this process, behind tools/store.h: link dom0-tools/libs/store/{core,fake}.c
 * instead of linux.c. All handles see one tree, as dom0. Time does not pass: a wait with nothing to
 * come asks the idle hook, which may act as backends and guests would, and ends in -ETIMEDOUT if
 * that did nothing.
 *
 * A transaction works on a copy of the tree and ends in EAGAIN if anything has changed meanwhile.
 */
#ifndef TESTS_TOOLS_FAKE_STORE_H
#define TESTS_TOOLS_FAKE_STORE_H

#include <stdio.h>
#include <tools/store.h>

/* An empty tree, no hooks, no counts. Handles still open stay usable. */
void fake_store_reset(void);

/* ---- looking ---- */
/* The node's value, NUL-terminated, valid until the next change; NULL: no such node. */
const char *fake_store_get(const char *path);
/* Permissions as "n0 r5"; NULL: no such node. */
const char *fake_store_perms(const char *path);
unsigned int fake_store_nodes(void);		/* below "/", the root not counted */
unsigned int fake_store_handles(void);		/* open */
unsigned int fake_store_watches(void);		/* of all handles */
unsigned int fake_store_transactions(void);	/* open */
unsigned int fake_store_requests(void);		/* since reset */
bool fake_store_introduced(domid_t domid);
void fake_store_dump(FILE *out);

/* ---- acting as somebody else: fires watches ---- */
void fake_store_set(const char *path, const char *value);
void fake_store_remove(const char *path);
void fake_store_fire(const char *path);		/* say "@releaseDomain" */

/* ---- hooks and faults ---- */
/* Called when a handle waits and nothing is there; returns whether it did anything. */
void fake_store_on_idle(bool (*hook)(void *arg), void *arg);
/* Called after each node written (or removed: @value NULL) through a handle, once committed. */
void fake_store_on_write(void (*hook)(void *arg, const char *path, const char *value), void *arg);
/* The @nth request from now (1: the next) is answered with @error; 0: none. */
void fake_store_fail(unsigned int nth, int error);
/* From the @nth request on nobody answers any (-EPIPE); 0: it is back, with all that it had. */
void fake_store_die(unsigned int nth);
/* The next @times commits end in EAGAIN. */
void fake_store_conflict(unsigned int times);

#endif
