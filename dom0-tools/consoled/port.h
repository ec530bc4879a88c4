/* SPDX-License-Identifier: MIT */
/*
 * What the console daemon wants from its operating system: files, terminals, sockets and one wait
 * for all of them. The hypervisor is reached through <tools/...>. linux.c implements it.
 */
#ifndef CONSOLED_PORT_H
#define CONSOLED_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- Log files: positions count from the file's start --- */

/* Opens or makes @path; its length and what tells it from other files. A descriptor, or -errno. */
int port_file_open(const char *path, uint64_t *size, uint64_t *identity);
int port_file_write(int fd, const void *bytes, size_t length, uint64_t at);	/* all, or -errno */
long port_file_read(int fd, void *bytes, size_t length, uint64_t at);	/* the count */
int port_file_cut(int fd, uint64_t size);
int port_file_rename(const char *from, const char *to);
bool port_file_exists(const char *path);
void port_close(int fd);

/* --- Shared memory that outlives the process --- */

/*
 * Maps @bytes of @path, made and zeroed if new, for this process alone: waits up to @wait_ms for
 * one that holds it (-EBUSY). 0, *@memory set.
 */
int port_memory(const char *path, size_t bytes, unsigned int wait_ms, void **memory);

/* --- Terminals and sockets: descriptors that never block --- */

/* A raw terminal: its master, its @slave (kept open so that settings stay) and its name. -errno. */
int port_tty(int *slave, char *name, size_t room);
/* Drops what nobody has read from the terminal. */
void port_tty_forget(int slave);
/* Whoever opens @name from now on is told by port_watch_next(). A watch, or -errno. */
int port_watch_open(const char *name);
void port_unwatch(int watch);
/* The descriptor to wait for; then each event: +1 opened, -1 closed; 0: none left. */
int port_watch_fd(void);
int port_watch_next(int *watch);

int port_listen(const char *path);
int port_accept(int listener);
void port_unlink(const char *path);
/* Bytes moved; -EAGAIN; 0 from port_read(): the other end is gone; else -errno. */
long port_read(int fd, void *bytes, size_t length);
long port_write(int fd, const void *bytes, size_t length);

/* --- The wait --- */

#define PORT_IN		1u
#define PORT_OUT	2u
#define PORT_GONE	4u	/* always reported */

struct source {
	void (*ready)(struct source *source, unsigned int what);
	int fd;
	unsigned int want;
};

int port_init(void);
/* Waits for @source->want from now on; the structure must stay where it is. */
int port_add(struct source *source, unsigned int want);
void port_want(struct source *source, unsigned int want);
void port_drop(struct source *source);
/* Waits up to @ms (-1: for ever) and calls what is ready. -EINTR is not an error: 0. */
int port_run(int ms);

#define PORT_HANGUP	1
#define PORT_STOP	2
/* A signal that has come since: PORT_HANGUP (reopen the logs), PORT_STOP, or 0. */
int port_signal(void);

uint64_t port_now_ms(void);
/* A line for the administrator: system log, or standard error if in the foreground. */
void port_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
