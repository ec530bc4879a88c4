/* SPDX-License-Identifier: MIT */
/*
 * Writing the migration stream: byte for byte what the specifications ask, nothing that breaks a
 * rule, and accepted by Debian's own verify-stream-v2 where setup has unpacked it.
 */
/* LINK: dom0-tools/libs/stream/rules.c dom0-tools/libs/stream/reader.c */
/* LINK: dom0-tools/libs/stream/framing.c */
/* LINK: dom0-tools/libs/stream/writer.c dom0-tools/libs/stream/tables.c */
/* LINK: dom0-tools/libs/util/core.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <stream_sample.h>

#define FIRST_RECORD 40U /* offset of the first record in a libxc stream */

static int put_buffer(void *cookie, const struct iovec *parts, unsigned int count)
{
	assert_true(count && count <= 64);
	for (unsigned int i = 0; i < count; i++)
		strbuf_add(cookie, parts[i].iov_base, parts[i].iov_len);
	return 0;
}

/* The sample by the writer. */
static void write_sample(struct stream_writer *w, const char *config)
{
	static uint8_t pages[2][STREAM_PAGE_BYTES], zeros[STREAM_PAGE_BYTES];
	const void *const list[] = { pages[0], pages[1] };
	uint64_t frames[2] = { 700, 701 };
	uint8_t context[sizeof(struct vcpu_guest_context)];
	struct tools_error e;

	memset(pages[0], 0x33, sizeof(pages[0]));
	memset(pages[1], 0x55, sizeof(pages[1]));
	assert_int_equal(stream_write_start(w, config, 4, 17, &e), 0);
	assert_int_equal(stream_write_pv_info(w, &e), 0);
	assert_int_equal(stream_write_record(w, STREAM_REC_X86_CPUID_POLICY, zeros, 48, &e), 0);
	assert_int_equal(stream_write_record(w, STREAM_REC_X86_MSR_POLICY, zeros, 16, &e), 0);
	assert_int_equal(stream_write_record(w, STREAM_REC_STATIC_DATA_END, NULL, 0, &e), 0);
	assert_int_equal(stream_write_p2m_frames(w, SAMPLE_MAX_PFN, frames, &e), 0);
	assert_int_equal(stream_write_pages(w, SAMPLE_WORDS, sample_words, list, &e), 0);
	assert_int_equal(stream_write_tsc_info(w, 0, 2600000, 123456789, 1, &e), 0);
	assert_int_equal(stream_write_record(w, STREAM_REC_SHARED_INFO, zeros, sizeof(zeros), &e),
			 0);
	memset(context, 1, sizeof(context));
	assert_int_equal(
		stream_write_vcpu(w, STREAM_REC_X86_PV_VCPU_BASIC, 0, context, sizeof(context), &e),
		0);
	memset(context, 3, sizeof(context));
	assert_int_equal(stream_write_vcpu(w, STREAM_REC_X86_PV_VCPU_EXTENDED, 0, context, 128, &e),
			 0);
	memset(context, 4, sizeof(context));
	assert_int_equal(stream_write_vcpu(w, STREAM_REC_X86_PV_VCPU_XSAVE, 0, context, 593, &e),
			 0);
	memset(context, 5, sizeof(context));
	assert_int_equal(stream_write_vcpu(w, STREAM_REC_X86_PV_VCPU_MSRS, 0, context, 32, &e), 0);
	assert_int_equal(stream_write_vcpu(w, STREAM_REC_X86_PV_VCPU_MSRS, 1, NULL, 0, &e), 0);
	assert_int_equal(stream_write_end(w, &e), 0);
	assert_int_equal(stream_write_end(w, &e), -EINVAL);
}

/* Byte for byte what the specifications say, which the sample spells out by hand. */
static void test_written(void **state __attribute__((unused)))
{
	static const struct stream_options strict = { .strict = true };

	for (unsigned int f = STREAM_LIBXC; f <= STREAM_XL; f++) {
		struct strbuf expected = { 0 }, s = { 0 };
		struct sample_digest d;
		struct stream_writer *w;

		sample_stream(&expected, f, 3,
			      f == STREAM_LIBXC ? SAMPLE_GOOD : "1" SAMPLE_GOOD "0");
		assert_int_equal(stream_writer_open(f, NULL, put_buffer, &s, &w), 0);
		write_sample(w, SAMPLE_CONFIG);
		assert_int_equal(stream_writer_offset(w), s.length);
		stream_writer_close(w);
		assert_int_equal(s.length, expected.length);
		assert_memory_equal(s.text, expected.text, s.length);
		assert_int_equal(sample_read(&s, f, &strict, 5000, &d, NULL), 0);
		strbuf_free(&s);
		strbuf_free(&expected);
	}
}

