/* SPDX-License-Identifier: MIT */
/*
 * JSON: the writer's layout byte for byte, the parser on good, bad and hostile texts, both ways
 * round.
 */
/* LINK: dom0-tools/libs/json/write.c dom0-tools/libs/json/parse.c dom0-tools/libs/json/tree.c */
/* LINK: dom0-tools/libs/util/core.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <tools/json.h>

static void test_layout(void **state __attribute__((unused)))
{
	struct json_writer w = { 0 };
	char *text;

	json_open_array(&w, NULL);
	json_open_object(&w, NULL);
	json_int(&w, "domid", 0);
	json_open_object(&w, "config");
	json_open_array(&w, "empty");
	json_close_array(&w);
	json_string(&w, "name", "a\"b\\c\n\001/");
	json_close_object(&w);
	json_close_object(&w);
	json_close_array(&w);
	text = strbuf_take(&w.out);
	assert_string_equal(text,
			    "[\n"
			    "    {\n"
			    "        \"domid\": 0,\n"
			    "        \"config\": {\n"
			    "            \"empty\": [\n"
			    "\n"
			    "            ],\n"
			    "            \"name\": \"a\\\"b\\\\c\\n\\u0001/\"\n"
			    "        }\n"
			    "    }\n"
			    "]\n");
	free(text);
}

static void test_compact(void **state __attribute__((unused)))
{
	struct json_writer w = { .compact = true };
	char *text;

	json_open_object(&w, NULL);
	json_string(&w, "a", NULL);
	json_bool(&w, "b", true);
	json_open_array(&w, "c");
	json_double(&w, NULL, 1.5);
	json_double(&w, NULL, 1.0 / 0.0);
	json_close_array(&w);
	json_close_object(&w);
	text = strbuf_take(&w.out);
	assert_string_equal(text, "{\"a\": null, \"b\": true, \"c\": [1.5, null]}\n");
	free(text);
}

/* Bytes that are no text must not make the output something else than JSON. */
static void test_bad_bytes(void **state __attribute__((unused)))
{
	static const char *const samples[] = {
		"\xff", "\xc3",	       "\xe2\x82", "\xe2\x28\xa1", "gr\xc3\xbc\xc3\x9f",
		"\x7f", "\xed\xa0\x80"
	};
	unsigned int i;

	for (i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct json_writer w = { .compact = true };
		struct json_value *v;
		char *text;

		json_string(&w, NULL, samples[i]);
		text = strbuf_take(&w.out);
		v = json_parse(text, strlen(text), NULL);
		assert_non_null(v);
		json_free(v);
		free(text);
	}
}

static void round_trip(const char *in, const char *out)
{
	struct json_value *v = json_parse(in, strlen(in), NULL);
	struct json_writer w = { .compact = true };
	char *text;

	assert_non_null(v);
	json_write(&w, NULL, v);
	json_free(v);
	text = strbuf_take(&w.out);
	assert_string_equal(text, out);
	free(text);
}

static void test_round_trip(void **state __attribute__((unused)))
{
	round_trip(" { \"a\" : [ 1 , -2, 3.5 ] , \"b\":{} } ",
		   "{\"a\": [1, -2, 3.5], \"b\": {}}\n");
	round_trip("\"\\u00e9\\ud83d\\ude00\\t\"", "\"\xc3\xa9\xf0\x9f\x98\x80\\t\"\n");
	round_trip("18446744073709551615", "1.844674407e+19\n");
	round_trip("[true,false,null]", "[true, false, null]\n");
}

static void test_refused(void **state __attribute__((unused)))
{
	static const char *const bad[] = {
		"",
		"{",
		"[1,",
		"[1,]",
		"{\"a\"}",
		"{\"a\":}",
		"{a:1}",
		"\"\\u12\"",
		"\"\\ud800\"",
		"\"\\u0000\"",
		"\"\n\"",
		"tru",
		"+1",
		"1e",
		"--1",
		"[1] 2",
		"\"abc",
		"{\"a\":1,}",
		"nul",
		"1111111111111111111111111111111111111111111111111111111111111111111111",
	};
	struct tools_error e = { 0 };
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_null(json_parse(bad[i], strlen(bad[i]), &e));
	assert_string_equal(e.code, "bad-json");
}

static void test_depth(void **state __attribute__((unused)))
{
	char deep[2 * JSON_MAX_DEPTH + 1];
	struct json_value *v;

	memset(deep, '[', JSON_MAX_DEPTH);
	memset(deep + JSON_MAX_DEPTH, ']', JSON_MAX_DEPTH);
	assert_null(json_parse(deep, 2 * JSON_MAX_DEPTH, NULL));
	v = json_parse(deep + 1, 2 * JSON_MAX_DEPTH - 2, NULL);
	assert_non_null(v);
	json_free(v);
}

static void test_tree(void **state __attribute__((unused)))
{
	static const char in[] = "{\"a\":{\"x\":1},\"b\":\"t\"}";
	struct json_value *v = json_parse(in, sizeof(in) - 1, NULL);
	struct json_writer w = { .compact = true };
	char *text;

	assert_int_equal(json_member(json_member(v, "a"), "x")->integer, 1);
	assert_null(json_member(v, "c"));
	assert_null(json_member(json_member(v, "b"), "c"));
	assert_int_equal(json_set_int(v, "a", 7), 0);
	assert_int_equal(json_set_string(v, "c", "new"), 0);
	json_remove(v, "b");
	json_remove(v, "b");
	assert_non_null(json_add(json_add(v, "d", JSON_ARRAY), NULL, JSON_OBJECT));
	json_write(&w, NULL, v);
	json_free(v);
	text = strbuf_take(&w.out);
	assert_string_equal(text, "{\"a\": 7, \"c\": \"new\", \"d\": [{}]}\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout), cmocka_unit_test(test_compact),
		cmocka_unit_test(test_bad_bytes), cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_depth),
		cmocka_unit_test(test_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
