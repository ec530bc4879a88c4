/* SPDX-License-Identifier: MIT */
/*
 * PV domains that leave their memory: saved into a file, restored from one, migrated to another
 * host. What travels is the stream of tools/stream.h; here is where it comes from and goes to, and
 * the talk of sender and receiver around it, which is xl's of 4.17.
 *
 *	move_save()	a domain's memory and vcpus, live or not, into a stream
 *	move_restore()	a stream into a domain that light_create() just made
 *	move_suspend(), move_resume()	the guest lets go of its devices, or takes them back
 *	move_send(), move_receive()	a migration's two ends
 *
 * Nothing is ever lost: a domain that was suspended here is resumed on any failure, until the
 * moment when the other end was allowed to run it.
 */
#ifndef TOOLS_MOVE_H
#define TOOLS_MOVE_H

#include <stdbool.h>
#include <stdint.h>
#include <tools/ctl.h>
#include <tools/foreignmemory.h>
#include <tools/light.h>
#include <tools/stream.h>
#include <tools/util.h>

/* ---- where bytes go: descriptors with cancel, deadline and a brake ---- */

struct move_channel {
	int fd;
	int cancel_fd;		/* readable: -ECANCELED; -1: none */
	/*
	 * While sending, the other end may say something or be gone: on_peer() is called when
	 * @peer_fd (-1: none) is readable; its result, if not 0, is that of the send.
	 */
	int peer_fd;
	int (*on_peer)(void *cookie);
	void *peer_cookie;
	unsigned int stall_ms;	/* no byte moves for so long: -ETIMEDOUT; 0: no limit */
	uint64_t limit;		/* bytes per second; 0: none */
	uint64_t bytes;		/* moved so far */
	uint64_t since_ms;	/* start of the period the limit is kept in, and its bytes */
	uint64_t since_bytes;
};

/* A channel on @fd, which stays the caller's. Limits: none. */
void move_channel_init(struct move_channel *channel, int fd, int cancel_fd);
/* All of it, or -errno. As a stream_put with the channel as cookie. */
int move_channel_put(void *channel, const struct iovec *parts, unsigned int count);
int move_channel_write(struct move_channel *channel, const void *bytes, size_t length);
/* Exactly @length bytes; -ENODATA: the end came before. */
int move_channel_read(struct move_channel *channel, void *bytes, size_t length);

/* ---- suspend and resume ---- */

struct move_suspend {
	unsigned int answer_ms; /* for the guest to take the request; 0: 60,000 */
	unsigned int finish_ms; /* then, to stand still; 0: 60,000 */
};

/*
 * Asks the guest through the store and waits until it stands still. -ETIMEDOUT: it does not answer
 * (the request is taken back) or does not come to rest; -ECANCELED likewise; -ESHUTDOWN: it ended
 * instead; -ESRCH. A request that was taken and then given up is in @error's text: the guest may
 * still suspend, then move_resume() lets it go on.
 */
int move_suspend(struct light *light, domid_t domid, const struct move_suspend *how,
		 struct tools_error *error);
/*
 * A suspended domain goes on where it stands: its call of suspend answers "cancelled", its devices
 * are those that it had. -EINVAL: it is not suspended.
 */
int move_resume(struct light *light, domid_t domid, struct tools_error *error);
/* Shut down for suspending, and not dying. */
bool move_is_suspended(struct ctl *ctl, domid_t domid);

/* ---- one at a time ---- */

struct move_lock {
	int fd; /* -1: not held */
	char path[256];
};

/*
 * For whoever saves or sends the domain, from before its first touch to after its last; -EBUSY with
 * code "busy": another process does. move_send() takes it itself.
 */
int move_lock_take(struct light *light, domid_t domid, struct move_lock *lock,
		   struct tools_error *error);
void move_lock_drop(struct move_lock *lock);
/*
 * The process that holds it is told to give up, as by ^C, and @wait_ms given to end. 0: it has
 * ended, one way or the other: is the domain still here? -ESRCH "not-moving"; -ETIMEDOUT "busy".
 */
