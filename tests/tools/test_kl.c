/* SPDX-License-Identifier: MIT */
/*
 * kl's verbs against a small hypervisor and the fake store: what they print to the byte, how they
 * refuse, how few requests they make, and what happens when the store or the hypervisor fails.
 */
/* LINK: dom0-tools/kl/commands.c dom0-tools/kl/console.c dom0-tools/kl/cpupool_create.c dom0-tools/kl/cpupool_list.c */
/* LINK: dom0-tools/kl/cpupool_ops.c dom0-tools/kl/cpupool_split.c dom0-tools/kl/cpupools.c dom0-tools/kl/cpus.c */
/* LINK: dom0-tools/kl/block.c dom0-tools/kl/devices.c dom0-tools/kl/network.c */
/* LINK: dom0-tools/kl/destroy.c dom0-tools/libs/light/holders.c */
/* LINK: dom0-tools/kl/dmesg.c dom0-tools/kl/domains.c dom0-tools/kl/events.c dom0-tools/kl/gc.c */
/* LINK: dom0-tools/kl/handles.c dom0-tools/kl/help.c dom0-tools/kl/info.c dom0-tools/kl/info_numa.c */
/* LINK: dom0-tools/kl/metrics_more.c dom0-tools/kl/metrics_json.c */
/* LINK: dom0-tools/kl/list.c dom0-tools/kl/memory.c dom0-tools/kl/metrics.c dom0-tools/kl/names.c */
/* LINK: dom0-tools/kl/pause.c dom0-tools/kl/report.c dom0-tools/kl/sched.c dom0-tools/kl/set_parameters.c */
/* LINK: dom0-tools/kl/snapshot.c dom0-tools/kl/top.c dom0-tools/kl/top_disks.c dom0-tools/kl/top_table.c dom0-tools/kl/uptime.c dom0-tools/kl/vcpu_list.c */
/* LINK: dom0-tools/kl/vcpu_pin.c dom0-tools/kl/vcpu_set.c */
/* LINK: dom0-tools/libs/light/cfg.c dom0-tools/libs/light/config.c dom0-tools/libs/light/config_json.c */
/* LINK: dom0-tools/libs/light/config_sxp.c dom0-tools/libs/light/values.c */
/* LINK: dom0-tools/libs/light/defaults.c dom0-tools/libs/light/disk_spec.c */
/* LINK: dom0-tools/libs/light/keys.c dom0-tools/libs/light/nic_spec.c dom0-tools/libs/light/parse.c */
/* LINK: dom0-tools/libs/json/write.c dom0-tools/libs/json/parse.c dom0-tools/libs/json/tree.c */
/* LINK: dom0-tools/libs/util/core.c dom0-tools/libs/util/file.c tests/tools/fake_kl.c */
/* LINK: dom0-tools/libs/store/core.c dom0-tools/libs/store/fake.c */
/* LIBS: -lutil */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <time.h>
#include <xen/sched.h>
#include <tools/json.h>
#include <kl_run.h>

#define HEADING "Name                                        ID   Mem VCPUs\tState\tTime(s)"

static void test_list(void **state __attribute__((unused)))
{
	fake_kl_add(7, "web")->flags = XEN_DOMINF_shutdown | SHUTDOWN_crash
								     << XEN_DOMINF_shutdownshift;
	assert_int_equal(run("list"), 0);
	assert_string_equal(out, HEADING "\n"
		"Domain-0                                     0    64     1     -b----       1.5\n"
		"web                                          7    64     1     ---sc-       1.5\n");
	assert_string_equal(err, "");
	assert_int_equal(run("list -v web"), 0);
	assert_string_equal(out, HEADING
		"   UUID                            Reason-Code\tSecurity Label\n"
		"web                                          7    64     1     ---sc-       1.5 "
		"07070707-0707-0707-0707-070707070707        3                -\n");
	assert_int_equal(run("list -c 7"), 0);
	assert_non_null(strstr(out, "       1.5          Pool-0\n"));
	assert_int_equal(run("list -n 7"), 0);
	assert_non_null(strstr(out, " NODE Affinity\n"));
}

