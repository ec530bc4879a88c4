/* SPDX-License-Identifier: MIT */
/*
 * What users write and what the tools print: xl.cfg's language and keys, disks, interfaces, CPU
 * lists, the JSON form (byte for byte as 4.17's xl prints it), and the messages for mistakes.
 *
 * LINK: dom0-tools/libs/light/cfg.c dom0-tools/libs/light/config.c dom0-tools/libs/light/config_json.c dom0-tools/libs/light/config_sxp.c dom0-tools/libs/light/defaults.c dom0-tools/libs/light/disk_spec.c dom0-tools/libs/light/keys.c dom0-tools/libs/light/nic_spec.c dom0-tools/libs/light/parse.c dom0-tools/libs/light/values.c dom0-tools/libs/util/core.c dom0-tools/libs/util/file.c dom0-tools/libs/json/write.c dom0-tools/libs/json/parse.c dom0-tools/libs/json/tree.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <tools/light_config.h>

static char remarks[4096];
static struct light_config config;
static struct tools_error error;

static void remember(void *cookie, const char *line)
{
	(void)cookie;
	snprintf(remarks + strlen(remarks), sizeof(remarks) - strlen(remarks), "%s\n", line);
}

static const struct light_host host = { .cpus = 4, .nodes = 1 };
static const struct light_parse how = { .source = "t.cfg", .host = &host, .warn = remember };

#define BASE "name='g'\nkernel='/k'\nuuid='12345678-1234-1234-1234-123456789abc'\n"

static int parse(const char *text)
{
	memset(&error, 0, sizeof(error));
	remarks[0] = 0;
	light_config_free(&config);
	return light_config_parse(&config, text, strlen(text), NULL, 0, &how, &error);
}

/* @text is refused with a message that contains each of @...; NULL ends. */
static void refused(const char *text, ...)
{
	va_list args;
	const char *part;

	assert_int_equal(parse(text), -EINVAL);
	va_start(args, text);
	while ((part = va_arg(args, const char *)))
		if (!strstr(error.text, part))
			fail_msg("no \"%s\" in \"%s\"", part, error.text);
	va_end(args);
}

static void test_language(void **state)
{
	(void)state;
	assert_int_equal(
		parse(BASE
		      "memory = 64 ; vcpus=2 # two\nextra = \"a=\\\"b\\\" \\x41\"\n"
		      "disk = [\n 'phy:/dev/x,xvda,w', # root\n\t\"/y,raw,xvdb,r\",\n]\nextra += ' c'\n"),
		0);
	assert_int_equal(config.target_memkb, 65536);
	assert_int_equal(config.max_vcpus, 2);
	assert_string_equal(config.cmdline, "a=\"b\" A c");
	assert_int_equal(config.n_disks, 2);
	assert_string_equal(config.disks[1].vdev, "xvdb");
	assert_int_equal(config.disks[1].readwrite, 0);
	assert_int_equal(parse(BASE "memory=1\nmemory=2"), 0);
	assert_int_equal(config.target_memkb, 2048);
}

static void test_mistakes_are_named(void **state)
{
	(void)state;
	refused(BASE "pci = ['00:1f.2']\n", "t.cfg:4", "`pci' asks for", "not offered", NULL);
	refused(BASE "memory = lots\n", "t.cfg:4", "`memory'", "`lots'", "quotes", NULL);
	refused(BASE "\nmemory = \"lots\"\n", "t.cfg:5", "`memory'", "`lots'", "whole number",
		NULL);
	refused(BASE "memory = 64M\n", "t.cfg:4", "`64M'", NULL);
	refused(BASE "memory = 64 vcpus = 2\n", "t.cfg:4", "`vcpus'", "end of the line", NULL);
	refused(BASE "extra = \"abc\n", "t.cfg:4", "closing \"", NULL);
	refused(BASE "disk = [ 'a' 'b' ]\n", "t.cfg:4", "`,' or `]'", NULL);
	refused(BASE "disk = [\n'/x,raw,xvda,w',\n'/y,raw,xvdb,q' ]\n", "t.cfg:6", "`disk'", "`q'",
		"r, ro, w", NULL);
	refused(BASE "disk = [ '/x' ]\n", "no vdev", NULL);
	refused(BASE "vif = [ 'mac=1:2' ]\n", "t.cfg:4", "mac", "00:16:3e", NULL);
	refused(BASE "vif = [ 'brigde=x' ]\n", "`brigde'", "bridge", NULL);
	refused(BASE "on_crash = 'explode'\n", "`explode'", "coredump-restart", NULL);
	refused(BASE "memory = [ 1 ]\n", "a list", NULL);
	refused(BASE "cpus = '0-x'\n", "t.cfg:4", "`0-x'", NULL);
	refused(BASE "vcpus = 4\nmaxvcpus = 2\n", "`maxvcpus'", "`vcpus'", NULL);
	refused("name='a b'\nkernel='/k'\n", "t.cfg:1", "`a b'", NULL);
	refused("kernel='/k'\n", "`name' is missing", NULL);
	refused("name='a'\n", "kernel", "bootloader", NULL);
	refused(BASE "uuid='xyz'\n", "`xyz'", "hexadecimal", NULL);
	refused(BASE "type='hvm'\n", "`hvm'", "pv", NULL);
	refused(BASE "pci=['0:1.0']\n", "`pci'", "not offered", NULL);
	refused(BASE "Memory = 1\n", "t.cfg:4", "`Memory'", NULL);
}