int move_cancel(struct light *light, domid_t domid, unsigned int wait_ms,
		struct tools_error *error);
/*
 * For kl gc: guests whose mover died run on without its log of dirty pages and its request to
 * suspend. How many there were.
 */
int move_gc(struct light *light);

/* ---- saving ---- */

enum move_phase { MOVE_SETUP, MOVE_MEMORY, MOVE_SUSPEND, MOVE_LAST_MEMORY, MOVE_STATE, MOVE_DONE };
const char *move_phase_name(enum move_phase phase);

#define MOVE_MAX_ROUNDS 32
#define MOVE_APART_PFNS (512UL << 8) /* 512 MiB: 1 MiB of page tables in each child */

struct move_progress {
	enum move_phase phase;
	unsigned int round;	/* 0: the first, with all pages */
	uint64_t pages_done;	/* of this round */
	uint64_t pages_all;	/* of this round */
	uint64_t bytes;		/* sent in all */
	uint64_t dirty_rate;	/* pages per second the guest wrote in the last round; 0: unknown */
	unsigned int brake;	/* percent of a CPU that each vcpu gets, to write less; 0: all */
};

struct move_save {
	/* in */
	struct ctl *ctl;
	struct foreignmemory *fm;
	domid_t domid;
	enum stream_format format;
	const char *config;	/* JSON, for STREAM_XL; NULL: none */
	uint32_t file_flags;	/* of xl's file header, optional ones */
	stream_put *put;
	void *cookie;
	bool live;		/* memory is sent while the guest runs */
	/*
	 * @put may be called in children of this process, which do not come back, one for each so
	 * many pfns (a multiple of 64, MOVE_APART_PFNS is right for a file). Cheaper; without
	 * effect if live. 0: there are no children.
	 */
	uint64_t apart_pfns;
	unsigned int max_rounds;	/* live: before it is suspended; 0: 8, if braked 16 */
	bool brake;	/* live: a guest that writes faster than is sent gets less CPU */
	unsigned int few_pages;		/* live: so few are left that it is suspended; 0: 256 */
	/* Called when the domain has to stand still: move_suspend(), or what the caller wants. */
	int (*suspend)(void *cookie, struct tools_error *error);
	void *suspend_cookie;
	/* Called at each change of phase and every few MiB; not 0: give up with it. May be NULL. */
	int (*progress)(void *cookie, const struct move_progress *progress);
	void *progress_cookie;
	/* out */
	bool suspended;		/* the guest stands still: resume or destroy it */
	unsigned int rounds;	/* live ones, and the last */
	uint64_t round_pages[MOVE_MAX_ROUNDS + 1];
	uint64_t pages;		/* with content, in all */
	uint64_t bytes;
	uint64_t suspended_at_ms;	/* tools_now_ms() when the guest was asked */
};

/*
 * All of a stream: headers to end. -errno with @error; nothing stays mapped, log-dirty is off.
 * -EOPNOTSUPP with code "no-log-dirty": this hypervisor cannot do it live.
 */
int move_save(struct move_save *save, struct tools_error *error);

/* ---- restoring ---- */

struct move_source;

/*
 * A stream (xl's file header first) that @channel delivers; reads as far as the configuration.
 * What fails is told as "at byte N of RECORD".
 */
int move_source_open(struct move_channel *channel, struct move_source **out,
		     struct tools_error *error);
void move_source_close(struct move_source *source);
/* Text of the configuration in the file, NULL: none; whether it is JSON. */
const char *move_source_config(const struct move_source *source, size_t *length, bool *json);
/* xl's optional flags: MOVE_FLAG_*. */
uint32_t move_source_flags(const struct move_source *source);