static void test_list_refuses(void **state __attribute__((unused)))
{
	fake_kl_add(7, "webserver");
	assert_int_equal(run("list 9"), 1);
	assert_string_equal(err, "Error: Domain '9' does not exist.\n");
	assert_int_equal(run("list webservr"), 1);
	assert_string_equal(err, "webservr is an invalid domain identifier (rc=-6)\n"
				 "  hint: did you mean webserver?\n");
	assert_int_equal(run("list nothing-like-it"), 1);
	assert_null(strstr(err, "hint"));
	assert_int_equal(run("list a b"), 1);
	assert_int_equal(run("list -q"), 2);
	assert_string_equal(err, "option `q' not supported.\n");
	assert_int_equal(run("list --help"), 0);
	assert_int_equal(run("--json list nobody"), 1);
	assert_non_null(strstr(err,
			       "{\"error\": {\"code\": \"no-such-domain\", \"message\": \"nobody is "));
	assert_int_equal(run("list 65535"), 1);
}

/* Two hundred domains cost one hypercall more than none, and one store request each. */
static void test_list_is_cheap(void **state __attribute__((unused)))
{
	unsigned int calls, i;

	run("list");
	calls = fake_kl.calls;
	for (i = 1; i <= 200; i++) {
		char name[16];

		snprintf(name, sizeof(name), "d%u", i);
		fake_kl_add(i, name);
	}
	fake_kl.calls = 0;
	i = fake_store_requests();
	assert_int_equal(run("list"), 0);
	assert_int_equal(fake_kl.calls, calls);
	assert_int_equal(fake_store_requests() - i, 201);
	assert_non_null(strstr(out, "\nd200  "));
}

static void test_many(void **state __attribute__((unused)))
{
	unsigned int i, lines = 0;

	for (i = 1; i < FAKE_KL_DOMAINS; i++)
		fake_kl_add(i, NULL);
	assert_int_equal(run("list"), 0);
	for (i = 0; out[i]; i++)
		lines += out[i] == '\n';
	assert_int_equal(lines, FAKE_KL_DOMAINS + 1);
}

/* A zombie has lost its nodes: the name that was kept for it is shown, and found. */
static void test_zombie(void **state __attribute__((unused)))
{
	fake_kl_add(5, NULL)->flags = XEN_DOMINF_dying | XEN_DOMINF_paused;
	assert_int_equal(run("list 5"), 0);
	assert_non_null(strstr(out, "\n(null)  "));
	fake_store_set("/tool/krypton/dead/5", "db");
	fake_store_set("/tool/krypton/dead/5/cause", "destroyed; vbd 51712 is still mapped");
	assert_int_equal(run("list"), 0);
	assert_non_null(strstr(out,
			       "\ndb                                           5    64     1     --p--d "));
	assert_int_equal(run("domid db"), 0);
	assert_string_equal(out, "5\n");
	assert_int_equal(run("--json list db"), 0);
	assert_non_null(strstr(out, "\"cause\": \"destroyed; vbd 51712 is still mapped\""));
	/* A living domain of the same name is meant first. */
	fake_kl_add(9, "db");
	assert_int_equal(run("domid db"), 0);
	assert_string_equal(out, "9\n");
}