static void test_python_is_recognised(void **state)
{
	(void)state;
	refused("import os\nname='x'\n", "t.cfg:1", "Python", NULL);
	refused(BASE "disk.append('x')\n", "t.cfg:4", "Python", NULL);
	refused(BASE "disk = ('a', 'b')\n", "Python", NULL);
	refused("if x:\n  memory=1\n", "Python", NULL);
}

static void test_unknown_keys(void **state)
{
	(void)state;
	assert_int_equal(
		parse(BASE "vcpu = 2\nmemroy = 1\nzzzzzzzz = 1\ncpu = '0'\npci=[]\nvnc=1\n"), 0);
	assert_non_null(strstr(
		remarks, "t.cfg:4: key `vcpu' is unknown and ignored: did you mean `vcpus'?"));
	assert_non_null(strstr(remarks, "did you mean `memory'?"));
	assert_non_null(strstr(remarks, "key `zzzzzzzz' is unknown and ignored\n"));
	assert_non_null(strstr(remarks, "key `cpu' is ignored: write cpus"));
	assert_null(strstr(remarks, "vnc"));
}

static void test_overrides(void **state)
{
	char *const words[] = { (char *)"memory=99", (char *)"name=other",
				(char *)"on_crash='preserve'; vcpus=3" };
	char *const bad[] = { (char *)"memory=x" };

	(void)state;
	light_config_free(&config);
	assert_int_equal(light_config_parse(&config, BASE, strlen(BASE), words, 3, &how, &error),
			 0);
	assert_int_equal(config.target_memkb, 99 * 1024);
	assert_string_equal(config.name, "other");
	assert_int_equal(config.on_crash, LIGHT_ACTION_PRESERVE);
	assert_int_equal(config.max_vcpus, 3);
	light_config_free(&config);
	assert_int_equal(light_config_parse(&config, BASE, strlen(BASE), bad, 1, &how, &error),
			 -EINVAL);
	assert_non_null(strstr(error.text, "command line"));
}

struct disk_case {
	const char *spec, *target, *vdev;
	int format, backend, readwrite, cdrom;
	const char *script;
};