static void test_config(void **state __attribute__((unused)))
{
	static const char *const configs[] = { SAMPLE_CONFIG, NULL };

	for (unsigned int i = 0; i < 2; i++) {
		struct strbuf s = { 0 };
		struct stream_writer *w;
		struct stream_reader *r;
		struct stream_item item;
		size_t used;

		assert_int_equal(stream_writer_open(STREAM_XL, NULL, put_buffer, &s, &w), 0);
		assert_int_equal(stream_write_start(w, configs[i], 4, 17, NULL), 0);
		assert_int_equal(stream_reader_open(STREAM_XL, NULL, &r), 0);
		assert_int_equal(stream_read(r, s.text, s.length, &used, &item, NULL), 1);
		assert_int_equal(item.kind, STREAM_FILE);
		assert_int_equal(item.file.json, configs[i] != NULL);
		if (configs[i]) {
			assert_string_equal(item.file.config, configs[i]);
			assert_int_equal(item.file.config_length, strlen(configs[i]));
		} else {
			assert_null(item.file.config);
		}
		stream_reader_close(r);
		stream_writer_close(w);
		strbuf_free(&s);
	}
}

/* Many pages: apart in memory, they go out in several calls. */
static void test_many_pages(void **state __attribute__((unused)))
{
	enum { PAGES = 200 };
	struct strbuf s = { 0 };
	struct stream_writer *w;
	struct sample_digest d;
	uint64_t words[PAGES], frames[2] = { 1, 2 };
	const void *list[PAGES];
	uint8_t *memory = calloc(PAGES * 2, STREAM_PAGE_BYTES);
	uint8_t context[sizeof(struct vcpu_guest_context)] = { 0 };

	assert_non_null(memory);
	for (unsigned int i = 0; i < PAGES; i++) {
		words[i] = stream_word(i, XEN_DOMCTL_PFINFO_NOTAB);
		list[i] = memory + (i < 50 ? i : i * 2) * (size_t)STREAM_PAGE_BYTES;
	}
	assert_int_equal(stream_writer_open(STREAM_LIBXL, NULL, put_buffer, &s, &w), 0);
	assert_int_equal(stream_write_start(w, NULL, 4, 17, NULL), 0);
	assert_int_equal(stream_write_pv_info(w, NULL), 0);
	assert_int_equal(stream_write_record(w, STREAM_REC_STATIC_DATA_END, NULL, 0, NULL), 0);
	assert_int_equal(stream_write_p2m_frames(w, SAMPLE_MAX_PFN, frames, NULL), 0);
	assert_int_equal(stream_write_pages(w, PAGES, words, list, NULL), 0);
	assert_int_equal(stream_write_record(w, STREAM_REC_SHARED_INFO, memory, 4096, NULL), 0);
	assert_int_equal(stream_write_vcpu(w, STREAM_REC_X86_PV_VCPU_BASIC, 0, context,
					   sizeof(context), NULL),
			 0);
	assert_int_equal(stream_write_image_end(w, NULL), 0);
	assert_int_equal(stream_write_emulator(w, STREAM_FRAME_EMULATOR_XENSTORE_DATA, 2, 0, "a\0b",
					       4, NULL),
			 0);
	assert_int_equal(
		stream_write_emulator(w, STREAM_FRAME_EMULATOR_XENSTORE_DATA, 2, 0, "a", 2, NULL),
		-EINVAL);
	assert_int_equal(
		stream_write_emulator(w, STREAM_FRAME_EMULATOR_CONTEXT, 2, 0, "abc", 3, NULL), 0);
	assert_int_equal(stream_write_end(w, NULL), 0);
	stream_writer_close(w);
	assert_int_equal(sample_read(&s, STREAM_LIBXL, NULL, 10000, &d, NULL), 0);
	assert_int_equal(d.pages, PAGES);
	free(memory);
	strbuf_free(&s);
}

static int put_until(void *cookie, const struct iovec *parts __attribute__((unused)),
		     unsigned int count __attribute__((unused)))
{
	int *left = cookie;

	return (*left)-- > 0 ? 0 : -EPIPE;
}