/* Who holds a zombie is said, and whether that is all there is to say. */
static void test_destroy(void **state __attribute__((unused)))
{
	struct light_destroy held = {
		.zombie = true, .pages_held = 3, .n_holders = 2, .holders_complete = true,
		.holders = { { .count = 2, .first = 8 },
			     { .domid = 4, .mapping = true, .count = 1 } },
	};

	fake_kl_add(5, "db");
	fake_kl.light = true;
	assert_int_equal(run("destroy db"), 0);
	assert_string_equal(fake_kl.last, "destroy 5");
	assert_string_equal(out, "");
	assert_string_equal(err, "");
	assert_int_equal(run("--json destroy db"), 0);
	assert_non_null(strstr(out, "\"zombie\": false"));
	fake_kl.destroyed = held;
	assert_int_equal(run("destroy db"), 0);
	assert_string_equal(err,
		"domain db is dead but 3 of its pages are still held\n"
		"  held: 2 grants (from reference 8 on) mapped by domain 0\n"
		"  held: 1 page mapped by domain 4\n"
		"  hint: it goes when they are let go; list shows its name until then\n");
	assert_int_equal(run("--json destroy db"), 0);
	assert_non_null(strstr(out, "\"first_reference\": 8"));
	assert_non_null(strstr(out, "\"mappings\": 1"));
	assert_string_equal(err, "");
	fake_kl.destroyed = (struct light_destroy){ .zombie = true, .pages_held = 1 };
	assert_int_equal(run("destroy db"), 0);
	assert_non_null(strstr(err, "\n  this hypervisor does not tell what holds them\n"));
	assert_int_equal(run("destroy 0"), 1);
	assert_int_equal(run("--json destroy 0"), 1);
	assert_non_null(strstr(err, "\"not-allowed\""));
}

/* With --json nothing that is printed, on either channel, is anything else. */
static void test_only_json(void **state __attribute__((unused)))
{
	static const struct {
		const char *line;
		int status;
		const char *code;	/* of the error, or NULL: there is none */
	} calls[] = {
		{ "--json list a b", 1, "usage" }, { "--json sharing a b", 1, "usage" },
		{ "--json domid", 2, "usage" }, { "--json sysrq web xx", 1, "usage" },
		{ "--json list -q", 2, "bad-option" },
		{ "--json pause nobody", 1, "no-such-domain" },
		{ "--json top -i 2 -d 0.01", 0, NULL }, { "--json -N vcpu-pin web 0 1", 0, NULL },
		{ "--json -N cpupool-create name=p2 cpus=\"3\"", 1, "busy" },
		{ "--json -N network-attach web bridge=b0", 0, NULL },
		{ "--json -N block-attach web /dev/x,raw,xvdb,w", 0, NULL },
		{ "--json network-attach web mac=1", 1, "bad-config" },
		{ "--json claims", 0, NULL }, { "--json metrics", 0, NULL },
		{ "--json help", 0, NULL },
		{ "--json help nope", 1, "no-such-command" },
	};

	fake_kl_add(7, "web");
	fake_kl.light = true;
	for (unsigned int i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		int status = run(calls[i].line);
		char *texts[2] = { out, err }, code[64] = "", *line, *rest;

		if (status != calls[i].status)
			fail_msg("%s: %d: %s%s", calls[i].line, status, out, err);
		for (int t = 0; t < 2; t++) {
			struct json_value *value = json_parse(texts[t], strlen(texts[t]), NULL);

			/* One value, or one a line. */
			if (value || !*texts[t]) {
				json_free(value);
				continue;
			}
			line = strdup(texts[t]);
			rest = NULL;
			for (char *l = strtok_r(line, "\n", &rest); l;
			     l = strtok_r(NULL, "\n", &rest)) {
				value = json_parse(l, strlen(l), NULL);
				if (!value)
					fail_msg("%s: not JSON: %s", calls[i].line, l);
				json_free(value);
			}
			free(line);
		}
		if (calls[i].code)
			snprintf(code, sizeof(code), "{\"error\": {\"code\": \"%s\"",
				 calls[i].code);
		if (calls[i].code ? !strstr(err, code) : strstr(err, "\"error\"") != NULL)
			fail_msg("%s: %s", calls[i].line, err);
	}
}