static void test_disks(void **state)
{
	static const struct disk_case cases[] = {
		{ "phy:/dev/x,xvda,w", "/dev/x", "xvda", LIGHT_FORMAT_RAW, 0, 1, 0, NULL },
		{ "file:/iso,hdc:cdrom,r", "/iso", "hdc", LIGHT_FORMAT_RAW, 0, 0, 1, NULL },
		{ "tap:aio:/a.img,sda1,r", "/a.img", "sda1", LIGHT_FORMAT_RAW, 0, 0, 0, NULL },
		{ "tap2:tapdisk:aio:/b,d1p2", "/b", "d1p2", LIGHT_FORMAT_RAW, 0, 1, 0, NULL },
		{ "qcow2:/c,hda,w", "/c", "hda", LIGHT_FORMAT_QCOW2, 0, 1, 0, NULL },
		{ "nbd:host:10809,xvdb,w", "host:10809", "xvdb", LIGHT_FORMAT_RAW, 0, 1, 0,
		  "block-nbd" },
		{ "/p,raw,xvda,rw", "/p", "xvda", LIGHT_FORMAT_RAW, 0, 1, 0, NULL },
		{ "/p,,xvda", "/p", "xvda", LIGHT_FORMAT_RAW, 0, 1, 0, NULL },
		{ ",hdc:cdrom,r", "", "hdc", LIGHT_FORMAT_EMPTY, 0, 0, 1, NULL },
		{ "vdev=xvdz,format=vhd,access=ro,backendtype=qdisk,target=/a,b=c", "/a,b=c",
		  "xvdz", LIGHT_FORMAT_VHD, LIGHT_BACKEND_QDISK, 0, 0, NULL },
		{ "vdev=xvda,backendtype=kernel,access=w!,target=/x", "/x", "xvda",
		  LIGHT_FORMAT_RAW, LIGHT_BACKEND_PHY, 1, 0, NULL },
		{ "/x,raw,xvda,w,script=my", "/x", "xvda", LIGHT_FORMAT_RAW, 0, 1, 0, "my" },
	};
	static const char *const bad[] = {
		"",
		"/x",
		"/x,raw",
		"/x,raw,xvda,w,more",
		"/x,bogus,xvda",
		"vdev=xvda,vdev=xvdb,target=/x",
		"foo:/x,xvda",
		"/x,raw,notadev",
		"/a=b,raw,xvda",
		"devtype=tape,vdev=xvda,target=/x",
		"/x,qcow2,xvda,w,patience=",
		"/x,qcow2,xvda,w,patience=10s",
		"/x,qcow2,xvda,w,patience=-1",
		"/x,qcow2,xvda,w,patience=4294967296",
		"/x,qcow2,xvda,w,patience",
	};
	const char *const patient = "/x,qcow2,xvda,w,patience=600";
	const struct disk_case *c;
	struct light_disk disk;
	char *json;
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		c = &cases[i];
		light_disk_init(&disk);
		assert_int_equal(light_disk_parse(&disk, &c->spec, 1, &how, &error), 0);
		assert_string_equal(disk.pdev_path, c->target);
		assert_string_equal(disk.vdev, c->vdev);
		assert_int_equal(disk.format, c->format);
		assert_int_equal(disk.backend, c->backend);
		assert_int_equal(disk.readwrite, c->readwrite);
		assert_int_equal(disk.is_cdrom, c->cdrom);
		assert_true(!c->script == !disk.script &&
			    (!c->script || !strcmp(c->script, disk.script)));
		light_disk_free(&disk);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		light_disk_init(&disk);
		assert_int_equal(light_disk_parse(&disk, &bad[i], 1, &how, &error), -EINVAL);
		light_disk_free(&disk);
	}
	light_disk_init(&disk);
	assert_int_equal(light_disk_parse(&disk, &patient, 1, &how, &error), 0);
	assert_int_equal(disk.patience, 600);
	json = light_disk_to_json(&disk);
	assert_non_null(strstr(json, "\"patience\": 600"));
	free(json);
	light_disk_free(&disk);
}

static void test_device_numbers(void **state)
{
	static const struct {
		const char *name;
		int number;
		const char *written;
	} cases[] = {
		{ "xvda", 51712, "xvda" },
		{ "xvda1", 51713, "xvda1" },
		{ "xvdp15", 51967, "xvdp15" },
		{ "xvdq", 1 << 28 | 16 << 8, "xvdq" },
		{ "xvda16", 1 << 28 | 16, "xvda16" },
		{ "xvdaa", 1 << 28 | 26 << 8, "xvdaa" },
		{ "hda", 768, "xvda" },
		{ "hdd2", 22 << 8 | 66, NULL },
		{ "sdb3", 8 << 8 | 16 | 3, NULL },
		{ "d0p1", 51713, NULL },
		{ "0xca00", 51712, NULL },
		{ "51712", 51712, NULL },
		{ "xvda0", -EINVAL, NULL },
		{ "hde", -EINVAL, NULL },
		{ "sdq", -EINVAL, NULL },
		{ "xvd", -EINVAL, NULL },
		{ "", -EINVAL, NULL },
		{ "xvda256", -EINVAL, NULL },
		{ "99999999999", -EINVAL, NULL },
	};
	unsigned int i;
	char text[32];

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(light_vdev_number(cases[i].name, NULL, NULL), cases[i].number);
		if (!cases[i].written)
			continue;
		light_vdev_name((unsigned int)cases[i].number, text);
		assert_string_equal(text, cases[i].written);
	}
}