struct move_restore {
	/* in */
	struct ctl *ctl;
	struct foreignmemory *fm;
	struct light_build *build; /* domain, ports; frames go there */
	struct move_source *source;
	int (*progress)(void *cookie, const struct move_progress *progress);
	void *progress_cookie;
	/* out */
	uint64_t pages;
	uint64_t bytes;
	uint32_t xen_major, xen_minor; /* who wrote it */
};

/*
 * Fills the fresh domain from the rest of the stream, to its very end; it stays paused. On failure
 * the caller destroys it; nothing stays mapped.
 */
int move_restore(struct move_restore *restore, struct tools_error *error);

/* ---- the link of a migration ---- */

struct move_link {
	int in, out;	/* descriptors; the same one for TCP */
	int child;	/* process that carries it, or 0 */
};

/* Runs @command by `sh -c`; what it reads we write, what it writes we read. */
int move_link_command(struct move_link *link, const char *command, struct tools_error *error);
int move_link_connect(struct move_link *link, const char *host, const char *port, int cancel_fd,
		      struct tools_error *error);
/* Waits for one connection. @address may be NULL: any. */
int move_link_listen(struct move_link *link, const char *address, const char *port, int cancel_fd,
		     struct tools_error *error);
/* Closes; a command gets two seconds to end. */
void move_link_close(struct move_link *link);

/*
 * What would fail on this host if the domain came, each as a line "- code: text\n" in @problems.
 * Their number. @text: the configuration as it came, which may tell what CPU the guest has seen.
 */
unsigned int move_preflight(struct light *light, const struct light_config *config,
			    const char *text, size_t length, struct strbuf *problems);

/* ---- migration: the end that has the domain ---- */

/* Where the domain is after move_send(). */
enum move_where {
	MOVE_HERE,    /* it runs here; it never stood still, or was resumed */
	MOVE_THERE,   /* it runs there; here it is destroyed */
	MOVE_STUCK,   /* it is suspended here and could not be resumed; there it is not */
	MOVE_UNKNOWN, /* leave was given to run it there, no answer came: suspended here */
};

struct move_send {
	/* in */
	struct light *light;	/* fm open */
	domid_t domid;
	const char *name;
	const char *config;	/* JSON */
	struct move_link *link;
	bool live, check;	/* @check: only ask what would fail */
	bool brake;		/* as move_save's */
	unsigned int max_rounds, few_pages, suspend_ms;
	uint64_t bytes_per_second; /* 0: no limit */
	unsigned int peer_ms;	/* for each answer; 0: 120,000 */
	int (*progress)(void *cookie, const struct move_progress *progress);
	void (*say)(void *cookie, const char *line); /* xl's "migration sender: ..." */
	/* A second link like the first, when the first broke at the worst moment. May be NULL. */
	int (*reconnect)(void *cookie, struct move_link *link, struct tools_error *error);
	void *cookie;
	/* out */
	struct move_save save;
	enum move_where where;
	bool peer_is_ours;	/* the receiver speaks our extensions */
	uint64_t total_ms, down_ms;
	struct strbuf problems;	/* what the receiver refused for; to free */
};

/*
 * Sends the domain and destroys it here once it runs there. On any failure it runs here again, but
 * for what @where says. Codes: "refused" (with @problems), "peer" (link or receiver), "canceled",
 * "guest-timeout", "no-log-dirty"...
 */
int move_send(struct move_send *send, struct tools_error *error);

/* ---- migration: the end that gets it ---- */

struct move_receive {
	/* in */
	struct light *light;
	struct move_link *link;
	bool keep_paused, no_monitor;
	unsigned int peer_ms;
	void (*say)(void *cookie, const char *line);
	int (*progress)(void *cookie, const struct move_progress *progress);
	void *cookie;
	/* out */
	uint32_t domid;
	struct move_restore restore;
	bool only_asked; /* the sender wanted to know something, no domain came */
	bool started;	 /* the domain runs here, whatever the result says of the sender */
};

int move_receive(struct move_receive *receive, struct tools_error *error);

#endif