static void test_json_parses(void **state __attribute__((unused)))
{
	static const char *const verbs[] = {
		"--json list", "--json list -c", "--json claims", "--json vm-list", "--json info",
		"--json info -n", "--json vcpu-list", "--json uptime", "--json domid web",
		"--json domname 7", "--json sched-credit2", "--json sched-credit2 -d web",
		"--json sched-credit2 -s", "--json cpupool-list", "--json dmesg", "--json sharing",
	};
	unsigned int i;

	fake_kl_add(7, "web");
	fake_kl_add(8, "gr\xfc\"\\\n");
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		struct tools_error e = { 0 };
		struct json_value *v;

		run(verbs[i]);
		v = json_parse(out, strlen(out), &e);
		if (!v)
			fail_msg("%s: %s in %s", verbs[i], e.text, out);
		json_free(v);
	}
}

static void test_names(void **state __attribute__((unused)))
{
	fake_kl_add(7, "web");
	assert_int_equal(run("domid web"), 0);
	assert_string_equal(out, "7\n");
	assert_int_equal(run("domid nobody"), 1);
	assert_string_equal(out, "");
	assert_int_equal(run("domname 7"), 0);
	assert_string_equal(out, "web\n");
	assert_int_equal(run("domname 8"), 1);
	assert_int_equal(run("domname web"), 1);
	assert_string_equal(err, "Invalid domain id.\n");
	/* xl prints the option's letter; its status is the same. */
	assert_int_equal(run("top -b -d"), 2);
	assert_string_equal(err, "option `-d' requires an argument.\n");
	assert_int_equal(run("--json sched-credit2 --domain"), 2);
	assert_non_null(strstr(err, "\"bad-option\""));
	assert_int_equal(run("domname"), 2);
	assert_non_null(strstr(err, "'kl domname' requires at least 1 argument.\n"));
}

static void test_changes(void **state __attribute__((unused)))
{
	static const struct { const char *line, *effect; } good[] = {
		{ "pause web", "pause 7" }, { "unpause 7", "unpause 7" },
		{ "trigger web nmi", "trigger 7 0 0" }, { "trigger web reset 1", "trigger 7 1 1" },
		{ "debug-keys q", "keys q" }, { "debug R", "keys R" },
		{ "sched-credit2 -d web -w 300", "sched 7 300 0" },
		{ "sched-credit2 -d web -c 50", "sched 7 256 50" },
		{ "sched-credit2 -s -r 500", "ratelimit 500" },
		{ "vcpu-pin web 1 0-1", "affinity 7.1 flags 1 hard 3" },
		{ "vcpu-pin web 0 - 2", "affinity 7.0 flags 2 hard 0" },
		{ "cpupool-migrate web Pool-0", "move 7 to pool 0" },
		{ "cpupool-cpu-remove Pool-0 3", "remove 3 from pool 0" },
		{ "cpupool-cpu-add Pool-0 3", "add 3 to pool 0" },
	};
	unsigned int i;

	fake_kl_add(7, "web");
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		fake_kl.last[0] = '\0';
		/* Pinning hard asks libs/light for xl.conf's masks, which is not here. */
		if (strstr(good[i].line, "0-1"))
			run("vcpu-pin -i web 1 0-1");
		else
			assert_int_equal(run(good[i].line), 0);
		assert_string_equal(fake_kl.last, good[i].effect);
	}
	fake_kl.light = true;
	fake_store_set("/local/domain/7/memory/target", "65536");
	if (run("mem-max web 100"))
		fail_msg("%s", err);
	assert_string_equal(fake_kl.last, "max_mem 7 103424");
	assert_string_equal(fake_store_get("/local/domain/7/memory/static-max"), "102400");
	assert_int_equal(run("mem-max web 63"), 1);
	assert_int_equal(run("sysrq web h"), 0);
	assert_string_equal(fake_store_get("/local/domain/7/control/sysrq"), "h");
}

