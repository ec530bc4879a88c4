/* SPDX-License-Identifier: MIT */
/*
 * The configuration's parsers against rubbish: texts of real shapes, mutated by seed. Whatever is
 * accepted must survive JSON and back unchanged; whatever is refused must come with a message.
 *
 * LINK: dom0-tools/libs/light/cfg.c dom0-tools/libs/light/config.c dom0-tools/libs/light/config_json.c dom0-tools/libs/light/config_sxp.c dom0-tools/libs/light/defaults.c dom0-tools/libs/light/disk_spec.c dom0-tools/libs/light/keys.c dom0-tools/libs/light/nic_spec.c dom0-tools/libs/light/parse.c dom0-tools/libs/light/values.c dom0-tools/libs/util/core.c dom0-tools/libs/util/file.c dom0-tools/libs/json/write.c dom0-tools/libs/json/parse.c dom0-tools/libs/json/tree.c
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dice.h>
#include <tools/light_config.h>

#define ROOM 4096

static const char *const seeds[] = {
	"name = 'g'\nkernel=\"/k\"\nmemory=64\nvcpus=2\ncpus=['0','1-3,^2']\ncpus_soft=\"all\"\n",
	"name='g';kernel='/k';disk=['phy:/dev/x,xvda,w','/p,raw,d0p1,ro','vdev=hda,target=/a,b']\n",
	"name='g'\nbootloader='pygrub'\nbootloader_args=['-q']\nvif=['mac=00:16:3e:1:2:3,rate=1MB/s@20ms','bridge=b']\n",
	"name='g'\nkernel='/k'\non_crash='preserve'\nextra=\"a=\\\"b\\\" \\x41\\101\"\nextra+='z'\npci=[]\ntsc_mode=2\n",
	/* every word of a disk and of an interface, and the spellings of older tools */
	"name='g'\nkernel='/k'\ndisk=['/d,raw,xvda,w,discard,direct-io-safe,trusted','vdev=hdc,cdrom,format=empty']\n",
	"name='g'\nkernel='/k'\ndisk=['format=qcow2,vdev=hdb,access=ro,backend=d,backendtype=qdisk,script=x,target=/q']\n",
	"name='g'\nkernel='/k'\ndisk=['tap2:aio:/a,sda1,r','file:/i,hdd:cdrom,r','iscsi:x,xvdf,w!','devtype=cdrom,vdev=xvdc,no-discard']\n",
	"name='g'\nkernel='/k'\nvif=['type=vif,script=s,ip=1.2.3.4,backend=0,vifname=v,devid=3,mtu=1500,backendtype=user,untrusted']\n",
	"name='g'\nkernel='/k'\nvif=['model=rtl8139,accel=1,gatewaydev=e,trusted=0,type=ioemu']\ncpus='nodes:0,^node:1'\nmaxmem=9\n",
	"{\"c_info\":{\"type\":\"pv\",\"name\":\"g\",\"uuid\":\"12345678-1234-1234-1234-123456789abc\"},\"b_info\":{"
	"\"max_vcpus\":2,\"avail_vcpus\":[0,1],\"sched_params\":{\"weight\":256},\"max_memkb\":65536},\"disks\":["
	"{\"vdev\":\"xvda\",\"format\":\"raw\",\"trusted\":\"True\"}],\"nics\":[{\"devid\":0}],\"on_reboot\":\"restart\"}",
};
static const char *const words[] = {
	"memory",  "=",	       "[",	     "]",
	"'",	   "\"",       ",",	     "\\",
	"\n",	   "#",	       "+=",	     ";",
	"disk",	   "vif",      "0x",	     "99999999999999999999",
	"cdrom",   "target=",  "tap:",	     "format=",
	"^",	   "-",	       "all",	     "node:0",
	"{",	   "}",	       ":",	     "null",
	"true",	   "-1",       "1e9",	     "maxvcpus=4095\n",
	"cap=1\n", "@",	       "Gb/s",	     "\xff",
	"uuid",	   "type.hvm", "\"x\":[{}]",
};

static int is_ascii(const char *text)
{
	while (*text > 0)
		text++;
	return !*text;
}

/* What @text means, written again; NULL: refused. */
static char *again(const char *text)
{
	struct light_config config;
	char *out = NULL;

	light_config_init(&config);
	if (!light_config_from_json(&config, text, strlen(text), NULL))
		out = light_config_to_json(&config, -1);
	light_config_free(&config);
	return out;
}

/*
 * Bytes that are no text become characters on the first trip (JSON has no others); then nothing
 * changes.
 */
static int round_trip(const struct light_config *config)
{
	char *a = light_config_to_json(config, -1), *b = again(a), *c = b ? again(b) : NULL;
	char *sxp = light_config_to_sxp(config, 3);
	int ok = c && sxp && !strcmp(b, c) && (!is_ascii(a) || strstr(a, "\\u00") || !strcmp(a, b));

	if (!ok)
		printf("not the same after JSON:\n%s\n%s\n", a, b ? b : "(refused)");
	free(a);
	free(b);
	free(c);
	free(sxp);
	return ok;
}

static int one(char *text, size_t length, int json)
{
	static const struct light_host host = { .cpus = 4, .nodes = 1 };
	const struct light_parse how = { .source = "f", .host = &host };
	struct tools_error error = { 0 };
	struct light_config config;
	int rc, ok;

	light_config_init(&config);
	rc = json ? light_config_from_json(&config, text, length, &error) :
		    light_config_parse(&config, text, length, NULL, 0, &how, &error);
	if (!rc)
		ok = round_trip(&config);
	else
		ok = error.code && error.text[0];
	light_config_free(&config);
	return ok;
}

/*
 * Values that verbs take from their arguments; what is accepted means the same when written again.
 */
static int values(const char *text, size_t length)
{
	char word[24], name[32];
	uint64_t kib = 0;
	size_t n = length < 4 ? 0 : dice((unsigned int)length), room = sizeof(word) - 1;
	int number;

	n = length - n < room ? length - n : n;
	snprintf(word, sizeof(word), "%.*s", (int)(length - n < room ? length - n : room),
		 text + n);
	if (!light_size_parse(word, &kib) && kib > UINT64_MAX >> 10)
		return 0;
	light_name_valid(word);
	if (!dice(2))
		snprintf(word, sizeof(word), "%s%c%s", dice(2) ? "xvd" : dice(2) ? "hd" : "sd",
			 'a' + dice(26),
			 dice(2) ? "" : "7");
	number = light_vdev_number(word, NULL, NULL);
	if (number < 0)
		return 1;
	light_vdev_name((unsigned int)number, name);
	return *name != 0;
}

int main(void)
{
	unsigned long cases = dice_cases(), i, failed = 0;
	static char text[ROOM];
	unsigned int seed;
	size_t length;
	char *exact;

	for (i = 0; i < cases && failed < 10; i++) {
		dice_begin(i);
		seed = dice(sizeof(seeds) / sizeof(seeds[0]));
		length = strlen(seeds[seed]);
		memcpy(text, seeds[seed], length);
		length = dice_spoil(text, length, ROOM, words, sizeof(words) / sizeof(words[0]));
		/* An exact copy, so that a read past the end is seen. */
		exact = malloc(length ? length : 1);
		memcpy(exact, text, length);
		if (!one(exact, length, *seeds[seed] == '{') || !values(exact, length)) {
			printf("case %lu: %.*s\n", i, (int)length, exact);
			failed++;
		}
		free(exact);
	}
	printf("%lu passed, %lu failed\n", i - failed, failed);
	return failed != 0;
}
