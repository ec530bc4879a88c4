/* SPDX-License-Identifier: MIT */
/*
 * What fuzz programs in the fake world have in common: keys and numbers that break things, and main().
 *
 * FUZZ_CASES cases (100,000) from FUZZ_SEED (1) on; a case is one disturbance. A world lives through some of them, then
 * it is ended and what it counted is looked at; one that failed is run again alone by its seed and as many cases.
 */
#ifndef FAKE_FUZZ_WORLD_H
#define FAKE_FUZZ_WORLD_H

#include <stdio.h>
#include <dice.h>
#include <world.h>

static inline bool fuzz_no_event(void *arg, evtchn_port_t port)
{
	(void)arg, (void)port;
	return false;
}

/* @value NULL: the key is removed. */
static inline void fuzz_put(struct world *w, const char *dir, const char *key, const char *value)
{
	char path[PV_PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, key);
	world_store_write(w, path, value);
}

static inline void fuzz_put_number(struct world *w, const char *dir, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	fuzz_put(w, dir, key, text);
}

/* Near a limit, or anything. */
static inline uint64_t fuzz_number(struct world *w)
{
	static const uint64_t odd[] = {
		0, 1, 2, 3, 4, 7, 8, 9, 11, 12, 255, 256, 257, 511, 512, 513, 4096, 8192, 65535, 1U << 31,
		UINT32_MAX, 1ULL << 32, 1ULL << 52, 1ULL << 63, UINT64_MAX, UINT64_MAX - 7,
	};

	return world_random(w, 2) ? odd[world_random(w, PV_ARRAY_SIZE(odd))] :
				    world_random(w, 1U << world_random(w, 31));
}

/* @run_world: false if something is wrong, of which it has told. What main() returns. */
static inline int fuzz_main(unsigned long cases_per_world, bool (*run_world)(uint64_t seed, unsigned long cases))
{
	const char *first = getenv("FUZZ_SEED");
	unsigned long cases = dice_cases();
	unsigned long seed = first ? strtoul(first, NULL, 0) : 1, failed = 0, done = 0, now;

	for (; done < cases; seed++, done += now) {
		now = cases - done < cases_per_world ? cases - done : cases_per_world;
		if (!run_world(seed, now)) {
			printf("FUZZ_SEED=%lu FUZZ_CASES=%lu: failed\n", seed, now);
			failed++;
		}
	}
	printf("%lu passed, %lu failed\n", done - failed, failed);
	return failed != 0;
}

#endif