static void test_refusals(void **state __attribute__((unused)))
{
	static const char *const bad[] = {
		"pause nobody", "pause 9", "trigger web x", "trigger web s3resume", "sysrq web xx",
		"sysrq 9 h", "sched-credit2 -w 3", "sched-credit2 -d web -w 0",
		"sched-credit2 -d web -w x",
		"sched-credit2 -d web -c 201", "sched-credit2 -s -r 1", "sched-credit2 -p p9",
		"vcpu-pin web 4294967296 - 0", "vcpu-pin web 1x - 0", "trigger web nmi 4294967296",
		"vcpu-pin web a 0", "vcpu-pin web 0 77", "vcpu-pin -f web all 0",
		"cpupool-destroy Pool-0",
		"cpupool-destroy p9", "cpupool-list p9", "cpupool-migrate web p9",
		"cpupool-create sched=x",
		"cpupool-create name=Pool-0", "console -t x web", "console -t serial web",
		"set-parameters a=b", "mem-set web x", "vcpu-set web x", "top -d x", "console 9",
		"top -b -i nan", "top -b -i 0.5", "top -b -i 0", "top -b -i 2x", "top -bi1 -d nan",
		"top -bi1 -d 3x", "top -bi1 -d 1e-9", "top -bi1 -d inf", "top -bi1 -d -1",
	};
	unsigned int i;

	fake_kl_add(7, "web");
	fake_kl_add(8, "half")->max_vcpu_id = XEN_INVALID_MAX_VCPU_ID;
	alarm(20);
	assert_int_equal(run("vcpu-pin half all - 0"), 0);
	alarm(0);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fake_kl.last[0] = '\0';
		if (run(bad[i]) != 1)
			fail_msg("%s was not refused", bad[i]);
		if (!err[0] || fake_kl.last[0])
			fail_msg("%s: said \"%s\", did \"%s\"", bad[i], err, fake_kl.last);
	}
	assert_null(fake_store_get("/local/domain/9/control/sysrq"));
}

static void test_vcpu_list(void **state __attribute__((unused)))
{
	fake_kl_add(7, "web");
	assert_int_equal(run("vcpu-list web"), 0);
	assert_string_equal(out,
		"Name                                ID  VCPU   CPU State   Time(s) Affinity (Hard / Soft)\n"
		"web                                  7     0    2   -b-       2.5  all / 1\n"
		"web                                  7     1    -   --p       2.5  0,2-3 / none\n");
}

static void test_uptime(void **state __attribute__((unused)))
{
	char text[32];

	fake_kl_add(7, "web");
	fake_kl_add(8, "none");
	snprintf(text, sizeof(text), "%ld", (long)time(NULL) - 90061);
	fake_store_set("/vm/07070707-0707-0707-0707-070707070707/start_time", text);
	assert_int_equal(run("uptime web none"), 0);
	assert_memory_equal(out, "Name                                ID Uptime\n"
			    "web                                  7 1 day,  1:01:0", 98);
	assert_null(strstr(out, "none"));
	assert_int_equal(run("uptime -s web"), 0);
	assert_non_null(strstr(out, " up 1 day,  1:01, web (7)\n"));
}

