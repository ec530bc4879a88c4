/* SPDX-License-Identifier: MIT */
/*
 * Memory of a guest that stands still, sent by child processes, one after the other: each maps some
 * of it, writes it and ends.
 *
 * Taking a mapping away is most of what it costs: in a process that lives on, Linux clears entry
 * after entry of a page table that the hypervisor guards, and each store is emulated. The tables of
 * a process that ends are given up as a whole first, then they are plain memory. So the process
 * ends.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "private.h"

#define FIRST_PFNS BATCH_PAGES /* what we send ourselves */

/* What a child leaves behind, in memory that is shared with it. */
struct report {
	bool complete;
	int rc;
	struct tools_error error;
	uint64_t pages, bytes;
};

static void child(struct saver *s, uint64_t first, uint64_t end, struct report *report,
		  pid_t parent)
{
	uint64_t pages = s->save->pages, offset = stream_writer_offset(s->writer);
	struct move_save save = *s->save;
	struct saver mine = *s;

	/* Not without its parent, whose locks it has: who comes after would wait for them. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	mine.save = &save;
	mine.ends = true;
	mine.error = &report->error;
	save.progress = NULL;
	save.ctl = NULL;
	/* Buffers of hypercalls are not inherited. */
	report->rc = ctl_open(&save.ctl);
	if (report->rc)
		tools_fail(mine.error, report->rc, "hypervisor", "no hypercalls in a child: %s",
			   strerror(-report->rc));
	else
		report->rc = saver_send_range(&mine, first, end);
	report->pages = save.pages - pages;
	report->bytes = stream_writer_offset(s->writer) - offset;
	report->complete = true;
	_exit(0);
}

static int wait_for(pid_t pid, struct saver *s, struct report *report)
{
	/* Where nobody may wait for children (SIGCHLD), ECHILD comes when they have ended. */
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (!report->complete)
		return tools_fail(s->error, -EIO, "child",
				  "the process that sends memory was killed");
	if (report->rc && s->error)
		*s->error = report->error;
	return report->rc;
}

static int send_chunk(struct saver *s, uint64_t first, uint64_t end, struct report *report)
{
	const pid_t parent = getpid();
	uint64_t word;
	pid_t pid;
	int rc;

	for (word = first / 64; word < (end + 63) / 64 && !s->to_send[word];)
		word++;
	if (word == (end + 63) / 64)
		return 0;
	memset(report, 0, sizeof(*report));
	pid = fork();
	if (pid < 0)
		return saver_send_range(s, first, end);
	if (!pid)
		child(s, first, end, report, parent);
	rc = wait_for(pid, s, report);
	s->save->pages += report->pages;
	s->progress.pages_done += report->pages;
	stream_writer_skip(s->writer, report->bytes);
	return rc ? rc : saver_progress(s, s->progress.phase);
}

int saver_send_apart(struct saver *s)
{
	struct report *report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const uint64_t count = s->frames.count, each = s->save->apart_pfns;
	uint64_t first = 0, end;
	int rc = 0;

	if (report == MAP_FAILED)
		return saver_send_range(s, 0, count);
	/* The first ourselves: the writer knows of pages then. */
	for (; first < count && !s->save->pages && !rc; first = end) {
		end = count - first < FIRST_PFNS ? count : first + FIRST_PFNS;
		rc = saver_send_range(s, first, end);
	}
	for (; first < count && !rc; first = end) {
		end = count - first < each ? count : first + each;
		rc = send_chunk(s, first, end, report);
	}
	munmap(report, sizeof(*report));
	memset(s->to_send, 0, (count / 64 + 1) * sizeof(*s->to_send));
	return rc;
}
