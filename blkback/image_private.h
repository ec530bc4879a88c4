/* SPDX-License-Identifier: MIT */
/*
 * Inside an image: image.c (its life: processes, waiting, opening and closing) and image_calls.c (operations).
 */
#ifndef BLKBACK_IMAGE_PRIVATE_H
#define BLKBACK_IMAGE_PRIVATE_H

#include "image.h"
#include "image_process.h"
#include "nbd.h"
#include "write_log.h"

enum image_state {
	WAITING,	/* for the lock; the timer runs */
	GROWING,	/* qemu-img works; the timer runs */
	STARTING,	/* a server was started and has not told the image's size */
	REPLAYING,	/* what is in the log is written again */
	SERVING,
	REFUSED,	/* never served; image_open() tells */
};

/* What a call is for. */
enum purpose { FOR_DISK, FOR_REPLAY, FOR_LOG };

struct image {
	struct image *next;
	struct image_server *server;
	enum image_state state;
	bool open;		/* image_open() has given it out */
	bool closing;
	bool was_served;
	bool keep_log;		/* an earlier instance's, not written again yet */
	bool log_flush;		/* a flush of ours is under way */
	bool alone;		/* what is under way is a suspect */
	bool told;		/* of a lost write, with the next answers */
	pid_t pid;		/* of the server or qemu-img; 0: none */
	char *path, format[16], lock_path[300], log_name[32];
	char name[64];		/* the device, for the log */
	struct image_file file;
	uint64_t fence;
	struct nbd nbd;
	struct write_log log;
	uint64_t replay_place;
	struct write_log_entry *replaying, *suspect;	/* being written again; what crashed so often: */
	unsigned int suspect_crashes;
	unsigned int flushes;	/* asked for and not answered */
	struct nbd_calls todo;	/* not given to the server */
	struct nbd_calls held;	/* writes answered by the server that the log has no room for */
	struct nbd_call *free;
	struct medium_piece own_piece;
	uint64_t held_count, released_count;	/* numbers of the writes on held */
	struct pv_timer timer;
	uint64_t asked;
	uint64_t bytes, wanted_bytes;	/* wanted: != 0 until qemu-img has been run */
	unsigned int failures;		/* to start a server, since one answered */
	uint64_t since;			/* the first of them */
	uint32_t patience;		/* seconds from then on; 0: for ever */
	bool expired;			/* nobody waits any more */
	void (*changed)(void *arg);
	void *arg;
};

struct image_server {
	struct pv_domain *domain;
	struct medium_host *host;
	struct image *images;
	const char *directory;
};

/*
 * image_calls.c. A server is ready: what the log has is written again from replay_place on, then it serves; an answer of it
 * has come.
 */
void image_replay(struct image *image);
void image_answered(struct image *image, struct nbd_call *call, int result);

/* The connection has ended with @open under way: all that is not done waits for another server. */
void image_ask_again(struct image *image, struct nbd_calls *open);

/* The process that it was connected to has ended, by a crash or otherwise: who is to blame? */
void image_investigate(struct image *image, bool crashed);

/* What waits for a server fails. */
void image_fail_all(struct image *image);

/* All calls' memory. */
void image_calls_free(struct image *image);

#endif