static void test_pools(void **state __attribute__((unused)))
{
	assert_int_equal(run("cpupool-list"), 0);
	assert_string_equal(out, "Name               CPUs   Sched     Active   Domain count\n"
				 "Pool-0               4   credit2       y          1\n");
	assert_int_equal(run("cpupool-list -c"), 0);
	assert_string_equal(out, "Name               CPU list\nPool-0             0,1,2,3\n");
	assert_int_equal(run("-N cpupool-create name=\"p1\" sched=credit2"), 0);
	assert_string_equal(out, "Using config file \"command line\"\ncpupool name:   p1\n"
				 "scheduler:      credit2\nnumber of cpus: 0\n");
	assert_int_equal(fake_kl.pools, 1);
	assert_int_equal(run("cpupool-create name=p1"), 0);
	assert_string_equal(fake_store_get("/local/pool/1/name"), "p1");
	assert_int_equal(run("cpupool-rename p1 p2"), 0);
	assert_int_equal(run("cpupool-destroy p2"), 0);
	assert_null(fake_store_get("/local/pool/1"));
	assert_int_equal(fake_kl.pools, 1);
	assert_int_equal(run("cpupool-create name=q nodes=x"), 1);
	assert_non_null(strstr(err, "\"x\" is not the number of a node"));
	assert_int_equal(run("cpupool-create name=q nodes=0x"), 1);
	assert_int_equal(run("sched-credit2 -d 0 -w 4294967297"), 1);
	assert_non_null(strstr(err, "-w needs a number"));
}

static void test_dmesg(void **state __attribute__((unused)))
{
	assert_int_equal(run("dmesg -c"), 0);
	assert_string_equal(out, "(XEN) one\n(XEN) two\n");
	assert_int_equal(run("dmesg"), 0);
	assert_string_equal(out, "");
	assert_int_equal(run("--json dmesg"), 0);
}

static void test_info(void **state __attribute__((unused)))
{
	assert_int_equal(run("info"), 0);
	assert_non_null(strstr(out, "\ncpu_mhz                : 2400.123\n"));
	assert_non_null(strstr(out, "\nvirt_caps              : pv gnttab-v1\n"));
	assert_non_null(strstr(out, "\ntotal_memory           : 1024\n"));
	assert_non_null(strstr(out, "\nxen_version            : 4.17.7\n"));
	assert_int_equal(run("info free"), 0);
	assert_string_equal(out, "256\n0\n");
}

static void test_metrics(void **state __attribute__((unused)))
{
	fake_kl_add(7, "we\"b\n");
	assert_int_equal(run("metrics"), 0);
	assert_non_null(strstr(out, "\nxen_domain_memory_bytes{domid=\"7\",name=\"we\\\"b\\n\","
			       "uuid=\"07070707-0707-0707-0707-070707070707\"} 67108864\n"));
	assert_non_null(strstr(out, "\n# TYPE xen_domain_cpu_seconds_total counter\n"));
	assert_non_null(strstr(out, "xen_hypervisor_info{version=\"4.17.7\"} 1\n"));
	assert_int_equal(run("metrics -o /nonexistent/x"), 1);
	fake_kl_add(9, "back\\name");
	assert_int_equal(run("--json metrics"), 0);
	assert_non_null(strstr(out, "\"name\": \"we\\\"b\\n\""));
	assert_non_null(strstr(out, "\"name\": \"back\\\\name\""));
	assert_non_null(strstr(out, "\"metric\": \"xen_host_cpus\""));
}

static void test_device_lists(void **state __attribute__((unused)))
{
	struct json_value *root;

	fake_kl_add(7, "web");
	assert_int_equal(run("block-list web"), 1);
	assert_string_equal(err, "cannot start: No such device\n");
	fake_kl.light = true;
	assert_int_equal(run("block-list web"), 0);
	assert_string_equal(out,
		"Vdev  BE  handle state evt-ch ring-ref BE-path                       \n"
		"51712 0   7      4     9      8        /local/domain/0/backend       \n");
	assert_int_equal(run("network-list web 7"), 0);
	assert_string_equal(out,
		"Idx BE Mac Addr.         handle state evt-ch   tx-/rx-ring-ref "
		"BE-path                       \n"
		"51712 0  00:16:3e:00:00:0a 51712     4      9     8/7           "
		"/local/domain/0/backend       \n"
		"51712 0  00:16:3e:00:00:0a 51712     4      9     8/7           "
		"/local/domain/0/backend       \n");
	/* One that is not there does not hide the others. */
	assert_int_equal(run("network-list nobody web"), 1);
	assert_non_null(strstr(out, "00:16:3e:00:00:0a"));
	assert_non_null(strstr(err, "nobody is an invalid domain identifier"));
	assert_int_equal(run("--json block-list web nobody web"), 1);
	root = json_parse(out, strlen(out), NULL);
	assert_non_null(root);
	json_free(root);
	assert_int_equal(run("block-list"), 2);
}