static void test_interfaces(void **state)
{
	const char *spec =
		"mac=00:16:3E:1:2:03, bridge=br0,rate=1MB/s@20ms,mtu=9000,untrusted,devid=3";
	struct light_nic nic;

	(void)state;
	light_nic_init(&nic);
	assert_int_equal(light_nic_parse(&nic, &spec, 1, &how, &error), 0);
	assert_memory_equal(nic.mac, "\x00\x16\x3e\x01\x02\x03", 6);
	assert_string_equal(nic.bridge, "br0");
	assert_int_equal(nic.rate_bytes, 20000);
	assert_int_equal(nic.rate_interval_us, 20000);
	assert_int_equal(nic.mtu, 9000);
	assert_int_equal(nic.devid, 3);
	assert_int_equal(nic.trusted, LIGHT_NO);
	light_nic_free(&nic);
}

static void test_values(void **state)
{
	struct light_bitmap map = { 0 };
	uint64_t kib;

	(void)state;
	assert_int_equal(light_cpus_parse(&map, "0-5,^2, 9", &host, &error), 0);
	assert_int_equal(light_bitmap_weight(&map), 6);
	assert_false(light_bitmap_test(&map, 2));
	assert_true(light_bitmap_test(&map, 9));
	light_bitmap_free(&map);
	assert_int_equal(light_cpus_parse(&map, "4-1", &host, &error), -EINVAL);
	light_bitmap_free(&map);
	assert_int_equal(light_size_parse("512", &kib), 0);
	assert_int_equal(kib, 524288);
	assert_int_equal(light_size_parse("2g", &kib), 0);
	assert_int_equal(kib, 2 << 20);
	assert_int_equal(light_size_parse("8k", &kib), 0);
	assert_int_equal(kib, 8);
	assert_int_equal(light_size_parse("12x", &kib), -EINVAL);
	assert_int_equal(light_size_parse("99999999999999999", &kib), -ERANGE);
	assert_int_equal(light_size_parse("99999999999999999999", &kib), -ERANGE);
}

/* What Debian's xl 4.17 prints for this file (`xl -N create`). */
static const char oracle_cfg[] =
	"name = \"guest1\"\nuuid = \"12345678-1234-1234-1234-123456789abc\"\nmemory = 64\nvcpus = 2\n"
	"kernel = \"/boot/vmlinuz\"\nextra = \"console=hvc0\"\n"
	"disk = [ 'phy:/dev/vg/lv,xvda,w', 'file:/iso,hdc:cdrom,r' ]\n"
	"vif = [ 'mac=00:16:3e:01:02:03,bridge=xenbr1,rate=10Mb/s', '' ]\ncpus = \"0-1\"\n"
	"on_crash = \"coredump-restart\"\n";
static const char oracle_json[] =
	"{\n    \"c_info\": {\n        \"type\": \"pv\",\n        \"name\": \"guest1\",\n"
	"        \"uuid\": \"12345678-1234-1234-1234-123456789abc\",\n"
	"        \"run_hotplug_scripts\": \"True\"\n    },\n    \"b_info\": {\n        \"max_vcpus\": 2,\n"
	"        \"avail_vcpus\": [\n            0,\n            1\n        ],\n"
	"        \"vcpu_hard_affinity\": [\n            [\n                0,\n                1\n            ],\n"
	"            [\n                0,\n                1\n            ]\n        ],\n"
	"        \"max_memkb\": 65536,\n        \"target_memkb\": 65536,\n        \"sched_params\": {\n\n        },\n"
	"        \"claim_mode\": \"True\",\n        \"kernel\": \"/boot/vmlinuz\",\n"
	"        \"cmdline\": \"console=hvc0\",\n        \"type.pv\": {\n\n        },\n"
	"        \"arch_arm\": {\n\n        },\n        \"arch_x86\": {\n\n        }\n    },\n    \"disks\": [\n"
	"        {\n            \"pdev_path\": \"/dev/vg/lv\",\n            \"vdev\": \"xvda\",\n"
	"            \"format\": \"raw\",\n            \"readwrite\": 1\n        },\n        {\n"
	"            \"pdev_path\": \"/iso\",\n            \"vdev\": \"hdc\",\n            \"format\": \"raw\",\n"
	"            \"removable\": 1,\n            \"is_cdrom\": 1\n        }\n    ],\n    \"nics\": [\n        {\n"
	"            \"devid\": 0,\n            \"mac\": \"00:16:3e:01:02:03\",\n"
	"            \"bridge\": \"xenbr1\",\n            \"rate_bytes_per_interval\": 62500,\n"
	"            \"rate_interval_usecs\": 50000\n        },\n        {\n            \"devid\": 1\n        }\n"
	"    ],\n    \"on_reboot\": \"restart\",\n    \"on_crash\": \"coredump_restart\",\n"
	"    \"on_soft_reset\": \"soft_reset\"\n}\n";

