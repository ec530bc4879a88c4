/* SPDX-License-Identifier: MIT */
/* What the guest log-dirty tells the program in dom0 that looks at its dirty pages. */
#ifndef LOG_DIRTY_REPORT_H
#define LOG_DIRTY_REPORT_H

#include <stdint.h>

#define REPORT_DIRTY	400
#define REPORT_CLEAN	80

struct dirty_report {
	char step[64];
	uint32_t nr;			/* pages that must be dirty */
	uint32_t nr_clean;		/* pages that must not be */
	uint64_t pfn[REPORT_DIRTY], clean[REPORT_CLEAN];
	uint32_t slack;			/* how many others may be */
};

_Static_assert(sizeof(struct dirty_report) <= 4096, "a page");

#endif