static void test_device_changes(void **state __attribute__((unused)))
{
	static const struct {
		const char *line, *done;
	} cases[] = {
		{ "block-attach web phy:/dev/a,xvdb,w", "attach disk 7 xvdb" },
		{ "block-attach web vdev=xvdc target=/a", "attach disk 7 xvdc" },
		{ "block-detach web xvdb", "detach disk 7 xvdb" },
		{ "block-detach web xvdb -f", "tear off disk 7 xvdb" },
		{ "block-detach --force web 51712", "tear off disk 7 51712" },
		{ "block-reconnect web xvdb", "reconnect disk 7 xvdb" },
		{ "block-resize web xvdb", "resize disk 7 xvdb" },
		{ "block-resize web xvdb 2g", "resize disk 7 xvdb to 2097152" },
		{ "network-attach web bridge=br7", "attach nic 7 br7" },
		{ "network-detach 7 0", "detach nic 7 0" },
		{ "network-reconnect web 0", "reconnect nic 7 0" },
	};
	static const char *const wrong[] = { "block-attach web", "block-detach web",
					     "network-attach", "network-detach web",
					     "network-detach -f web 0", "block-resize web" };
	static const char *const refused[] = { "block-attach web vdev=nonsense target=/a",
					       "network-attach web mac=zz",
					       "block-detach web stuck",
					       "network-detach nobody 0",
					       "block-resize web xvdb much" };
	unsigned int i;

	fake_kl_add(7, "web");
	fake_kl.light = true;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(run(cases[i].line), 0);
		assert_string_equal(fake_kl.last, cases[i].done);
		assert_string_equal(err, "");
	}
	fake_kl.last[0] = '\0';
	assert_int_equal(run("-N block-attach web vdev=xvdc target=/a"), 0);
	assert_int_equal(strncmp(out, "disk: {", 7), 0);
	assert_int_equal(run("-N network-attach web"), 0);
	assert_int_equal(strncmp(out, "vif: {", 6), 0);
	assert_string_equal(fake_kl.last, "");
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(run(wrong[i]), 2);
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_int_equal(run(refused[i]), 1);
		assert_true(err[0]);
	}
}

/*
 * The hypervisor or the store fails at any one call: an exit status and a message, never a crash.
 */
static void test_faults(void **state __attribute__((unused)))
{
	static const char *const verbs[] = {
		"list", "list web", "list -c -n", "vcpu-list", "info -n", "uptime", "sched-credit2",
		"cpupool-list", "metrics", "dmesg", "domid web", "pause web",
		"sched-credit2 -d web -w 5",
		"cpupool-create name=q",
	};
	unsigned int v, n;

	for (v = 0; v < sizeof(verbs) / sizeof(verbs[0]); v++) {
		setup(NULL);
		fake_kl_add(7, "web");
		fake_kl.fail = -EPERM;
		assert_int_equal(run(verbs[v]), 1);
		assert_true(err[0]);
		for (n = 1; n < 6; n++) {
			fake_store_fail(n, EIO);
			run(verbs[v]);
			fake_store_fail(0, 0);
		}
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_list), T(test_list_refuses), T(test_list_is_cheap), T(test_many),
		T(test_zombie), T(test_destroy), T(test_only_json), T(test_json_parses),
		T(test_names), T(test_changes), T(test_refusals), T(test_vcpu_list), T(test_uptime),
		T(test_pools), T(test_dmesg), T(test_info), T(test_metrics), T(test_device_lists),
		T(test_device_changes), T(test_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
