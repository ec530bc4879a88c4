/* SPDX-License-Identifier: MIT */
/*
 * The table of kl's verbs, in the order of `kl help`, and how a verb is found by its name or an
 * unambiguous prefix. A verb of xl that is not here has a row, too, that says why: it must be
 * refused by name, and prefixes must stay as ambiguous as they are with xl, since scripts rely on
 * them.
 */
#include <string.h>
#include "kl.h"

#define NO_DEVICE_MODEL	"needs a device model, and guests with one are not built yet"
#define NO_USB	"USB devices for guests are not supported"
#define NO_PCI	"PCI devices for guests are not supported"
#define NO_TPM	"virtual TPMs are not supported"
#define NO_PSR	"the hypervisor does not control caches or memory bandwidth"
#define NO_FLASK	"the hypervisor has no Flask policy"

const struct kl_command kl_commands[] = {
	{
		.name = "create",
		.run = cmd_create,
		.summary = "Create a domain from a config file",
		.usage = "<ConfigFile> [options] [vars]",
		.options = "-c                      Attach to the console at once.\n"
			   "-d                      Say more while creating.\n"
			   "-e                      No automatic actions when the domain ends.\n"
			   "-F                      Stay in the foreground until the domain ends.\n"
			   "-f FILE, --defconfig=FILE\n"
			   "                        Use this configuration file.\n"
			   "-h                      Print this help.\n"
			   "-n, --dryrun            Only print the resulting configuration (as -N).\n"
			   "-p                      Leave the domain paused.\n"
			   "-q, --quiet             Say less.\n"
			   "--timings               Print how long each step took.\n"
			   "--ignore-global-affinity-masks\n"
			   "                        Ignore the masks of xl.conf.\n",
		.dry_run = true,
		.modifies = true,
		.json = true,
	},
	{
		.name = "config-update",
		.run = cmd_config_update,
		.summary = "Replace a running domain's stored configuration, for its next reboot",
		.usage = "<Domain> <ConfigFile> [options] [vars]",
		.options = "-h                      Print this help.\n"
			   "-f FILE, --defconfig=FILE\n"
			   "                        Use this configuration file.\n"
			   "-d                      Print the configuration.\n",
		.dry_run = true,
		.modifies = true,
		.json = true,
	},
	{
		.name = "list",
		.run = cmd_list,
		.summary = "List all or some domains",
		.usage = "[options] [Domain]",
		.options = "-l, --long              All there is, as JSON\n"
			   "-v, --verbose           UUIDs, shutdown reasons and security labels, too\n"
			   "-Z, --context           Security labels, too\n"
			   "-c, --cpupool           The CPU pool, too\n"
			   "-n, --numa              The NUMA nodes, too\n",
		.json = true,
	},
	{
		.name = "destroy",
		.run = cmd_destroy,
		.summary = "End a domain at once",
		.usage = "[options] <Domain>",
		.options = "-f                      For xl's sake; domain 0 is refused all the same\n",
		.modifies = true,
		.json = true,
	},
	{
		.name = "shutdown",
		.run = cmd_shutdown,
		.summary = "Ask a domain to shut down",
		.usage = "[options] <-a|Domain>",
		.options = "-a, --all               Ask all guests.\n"
			   "-h                      Print this help.\n"
			   "-F                      For HVM guests without PV drivers: press the button.\n"
			   "-w, --wait              Wait until it is done.\n"
			   "--timeout SECONDS       Wait no longer (3600; 0: for ever).\n",
		.modifies = true,
	},
	{
		.name = "reboot",
		.run = cmd_reboot,
		.summary = "Ask a domain to reboot",
		.usage = "[options] <-a|Domain>",
		.options = "-a, --all               Ask all guests.\n"
			   "-h                      Print this help.\n"
			   "-F                      For HVM guests without PV drivers: press the button.\n"
			   "-w, --wait              Wait until it is done.\n"
			   "--timeout SECONDS       Wait no longer (3600; 0: for ever).\n",
		.modifies = true,
	},
	{ .name = "pci-attach", .refusal = NO_PCI },
	{ .name = "pci-detach", .refusal = NO_PCI },
	{ .name = "pci-list", .refusal = NO_PCI },
	{ .name = "pci-assignable-add", .refusal = NO_PCI },
	{ .name = "pci-assignable-remove", .refusal = NO_PCI },
	{ .name = "pci-assignable-list", .refusal = NO_PCI },
	{
		.name = "pause",
		.run = cmd_pause,
		.summary = "Stop a domain's execution",
		.usage = "<Domain>",
		.modifies = true,
	},
	{
		.name = "unpause",
		.run = cmd_unpause,
		.summary = "Let a paused domain run",
		.usage = "<Domain>",
		.modifies = true,
	},
	{
		.name = "console",
		.run = cmd_console,
		.summary = "Attach to a domain's console; Ctrl-] ends it",
		.usage = "[options] <Domain>",
		.options = "-t TYPE                 pv (serial and vuart are for guests with a device model)\n"
			   "-n NUMBER               Which console\n"
			   "-e CHAR, --escape=CHAR  Another character than ] to end with (with Ctrl)\n",
		.modifies = true,
	},
	{ .name = "vncviewer", .refusal = NO_DEVICE_MODEL },
	{
		.name = "save",
		.run = cmd_save,
		.summary = "Save a domain's memory and state into a file",
		.usage = "[options] <Domain> <CheckpointFile> [<ConfigFile>]",
		.options = "-c                      Let the domain run on afterwards.\n"
			   "-p                      Leave it paused afterwards.\n"
			   "-D                      Keep its domain id for the restore.\n"
			   "--timeout SECONDS       How long the guest may take to suspend (60).\n",
		.modifies = true,
		.json = true,
	},
	{
		.name = "migrate",
		.run = cmd_migrate,
		.summary = "Move a domain to another host",
		.usage = "[options] <Domain> <host>",
		.options = "-h                      Print this help.\n"
			   "-C FILE                 Send this configuration instead of the domain's own.\n"
			   "-s COMMAND              Instead of ssh; run by a shell with the host and the\n"
			   "                        receiver's command line. Empty: host is the command.\n"
			   "-e                      No automatic actions on the target when it ends.\n"
			   "-p                      Leave it paused on the target.\n"
			   "-D                      Keep its domain id.\n"
			   "--tcp PORT              Straight to a receiver that listens there, no ssh.\n"
			   "--remote PROGRAM        Its name on the target (as this one: kl or xl).\n"
			   "--non-live              Send all while it stands still.\n"
			   "--live, --debug         As ever; for compatibility.\n"
			   "--rounds N              At most so many rounds while it runs (8).\n"
			   "--bandwidth MIB         At most so many MiB a second.\n"
			   "--timeout SECONDS       How long the guest may take to suspend (60).\n"
			   "--auto-converge         Slow down a guest that writes faster than is sent.\n"
			   "--check                 Only say what would fail.\n",
		.modifies = true,
		.json = true,
	},
	{
		.name = "migrate-cancel",
		.run = cmd_migrate_cancel,
		.summary = "Make a save or migration of a domain give up",
		.usage = "[options] <Domain>",
		.options = "--timeout SECONDS       How long to wait for its end (60).\n",
		.modifies = true,
		.ours = true,
	},
	{
		.name = "restore",
		.run = cmd_restore,
		.summary = "Restore a domain from a saved state",
		.usage = "[options] [<ConfigFile>] <CheckpointFile>",
		.options = "-h                      Print this help.\n"
			   "-p                      Do not unpause it.\n"
			   "-e                      No automatic actions when the domain ends.\n"
			   "-c                      Attach to the console at once.\n"
			   "-F                      Stay in the foreground until the domain ends.\n"
			   "-d                      Say more.\n",
		.modifies = true,
		.json = true,
	},
	{
		.name = "migrate-receive",
		.run = cmd_migrate_receive,
		.summary = "Take a domain that another host sends",
		.usage = "[options]",
		.options = "-e                      No automatic actions when the domain ends.\n"
			   "-p                      Leave it paused.\n"
			   "-F, -d                  As ever; for compatibility.\n"
			   "--tcp PORT              Listen there for one sender, instead of standard input.\n"
			   "--bind ADDRESS          Only on this address.\n",
		.modifies = true,
		.json = true,
	},
	{
		.name = "suspend",
		.run = cmd_suspend,
		.summary = "Have a domain stand still, in memory",
		.usage = "<Domain>",
		.modifies = true,
		.ours = true,
	},
	{
		.name = "resume",
		.run = cmd_resume,
		.summary = "Let a suspended domain go on",
		.usage = "<Domain>",
		.modifies = true,
		.ours = true,
	},
	{
		.name = "dump-core",
		.run = cmd_dump_core,
		.summary = "Write a domain's memory and registers into a file",
		.usage = "<Domain> <filename>",
		.modifies = true,
	},
	{ .name = "cd-insert", .refusal = NO_DEVICE_MODEL },
	{ .name = "cd-eject", .refusal = NO_DEVICE_MODEL },
	{
		.name = "mem-max",
		.run = cmd_mem_max,
		.summary = "Set how much memory a domain may have at most",
		.usage = "<Domain> <MemMB['b'[bytes]|'k'[KB]|'m'[MB]|'g'[GB]|'t'[TB]]>",
		.modifies = true,
	},
	{
		.name = "mem-set",
		.run = cmd_mem_set,
		.summary = "Set how much memory a domain is to have now",
		.usage = "<Domain> <MemMB['b'[bytes]|'k'[KB]|'m'[MB]|'g'[GB]|'t'[TB]]>",
		.modifies = true,
	},
	{ .name = "button-press", .refusal = NO_DEVICE_MODEL },
	{
		.name = "vcpu-list",
		.run = cmd_vcpu_list,
		.summary = "List the vcpus of all or some domains",
		.usage = "[Domain, ...]",
		.json = true,
	},
	{
		.name = "vcpu-pin",
		.run = cmd_vcpu_pin,
		.summary = "Set the CPUs that a vcpu may and should use",
		.usage = "[option] <Domain> <VCPU|all> <Hard affinity|-|all> <Soft affinity|-|all>",
		.options = "-f, --force             Undo a temporary pinning by the domain's kernel\n"
			   "-i, --ignore-global-affinity-masks\n"
			   "                        Ignore the masks of xl.conf\n",
		.dry_run = true,
		.modifies = true,
		.json = true,
	},
	{
		.name = "vcpu-set",
		.run = cmd_vcpu_set,
		.summary = "Set how many vcpus of a domain are online",
		.usage = "[option] <Domain> <vCPUs>",
		.options = "-i, --ignore-host       More than the host has CPUs, too\n",
		.modifies = true,
	},
	{
		.name = "vm-list",
		.run = cmd_vm_list,
		.summary = "List domains with their UUIDs",
		.json = true,
	},
	{
		.name = "info",
		.run = cmd_info,
		.summary = "Tell about the host",
		.usage = "[options] [key]",
		.options = "-n, --numa              CPUs, nodes and devices of the host, too\n",
		.json = true,
	},
	{
		.name = "sharing",
		.run = cmd_sharing,
		.summary = "List how much memory is shared between domains",
		.usage = "[Domain]",
		.json = true,
	},
	{
		.name = "sched-credit",
		.run = cmd_sched_credit,
		.summary = "Get or set parameters of the credit scheduler",
		.usage = "[-d <Domain> [-w[=WEIGHT]|-c[=CAP]]] [-s [-t TSLICE] [-r RATELIMIT]] [-p "
			 "CPUPOOL]",
		.options = "-d DOMAIN, --domain=DOMAIN        The domain\n"
			   "-w WEIGHT, --weight=WEIGHT        Its weight\n"
			   "-c CAP, --cap=CAP                 Its cap, in percent of a CPU\n"
			   "-s         --schedparam           The scheduler's own parameters\n"
			   "-t TSLICE, --tslice_ms=TSLICE     Time slice in milliseconds\n"
			   "-r RLIMIT, --ratelimit_us=RLIMIT  Shortest run in microseconds\n"
			   "-m DLY, --migration_delay_us=DLY  How long a vcpu counts as cache-hot, in microseconds\n"
			   "-p CPUPOOL, --cpupool=CPUPOOL     Only this CPU pool\n",
		.modifies = true,
		.json = true,
	},
	{
		.name = "sched-credit2",
		.run = cmd_sched_credit2,
		.summary = "Get or set parameters of the credit2 scheduler",
		.usage = "[-d <Domain> [-w[=WEIGHT]|-c[=CAP]]] [-s [-r RATELIMIT]] [-p CPUPOOL]",
		.options = "-d DOMAIN, --domain=DOMAIN        The domain\n"
			   "-w WEIGHT, --weight=WEIGHT        Its weight\n"
			   "-c CAP,    --cap=CAP              Its cap, in percent of a CPU\n"
			   "-s         --schedparam           The scheduler's own parameters\n"
			   "-r RLIMIT, --ratelimit_us=RLIMIT  Shortest run in microseconds\n"
			   "-p CPUPOOL, --cpupool=CPUPOOL     Only this CPU pool\n",
		.modifies = true,
		.json = true,
	},
	{ .name = "sched-rtds", .refusal = "the hypervisor has no real-time scheduler" },
	{
		.name = "domid",
		.run = cmd_domid,
		.summary = "Print the id of a domain by name",
		.usage = "<DomainName>",
		.json = true,
	},
	{
		.name = "domname",
		.run = cmd_domname,
		.summary = "Print the name of a domain by id",
		.usage = "<DomainId>",
		.json = true,
	},
	{
		.name = "rename",
		.run = cmd_rename,
		.summary = "Give a domain another name",
		.usage = "<Domain> <NewDomainName>",
		.modifies = true,
	},
	{
		.name = "trigger",
		.run = cmd_trigger,
		.summary = "Send a domain an event of the machine",
		.usage = "<Domain> <nmi|reset|init|power|sleep|s3resume> [<VCPU>]",
		.modifies = true,
	},
	{
		.name = "sysrq",
		.run = cmd_sysrq,
		.summary = "Send a domain a Linux SysRq key",
		.usage = "<Domain> <letter>",
		.modifies = true,
	},
	{
		.name = "debug-keys",
		.run = cmd_debug_keys,
		.summary = "Press keys on the hypervisor's console",
		.usage = "<Keys>",
		.modifies = true,
	},
	{
		.name = "set-parameters",
		.run = cmd_set_parameters,
		.summary = "Change parameters of the hypervisor",
		.usage = "<Params>",
		.modifies = true,
	},
	{
		.name = "dmesg",
		.run = cmd_dmesg,
		.summary = "Print the hypervisor's messages",
		.usage = "[-c]",
		.options = "-c, --clear             Forget them after printing\n",
		.json = true,
	},
	{
		.name = "top",
		.run = cmd_top,
		.summary = "Watch host and domains",
		.usage = "[options]",
		.options = "-b, --batch             Lines on standard output instead of a screen\n"
			   "-d N, --delay=N         Seconds between updates (3)\n"
			   "-f, --full-name         Names as long as they are\n"
			   "-i N, --iterations=N    Updates before it ends\n",
		.json = true,
	},
	{
		.name = "network-attach",
		.run = cmd_network_attach,
		.summary = "Plug a network card into a domain",
		.usage = "<Domain> [type=<type>] [mac=<mac>] [bridge=<bridge>] [ip=<ip>] "
			 "[script=<script>] [backend=<BackDomain>] [vifname=<name>] [rate=<rate>] "
			 "[model=<model>] [accel=<accel>] [mtu=<mtu>]",
		.dry_run = true,
		.modifies = true,
		.json = true,
	},
	{
		.name = "network-list",
		.run = cmd_network_list,
		.summary = "List network cards of domains",
		.usage = "<Domain(s)>",
		.json = true,
	},
	{
		.name = "network-detach",
		.run = cmd_network_detach,
		.summary = "Unplug a network card",
		.usage = "<Domain> <DevId|mac>",
		.modifies = true,
	},
	{
		.name = "network-reconnect",
		.run = cmd_network_reconnect,
		.summary = "Unplug a network card and plug it in again, negotiated anew",
		.usage = "<Domain> <DevId|mac>",
		.modifies = true,
		.ours = true,
	},
	{ .name = "channel-list", .refusal = "channels are not supported" },
	{
		.name = "block-attach",
		.run = cmd_block_attach,
		.summary = "Plug a disk into a domain",
		.usage = "<Domain> <disk-spec-component(s)>...",
		.dry_run = true,
		.modifies = true,
		.json = true,
	},
	{
		.name = "block-list",
		.run = cmd_block_list,
		.summary = "List disks of domains",
		.usage = "<Domain(s)>",
		.json = true,
	},
	{
		.name = "block-detach",
		.run = cmd_block_detach,
		.summary = "Unplug a disk",
		.usage = "[option] <Domain> <DevId>",
		.options = "-f, --force             Without waiting for the domain to release it\n",
		.modifies = true,
	},
	{
		.name = "block-reconnect",
		.run = cmd_block_reconnect,
		.summary = "Unplug a disk and plug it in again, negotiated anew",
		.usage = "<Domain> <DevId>",
		.modifies = true,
		.ours = true,
	},
	{
		.name = "block-resize",
		.run = cmd_block_resize,
		.summary = "Make a domain's image larger, or tell it that its disk's file or device has grown",
		.usage = "<Domain> <DevId> [<Size['m'[MB]|'g'[GB]|'t'[TB]]>]",
		.modifies = true,
		.ours = true,
	},
	{ .name = "vtpm-attach", .refusal = NO_TPM },
	{ .name = "vtpm-list", .refusal = NO_TPM },
	{ .name = "vtpm-detach", .refusal = NO_TPM },
	{ .name = "vkb-attach", .refusal = "virtual keyboards are not supported" },
	{ .name = "vkb-list", .refusal = "virtual keyboards are not supported" },
	{ .name = "vkb-detach", .refusal = "virtual keyboards are not supported" },
	{ .name = "vdispl-attach", .refusal = "virtual displays are not supported" },
	{ .name = "vdispl-list", .refusal = "virtual displays are not supported" },
	{ .name = "vdispl-detach", .refusal = "virtual displays are not supported" },
	{ .name = "vsnd-attach", .refusal = "virtual sound cards are not supported" },
	{ .name = "vsnd-list", .refusal = "virtual sound cards are not supported" },
	{ .name = "vsnd-detach", .refusal = "virtual sound cards are not supported" },
	{
		.name = "uptime",
		.run = cmd_uptime,
		.summary = "Print how long all or some domains have run",
		.usage = "[-s] [Domain]",
		.options = "-s                      Short form\n",
		.json = true,
	},
	{
		.name = "claims",
		.run = cmd_claims,
		.summary = "List domains with the memory claimed for them",
		.json = true,
	},
	{
		.name = "cpupool-create",
		.run = cmd_cpupool_create,
		.summary = "Create a CPU pool",
		.usage = "[options] [<ConfigFile>] [Variable=value ...]",
		.options = "-h, --help              Print this help.\n"
			   "-f FILE, --defconfig=FILE\n"
			   "                        Use this configuration file.\n"
			   "-n, --dryrun            Only print what would be created (as -N).\n",
		.dry_run = true,
		.modifies = true,
		.json = true,
	},
	{
		.name = "cpupool-list",
		.run = cmd_cpupool_list,
		.summary = "List CPU pools",
		.usage = "[-c|--cpus] [<CPU Pool>]",
		.options = "-c, --cpus              Their CPUs\n",
		.json = true,
	},
	{
		.name = "cpupool-destroy",
		.run = cmd_cpupool_destroy,
		.summary = "Dissolve a CPU pool",
		.usage = "<CPU Pool>",
		.modifies = true,
	},
	{
		.name = "cpupool-rename",
		.run = cmd_cpupool_rename,
		.summary = "Give a CPU pool another name",
		.usage = "<CPU Pool> <new name>",
		.modifies = true,
	},
	{
		.name = "cpupool-cpu-add",
		.run = cmd_cpupool_cpu_add,
		.summary = "Add CPUs to a CPU pool",
		.usage = "<CPU Pool> <CPU nr>|node:<node nr>",
		.modifies = true,
	},
	{
		.name = "cpupool-cpu-remove",
		.run = cmd_cpupool_cpu_remove,
		.summary = "Remove CPUs from a CPU pool",
		.usage = "<CPU Pool> <CPU nr>|node:<node nr>",
		.modifies = true,
	},
	{
		.name = "cpupool-migrate",
		.run = cmd_cpupool_migrate,
		.summary = "Move a domain into a CPU pool",
		.usage = "<Domain> <CPU Pool>",
		.modifies = true,
	},
	{
		.name = "cpupool-numa-split",
		.run = cmd_cpupool_numa_split,
		.summary = "Make one CPU pool of each NUMA node",
		.modifies = true,
	},
	{ .name = "getenforce", .refusal = NO_FLASK },
	{ .name = "setenforce", .refusal = NO_FLASK },
	{ .name = "loadpolicy", .refusal = NO_FLASK },
	{ .name = "remus", .refusal = "guests are not kept in step on two hosts" },
	{ .name = "devd", .refusal = "driver domains are not supported" },
	{ .name = "psr-hwinfo", .refusal = NO_PSR },
	{ .name = "psr-cmt-attach", .refusal = NO_PSR },
	{ .name = "psr-cmt-detach", .refusal = NO_PSR },
	{ .name = "psr-cmt-show", .refusal = NO_PSR },
	{ .name = "psr-cat-set", .refusal = NO_PSR },
	{ .name = "psr-cat-show", .refusal = NO_PSR },
	{ .name = "psr-mba-set", .refusal = NO_PSR },
	{ .name = "psr-mba-show", .refusal = NO_PSR },
	{ .name = "usbctrl-attach", .refusal = NO_USB },
	{ .name = "usbctrl-detach", .refusal = NO_USB },
	{ .name = "usbdev-attach", .refusal = NO_USB },
	{ .name = "usbdev-detach", .refusal = NO_USB },
	{ .name = "usb-list", .refusal = NO_USB },
	{ .name = "qemu-monitor-command", .refusal = NO_DEVICE_MODEL },
	{
		.name = "gc",
		.run = cmd_gc,
		.summary = "Remove what ended or interrupted tools left behind",
		.json = true,
		.ours = true,
	},
	{
		.name = "metrics",
		.run = cmd_metrics,
		.summary = "Print figures of host and domains in Prometheus' text format",
		.usage = "[-o FILE]",
		.options = "-o FILE, --output=FILE  Into a file, replaced atomically\n",
		.json = true,
		.ours = true,
	},
	{
		.name = "help",
		.run = cmd_help,
		.summary = "Print this list, or how a verb is called",
		.usage = "[verb]",
		.json = true,
		.ours = true,
	},
};

const unsigned int kl_command_count = sizeof(kl_commands) / sizeof(kl_commands[0]);

/* How many names of xl's verbs, or of ours, start with @name; *found: one of them. */
static unsigned int by_prefix(const char *name, bool ours, const struct kl_command **found)
{
	size_t length = strlen(name);
	unsigned int i, count = 0;

	for (i = 0; i < kl_command_count; i++) {
		if (kl_commands[i].ours != ours || strncmp(name, kl_commands[i].name, length))
			continue;
		*found = &kl_commands[i];
		count++;
	}
	return count;
}

const struct kl_command *kl_lookup(const char *name)
{
	const struct kl_command *c = NULL;
	unsigned int i, count;

	for (i = 0; i < kl_command_count; i++)
		if (!strcmp(kl_commands[i].name, name))
			return &kl_commands[i];
	if (!*name)
		return NULL;
	/* What xl finds ambiguous is so here, whatever ours are called. */
	count = by_prefix(name, false, &c);
	if (!count)
		count = by_prefix(name, true, &c);
	return count == 1 ? c : NULL;
}
