/* SPDX-License-Identifier: MIT */
/*
 * Images in formats that are not ours to parse (qcow2 with its backing chain, vmdk, ...): each is served
 * as a block device by a qemu-nbd of its own, which outlives this daemon.
 */
#ifndef BLKBACK_IMAGE_H
#define BLKBACK_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image_server;

/*
 * @directory: where the association of devices and servers is kept over restarts; one process uses it at a
 * time. -errno.
 */
int image_server_open(struct image_server **server, const char *directory);
/* Where sysfs is mounted (/sys); tests have one of their own. */
void image_server_set_sysfs(struct image_server *server, const char *sysfs);
void image_server_close(struct image_server *server);

/*
 * The block device of the image that virtual disk @fence has, in @device. -EAGAIN: being started, ask
 * again; -EIO: qemu-nbd refused (its words are on standard error); -ENODEV: no free device, or the kernel
 * has no nbd.
 */
int image_open(struct image_server *server, uint32_t fence, const char *path, const char *format,
	       bool read_only, char *device, size_t room);

/* The disk is no more: its server ends. */
void image_close(struct image_server *server, uint32_t fence);

#endif
