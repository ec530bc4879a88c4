/* SPDX-License-Identifier: MIT */
/*
 * Other programs that work on an image: qemu-nbd, which serves it on a socket, and qemu-img, which makes it larger.
 *
 * Each holds a lock from its beginning to its last breath, its I/O included, by a descriptor that it inherits and
 * knows nothing of. So one at a time works on an image, whoever started it, and a daemon that follows a
 * killed one waits for what that left behind. Each is told to end when the daemon does.
 */
#ifndef BLKBACK_IMAGE_PROCESS_H
#define BLKBACK_IMAGE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The lock in the file @path, taken, for one of the two below. -EAGAIN: somebody has it. */
int image_lock(const char *path);

struct image_file {
	const char *path, *format;
	bool read_only;
	bool cached;		/* through the page cache, where the file system knows no direct I/O */
};

/*
 * Starts a server that ends when its only client does. @name: for the socket, which has none afterwards; @lock is
 * left open here. Its process (to be waited for) and *fd, the nonblocking connection to it; or -errno.
 */
pid_t image_serve(const struct image_file *file, const char *name, int lock, int *fd);

/* Starts a program that makes the image @bytes large. */
pid_t image_grow(const struct image_file *file, uint64_t bytes, int lock);

#endif
