/* SPDX-License-Identifier: MIT */
/*
 * Core dumps of PV domains, in the format of `xl dump-core` (Xen's docs/misc/dump-core-format.txt):
 * for kl and for the monitor's on_crash actions. The domain may run meanwhile; what it changes may
 * be torn.
 */
#ifndef TOOLS_DUMP_H
#define TOOLS_DUMP_H

#include <tools/ctl.h>
#include <tools/foreignmemory.h>
#include <tools/util.h>

struct dump_p2m_entry {
	uint64_t pfn;
	uint64_t gmfn;
};

/*
 * Called now and then with how far it is; a result other than 0 ends the dump with it (-ECANCELED,
 * -EINTR).
 */
typedef int dump_progress(void *cookie, uint64_t pages_done, uint64_t pages_all);

/*
 * Writes the dump of @domid into @fd, which is a fresh file. @progress may be NULL. -ESRCH: no such
 * domain; -EOPNOTSUPP: not PV; -EINVAL: the domain's tables make no sense (@error tells);
 * -ENOSPC...
 */
int dump_core(struct ctl *ctl, struct foreignmemory *fm, domid_t domid, int fd,
	      dump_progress *progress, void *cookie, struct tools_error *error);

/*
 * The frames of a PV domain as its shared info (a copy) leads to them: at most @max, ascending by
 * pfn, machine frames up to @max_mfn. The count. Everything read is the guest's: bounded and
 * checked.
 */
long dump_read_p2m(struct foreignmemory *fm, domid_t domid, const struct shared_info *shared,
		   unsigned long max, unsigned long max_mfn, struct dump_p2m_entry *entries,
		   struct tools_error *error);

#endif