/* The writer breaks no rule, and is dead after a failed write. */
static void test_writer_refuses(void **state __attribute__((unused)))
{
	struct tools_error e = { .text = "" };
	struct stream_writer *w;
	struct strbuf s = { 0 };
	uint64_t word = 5ULL << 60;
	const void *page = "";
	int left = 2;

	assert_int_equal(stream_writer_open(STREAM_LIBXC, NULL, put_buffer, &s, &w), 0);
	assert_int_equal(stream_write_pv_info(w, &e), -EINVAL);
	assert_int_equal(stream_write_start(w, NULL, 4, 17, &e), 0);
	assert_int_equal(stream_write_start(w, NULL, 4, 17, &e), -EINVAL);
	assert_int_equal(stream_write_record(w, STREAM_REC_STATIC_DATA_END, NULL, 0, &e), -EINVAL);
	assert_non_null(
		strstr(e.text, "STATIC_DATA_END (type 0x00000010) at byte 40: no X86_PV_INFO"));
	assert_int_equal(stream_write_record(w, STREAM_REC_X86_CPUID_POLICY, "", 1, &e), -EINVAL);
	assert_int_equal(stream_write_record(w, STREAM_REC_HVM_PARAMS, "", 0, &e), -EOPNOTSUPP);
	assert_int_equal(stream_write_pages(w, 1, &word, &page, &e), -EINVAL);
	assert_int_equal(stream_write_vcpu(w, STREAM_REC_SHARED_INFO, 0, "", 1, &e), -EINVAL);
	assert_int_equal(stream_write_checkpoint(w, &e), -EOPNOTSUPP);
	assert_int_equal(stream_write_end(w, &e), -EINVAL);
	assert_int_equal(s.length, FIRST_RECORD);
	stream_writer_close(w);
	strbuf_free(&s);

	assert_int_equal(stream_writer_open(STREAM_LIBXC, NULL, put_until, &left, &w), 0);
	assert_int_equal(stream_write_start(w, NULL, 4, 17, &e), 0);
	assert_int_equal(stream_write_pv_info(w, &e), 0);
	assert_int_equal(stream_write_record(w, STREAM_REC_STATIC_DATA_END, NULL, 0, &e), -EPIPE);
	assert_non_null(strstr(e.text, "cannot write it: Broken pipe"));
	assert_int_equal(stream_write_end(w, &e), -EPIPE);
	stream_writer_close(w);
}

static void test_checkpoints_written(void **state __attribute__((unused)))
{
	static const struct stream_options options = { .checkpoints = true };
	static const uint8_t zeros[sizeof(struct vcpu_guest_context)];
	struct strbuf s = { 0 };
	struct sample_digest d;
	struct stream_writer *w;
	uint64_t frame = 1, word = stream_word(1, XEN_DOMCTL_PFINFO_XTAB);

	assert_int_equal(stream_writer_open(STREAM_LIBXL, &options, put_buffer, &s, &w), 0);
	assert_int_equal(stream_write_start(w, NULL, 4, 17, NULL), 0);
	assert_int_equal(stream_write_pv_info(w, NULL), 0);
	assert_int_equal(stream_write_record(w, STREAM_REC_STATIC_DATA_END, NULL, 0, NULL), 0);
	assert_int_equal(stream_write_p2m_frames(w, 10, &frame, NULL), 0);
	for (unsigned int round = 0; round < 2; round++) {
		assert_int_equal(stream_write_pages(w, 1, &word, NULL, NULL), 0);
		assert_int_equal(stream_write_record(w, STREAM_REC_SHARED_INFO, zeros, 4096, NULL),
				 0);
		assert_int_equal(stream_write_vcpu(w, STREAM_REC_X86_PV_VCPU_BASIC, 0, zeros,
						   sizeof(zeros), NULL),
				 0);
		if (!round)
			assert_int_equal(stream_write_checkpoint(w, NULL), 0);
	}
	assert_int_equal(stream_write_end(w, NULL), 0);
	stream_writer_close(w);
	assert_int_equal(sample_read(&s, STREAM_LIBXL, &options, 10000, &d, NULL), 0);
	assert_string_equal(d.kinds, "liRRRpRRRfpRRRf");
	strbuf_free(&s);
}

/* ---- Debian's opinion ---- */

/*
 * Runs verify-stream-v2 of the unpacked packages over @s, a stream of @format (and more options);
 * its exit status, 127: there is none.
 */
static int verify(const struct strbuf *s, const char *format)
{
	char name[] = "/tmp/krypton-stream-XXXXXX", command[512];
	int fd = mkstemp(name), status;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, s->text, s->length), (ssize_t)s->length);
	close(fd);
	snprintf(
		command, sizeof(command),
		"cache=${KRYPTON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/krypton}\n"
		"root=$cache/root/usr/lib/xen-4.17\n"
		"export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$root/lib/python\n"
		"[ -e $root/bin/verify-stream-v2 ] || exit 127\n"
		"exec python3 $root/bin/verify-stream-v2 -i %s -f %s 2>&1",
		name, format);
	status = system(command);
	unlink(name);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_verify(void **state __attribute__((unused)))
{
	static const char *const formats[] = { "libxc", "libxl", "xl" };

	for (unsigned int f = STREAM_LIBXC; f <= STREAM_XL; f++) {
		struct strbuf s = { 0 };
		struct stream_writer *w;
		char quiet[16];
		int rc;

		assert_int_equal(stream_writer_open(f, NULL, put_buffer, &s, &w), 0);
		write_sample(w, SAMPLE_CONFIG);
		stream_writer_close(w);
		rc = verify(&s, formats[f]);
		if (rc == 127) {
			strbuf_free(&s);
			skip();
		}
		assert_int_equal(rc, 0);
		s.length -= 8; /* it does look */
		snprintf(quiet, sizeof(quiet), "%s -q", formats[f]);
		assert_int_not_equal(verify(&s, quiet), 0);
		strbuf_free(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_written),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_many_pages),
		cmocka_unit_test(test_writer_refuses),
		cmocka_unit_test(test_checkpoints_written),
		cmocka_unit_test(test_verify),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
