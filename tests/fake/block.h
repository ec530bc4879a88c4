/* SPDX-License-Identifier: MIT */
/*
 * A block frontend and a block backend with a disk between them, and traffic that knows what every sector
 * must hold: what the tests of blkfront and blkback share.
 *
 * Traffic keeps operations of one wave apart (their ranges do not overlap), so contents are certain
 * whatever the order: a read is compared with the model when it completes.
 */
#ifndef FAKE_BLOCK_H
#define FAKE_BLOCK_H

#include <pv/blkfront.h>
#include "medium.h"

#define BLOCK_DISK_BYTES	(1U << 20)
#define BLOCK_MAX_IO		32
#define BLOCK_IO_PAGES		9	/* room for an operation's data */

struct block_setup {
	uint64_t seed;
	uint64_t bytes;			/* 0: BLOCK_DISK_BYTES */
	uint64_t before;		/* bytes of the disk in front of them */
	uint32_t sector;		/* 0: 512 */
	const char *mode;		/* NULL: "w" */
	bool offer_persistent;		/* backend's */
	struct blkfront_options front;
};

struct block_io {
	struct blkfront_io io;
	struct block *block;
	void *pages;
	uint8_t fill;
	bool busy;
};

struct block {
	struct world *world;
	struct pv_domain *dom0, *guest;
	struct medium_host *host;
	unsigned char *disk;		/* what the medium has */
	unsigned char *model;		/* what it should have */
	uint64_t bytes, before;		/* used ones, and those in front of them */
	struct blkback *back;
	struct blkfront *front;
	bool usable;
	unsigned int readies;
	struct block_io ios[BLOCK_MAX_IO];
	unsigned int busy, left;
	unsigned long done, wrong, errors;
	bool errors_expected;
};

/* A world with a device, nothing open yet. */
void block_new(struct block *b, const struct block_setup *setup);

/* Opens either end; nonzero: it refused. */
int block_open_back(struct block *b);
int block_open_front(struct block *b, const struct block_setup *setup);

/* Steps until the frontend can be used. */
bool block_connect(struct block *b);

/* Runs @count operations, several at a time. False: it got stuck, or the device ended. */
bool block_traffic(struct block *b, unsigned int count, unsigned long steps);

/* Starts up to BLOCK_MAX_IO operations out of @count without waiting. */
void block_start(struct block *b, unsigned int count);

/* Ends both ends in order (removal by the toolstack), then the world: what was left over or wrong. */
unsigned int block_end(struct block *b);

/* The toolstack's part of a move to another host: fresh nodes, no records. After block_kill_back(). */
void block_move(struct block *b);

/* The backend's process dies; block_open_back() starts it again. */
void block_kill_back(struct block *b);

#endif
