/* SPDX-License-Identifier: MIT */
/*
 * Images in formats that are not ours to parse (qcow2 with its backing chain, vmdk, ...): each is served by a qemu-nbd
 * of its own, whose client we are. A server that dies is replaced, and what it had not answered, or may have forgotten,
 * is given to the next one: whoever reads and writes notices a pause.
 */
#ifndef BLKBACK_IMAGE_H
#define BLKBACK_IMAGE_H

#include "file_io.h"

struct image_server;
struct image;

/* @directory: for the servers' locks and sockets; one process uses it at a time. -errno. */
int image_server_open(struct image_server **server, struct pv_domain *domain, struct medium_host *host,
		      const char *directory);
/* Forgets all images; their servers end as they do when the process does. */
void image_server_close(struct image_server *server);

/*
 * The image of virtual disk spec->fence. -EAGAIN: a server is being started, or an earlier one not gone: ask again,
 * often, or it is dropped; -EIO: qemu-nbd refused (its words are on standard error).
 */
int image_open(struct image_server *server, const struct medium_spec *spec, struct image **image,
	       struct medium_info *info);

/* The disk is no more: its server writes back and ends. Nothing may be under way. */
void image_close(struct image *image);

/* Has the server of the image closed with this fence not ended yet? */
bool image_lingers(const struct image_server *server, uint64_t fence);

/* As medium_forget(), medium_patience() and medium_expire(). */
void image_forget(struct image_server *server, uint64_t fence);
void image_patience(struct image *image, uint32_t seconds);
void image_expire(struct image *image);

/* As an engine's: completed by file_op_done(), never from inside. */
void image_submit(struct image *image, struct file_op *op);
void image_kick(struct image *image);

/* Makes the image larger; spec->changed is called some time after, if that is possible. */
void image_resize(struct image *image, uint64_t bytes);

uint64_t image_bytes(const struct image *image);

#endif