static void test_json_as_xl(void **state)
{
	struct light_config copy;
	char *text;

	(void)state;
	assert_int_equal(parse(oracle_cfg), 0);
	text = light_config_to_json(&config, -1);
	assert_string_equal(text, oracle_json);
	light_config_init(&copy);
	assert_int_equal(light_config_from_json(&copy, text, strlen(text), &error), 0);
	free(text);
	text = light_config_to_json(&copy, -1);
	assert_string_equal(text, oracle_json);
	free(text);
	light_config_free(&copy);
}

static void test_json_keeps_the_unknown(void **state)
{
	static const char text[] =
		"{\"c_info\":{\"type\":\"hvm\",\"name\":\"h\",\"hap\":\"True\"},\"b_info\":{"
		"\"max_vcpus\":1,\"type.hvm\":{\"bios\":\"seabios\"},\"arch_x86\":{\"msr_relaxed\":\"False\"}},\"disks\":[{\"vdev\":\"hda\",\"colo_port\":7}],"
		"\"vfbs\":[{\"devid\":0}],\"on_reboot\":\"restart\"}";
	char *out;

	(void)state;
	light_config_free(&config);
	assert_int_equal(light_config_from_json(&config, text, strlen(text), &error), 0);
	assert_int_equal(config.type, LIGHT_TYPE_HVM);
	out = light_config_to_json(&config, 7);
	assert_non_null(strstr(out, "\"domid\": 7"));
	assert_non_null(strstr(out, "\"hap\": \"True\""));
	assert_non_null(strstr(out, "\"bios\": \"seabios\""));
	assert_null(strstr(out, "type.pv"));
	assert_non_null(strstr(out, "\"msr_relaxed\": \"False\""));
	assert_non_null(strstr(out, "\"colo_port\": 7"));
	assert_non_null(strstr(out, "\"vfbs\""));
	free(out);
	light_config_free(&config);
	assert_int_equal(
		light_config_from_json(&config, "{\"b_info\":{\"max_vcpus\":\"x\"}}", 28, &error),
		-EINVAL);
	assert_non_null(strstr(error.text, "max_vcpus"));
}

static void test_xl_conf(void **state)
{
	static const char text[] =
		"autoballoon=\"off\"\nclaim_mode=0\nvif.default.bridge=\"br7\"\n"
		"vif.default.backendtype=\"kernel\"\nmax_grant_frames=99\noutput_format='sxp'\nvm.pv.cpumask=\"0-1\"\n";
	char path[] = "/tmp/test-light-XXXXXX";
	struct light_defaults defaults;
	struct light_parse with = how;
	int fd = mkstemp(path);

	(void)state;
	assert_true(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	light_defaults_init(&defaults);
	assert_int_equal(light_defaults_load(&defaults, path, &error), 0);
	unlink(path);
	assert_int_equal(defaults.autoballoon, 0);
	assert_true(defaults.output_sxp);
	assert_int_equal(light_bitmap_weight(&defaults.pv_cpumask), 2);
	with.defaults = &defaults;
	light_config_free(&config);
	assert_int_equal(light_config_parse(&config, BASE "vif=['']", strlen(BASE) + 8, NULL, 0,
					    &with, &error),
			 0);
	assert_string_equal(config.nics[0].bridge, "br7");
	assert_true(defaults.vif_kernel && !defaults.disk_kernel);
	assert_int_equal(config.max_grant_frames, 99);
	assert_int_equal(config.claim_mode, LIGHT_NO);
	light_defaults_free(&defaults);
}

static int forget(void **state)
{
	(void)state;
	light_config_free(&config);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_language),
		cmocka_unit_test(test_mistakes_are_named),
		cmocka_unit_test(test_python_is_recognised),
		cmocka_unit_test(test_unknown_keys),
		cmocka_unit_test(test_overrides),
		cmocka_unit_test(test_disks),
		cmocka_unit_test(test_device_numbers),
		cmocka_unit_test(test_interfaces),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_json_as_xl),
		cmocka_unit_test(test_json_keeps_the_unknown),
		cmocka_unit_test(test_xl_conf),
	};

	light_config_init(&config);
	return cmocka_run_group_tests(tests, NULL, forget);
}
