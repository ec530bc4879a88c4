/* SPDX-License-Identifier: MIT */
/*
 * kl, the command line of dom0: what every verb gets and may use.
 *
 * A verb is one function in its own file and one row of the table in commands.c. It gets a struct
 * kl, its own name as argv[0], and returns the exit status: 0, 1 (failed) or 2 (called wrongly), as
 * xl does. Data goes to standard output, everything else to standard error. Handles are opened when
 * a verb first asks for them, so a verb pays for what it uses.
 *
 *	int cmd_pause(struct kl *kl, int argc, char **argv)
 *	{
 *		domid_t domid;
 *
 *		if (!kl_arguments(kl, argc, argv, 1))
 *			return kl->status;
 *		if (kl_find_domain(kl, argv[optind], &domid) || !kl_ctl(kl))
 *			return KL_FAILED;
 *		return kl_check(kl, ctl_pausedomain(kl->ctl, domid), "cannot pause %s",
 *				argv[optind]);
 *	}
 */
#ifndef KL_KL_H
#define KL_KL_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <xen/xen.h>
#include <tools/ctl.h>
#include <tools/foreignmemory.h>
#include <tools/store.h>
#include <tools/util.h>

#define KL_OK		0
#define KL_FAILED	1
#define KL_USAGE	2
#define KL_STOP		(-2)	/* of kl_getopt(): leave with kl->status */

/* No answer of the store is waited for longer than this. */
#define KL_STORE_DEADLINE_MS	10000

struct kl;
struct light;

struct kl_command {
	const char *name;
	int (*run)(struct kl *kl, int argc, char **argv);
	const char *summary;	/* one line, for the list of verbs */
	const char *usage;	/* arguments */
	const char *options;	/* a line each, or NULL */
	const char *refusal;	/* why this verb of xl is not here: then run is NULL */
	bool dry_run;		/* honours -N */
	bool modifies;		/* honours -f */
	bool json;		/* prints, so honours --json */
	bool ours;		/* not a verb of xl: never makes a prefix of xl's ambiguous */
};

struct kl {
	const char *program;		/* "kl", or "xl" when called so */
	const struct kl_command *command;	/* the one that runs */
	unsigned int verbosity;		/* -v given so often */
	bool dry_run;			/* -N */
	bool force;			/* -f */
	bool progress_cr;		/* -t: carriage returns even where there is no terminal */
	bool timestamps;		/* -T: messages start with time and pid */
	bool json;			/* --json */
	int status;			/* what to return after KL_STOP */
	int cancel_fd; /* readable once kl_interrupted(); -1 before kl_catch_interrupts() */

	/* Open once kl_ctl() etc. have succeeded; NULL before. Closed by main. */
	struct ctl *ctl;
	struct store *store;
	struct foreignmemory *fm;
	struct light *light;		/* works on the three above */
};

/* Each opens its handle if need be; NULL: it failed, and the user was told. */
struct ctl *kl_ctl(struct kl *kl);
struct store *kl_store(struct kl *kl);
struct foreignmemory *kl_foreignmemory(struct kl *kl);
/*
 * libs/light on these handles, xl.conf read, warnings shown, waits ended by kl_catch_interrupts().
 */
struct light *kl_light(struct kl *kl);
void kl_close(struct kl *kl);

/*
 * The next option, as getopt_long(3) with -h and --help added; -1 after the last if @required
 * arguments follow (from optind on); KL_STOP: help was asked for or the call was wrong, all is
 * said.
 */
int kl_getopt(struct kl *kl, int argc, char **argv, const char *shorts, const struct option *longs,
	      int required);

/*
 * The number that an option has as its value (optarg), 0 to @most, in *value; @option is its name,
 * for the message. KL_OK; KL_FAILED: the user was told.
 */
int kl_number(struct kl *kl, const char *option, uint64_t most, uint64_t *value);

/* For verbs without options. False: leave with kl->status. The rest is from optind on. */
bool kl_arguments(struct kl *kl, int argc, char **argv, int required);

/*
 * Messages to the user, always one line on standard error. kl_error() and kl_fail() return
 * KL_FAILED; with --json they print {"error": {"code", "message", "hint", "log"}} instead. @code is
 * a stable word.
 */
