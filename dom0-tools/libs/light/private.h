/* SPDX-License-Identifier: MIT */
/*
 * What the files of this library share and nobody else needs.
 */
#ifndef LIGHT_PRIVATE_H
#define LIGHT_PRIVATE_H

#include <tools/light_config.h>

/* Passes a remark on, "%s" only: one line. @how may be NULL. */
void light_remark(const struct light_parse *how, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Six bytes in hex, with colons or dashes: -EINVAL. */
int light_mac_parse(const char *text, uint8_t mac[6]);
/* A number of a disk's or card's ("vif") specification: -EINVAL. */
int light_spec_number(struct tools_error *error, const char *device, const char *key,
		      const char *value, int low, int high, int *out);
/* Edit distance of two words, for "did you mean"; case matters. */
unsigned int light_word_distance(const char *a, const char *b);

/* --- What xl.cfg's keys are (keys.c) --- */
enum key_kind {
	KEY_STRING = 1,
	KEY_NUMBER = 2,
	KEY_LIST = 4,
	KEY_BOOL = KEY_NUMBER,
	KEY_ANY = 7,
};
enum key_status {
	KEY_OK, /* understood and acted upon */
	KEY_HVM, /* of fully virtualised guests: no effect on PV, as in 4.17 */
	KEY_REFUSED, /* asks for something that is not built: an error */
	KEY_NOTED, /* accepted, has no effect; one remark */
	KEY_ARM, /* of another architecture */
	KEY_STRANGE, /* never was a key, but is found in the wild: a remark with what to write */
};
struct light_key {
	const char *name;
	unsigned char kind; /* KEY_* or-ed */
	unsigned char status;
	const char *note; /* why, or what instead */
};
/* NULL: unknown. */
const struct light_key *light_key_find(const char *name);
/* The known key nearest to @name, or NULL if none is near. */
const char *light_key_nearest(const char *name);

#endif