int kl_error(struct kl *kl, const char *code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int kl_fail(struct kl *kl, const struct tools_error *error);
/* Called wrongly: what is wrong (may be empty), then how it is called. Returns @status. */
int kl_misuse(struct kl *kl, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* @result >= 0: KL_OK. Else the message, what the errno means appended: KL_FAILED. */
int kl_check(struct kl *kl, int result, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Stable word and usual text of an errno, positive or negative. */
const char *kl_errno_code(int error);
void kl_warn(struct kl *kl, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Shown with -v only. */
void kl_note(struct kl *kl, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints what @w holds and empties it. KL_OK, or KL_FAILED: out of memory. */
struct json_writer;
int kl_print_json(struct kl *kl, struct json_writer *w);
/* How @command (NULL: kl itself) is called, on standard output. */
void kl_help(struct kl *kl, const char *command);

/*
 * A domain by number or name. 0; else the user was told and -errno. A number need not exist: what
 * is then done to it says so (as xl).
 */
int kl_find_domain(struct kl *kl, const char *name, domid_t *domid);
/*
 * The name of @domid in fresh memory (free()): from the store; of a domain that is being destroyed,
 * from what destroy left behind; else NULL.
 */
char *kl_domain_name(struct kl *kl, domid_t domid);
/* -ENOENT: no domain has this name. Nothing is printed. */
int kl_name_to_domid(struct kl *kl, const char *name, domid_t *domid);

/*
 * A progress line for something that may take over a second: only on a terminal (or with -t), the
 * first time after one second, rewritten in place. End with kl_progress(kl, NULL).
 */
void kl_progress(struct kl *kl, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Set once the user pressed ^C or the process was asked to end: waits return -EINTR then. */
bool kl_interrupted(void);
/* From now on ^C and SIGTERM set kl_interrupted() instead of ending the process. */
void kl_catch_interrupts(struct kl *kl);

/*
 * Opens @path for writing: a new file, locked until it is closed; one that a process left behind
 * when it died is replaced. Its owner renames it while it is open. The descriptor, or -errno;
 * -EBUSY: another process writes it.
 */
int kl_open_part(const char *path);

/* Finds a verb: exact, or an unambiguous prefix. NULL: none or several. */
const struct kl_command *kl_lookup(const char *name);
extern const struct kl_command kl_commands[];
extern const unsigned int kl_command_count;

/* --- Verbs: by what file --- */
int cmd_block_attach(struct kl *kl, int argc, char **argv);
int cmd_block_detach(struct kl *kl, int argc, char **argv);
int cmd_block_reconnect(struct kl *kl, int argc, char **argv);
int cmd_block_resize(struct kl *kl, int argc, char **argv);
int cmd_block_list(struct kl *kl, int argc, char **argv);
int cmd_claims(struct kl *kl, int argc, char **argv);
int cmd_config_update(struct kl *kl, int argc, char **argv);
int cmd_console(struct kl *kl, int argc, char **argv);
int cmd_cpupool_cpu_add(struct kl *kl, int argc, char **argv);
int cmd_cpupool_cpu_remove(struct kl *kl, int argc, char **argv);
int cmd_cpupool_create(struct kl *kl, int argc, char **argv);
int cmd_cpupool_destroy(struct kl *kl, int argc, char **argv);
int cmd_cpupool_list(struct kl *kl, int argc, char **argv);
int cmd_cpupool_migrate(struct kl *kl, int argc, char **argv);
int cmd_cpupool_numa_split(struct kl *kl, int argc, char **argv);
int cmd_cpupool_rename(struct kl *kl, int argc, char **argv);
int cmd_create(struct kl *kl, int argc, char **argv);
int cmd_debug_keys(struct kl *kl, int argc, char **argv);
int cmd_destroy(struct kl *kl, int argc, char **argv);
int cmd_dmesg(struct kl *kl, int argc, char **argv);
int cmd_domid(struct kl *kl, int argc, char **argv);
int cmd_domname(struct kl *kl, int argc, char **argv);
int cmd_dump_core(struct kl *kl, int argc, char **argv);
int cmd_gc(struct kl *kl, int argc, char **argv);
int cmd_help(struct kl *kl, int argc, char **argv);
int cmd_info(struct kl *kl, int argc, char **argv);
int cmd_list(struct kl *kl, int argc, char **argv);
int cmd_mem_max(struct kl *kl, int argc, char **argv);
int cmd_mem_set(struct kl *kl, int argc, char **argv);
int cmd_metrics(struct kl *kl, int argc, char **argv);
int cmd_migrate(struct kl *kl, int argc, char **argv);
int cmd_migrate_cancel(struct kl *kl, int argc, char **argv);
int cmd_migrate_receive(struct kl *kl, int argc, char **argv);
int cmd_network_attach(struct kl *kl, int argc, char **argv);
int cmd_network_detach(struct kl *kl, int argc, char **argv);
int cmd_network_reconnect(struct kl *kl, int argc, char **argv);
int cmd_network_list(struct kl *kl, int argc, char **argv);
int cmd_pause(struct kl *kl, int argc, char **argv);
int cmd_reboot(struct kl *kl, int argc, char **argv);
int cmd_rename(struct kl *kl, int argc, char **argv);
int cmd_restore(struct kl *kl, int argc, char **argv);
int cmd_resume(struct kl *kl, int argc, char **argv);
int cmd_suspend(struct kl *kl, int argc, char **argv);
int cmd_save(struct kl *kl, int argc, char **argv);
int cmd_sched_credit(struct kl *kl, int argc, char **argv);
int cmd_sched_credit2(struct kl *kl, int argc, char **argv);
int cmd_set_parameters(struct kl *kl, int argc, char **argv);
int cmd_sharing(struct kl *kl, int argc, char **argv);
int cmd_shutdown(struct kl *kl, int argc, char **argv);
int cmd_sysrq(struct kl *kl, int argc, char **argv);
int cmd_top(struct kl *kl, int argc, char **argv);
int cmd_trigger(struct kl *kl, int argc, char **argv);
int cmd_unpause(struct kl *kl, int argc, char **argv);
int cmd_uptime(struct kl *kl, int argc, char **argv);
int cmd_vcpu_list(struct kl *kl, int argc, char **argv);
int cmd_vcpu_pin(struct kl *kl, int argc, char **argv);
int cmd_vcpu_set(struct kl *kl, int argc, char **argv);
int cmd_vm_list(struct kl *kl, int argc, char **argv);

#endif
