#include "check.h"

#include "web/prometheus.h"

static char *text_of(const char *status)
{
	static char text[20000];
	struct buf out = BUF_ON(text);
	json_t *object = status ? json_loads(status, 0, NULL) : NULL;

	assert_true(!status || object);
	prometheus_add(&out, object);
	assert_false(out.over);
	json_decref(object);
	return text;
}

static void away(void **state)
{
	(void)state;
	assert_string_equal(text_of(NULL), "# HELP greylag_up 1 while greylagd answers.\n# TYPE greylag_up gauge\ngreylag_up 0\n");
}

static void labels_are_escaped(void **state)
{
	const char *text = text_of("{\"version\":\"a\\\\b\\\"c\\nd\",\"mode\":\"\\u00fc\"}");

	(void)state;
	assert_non_null(strstr(text, "greylag_info{version=\"a\\\\b\\\"c\\nd\",mode=\"\xc3\xbc\"} 1\n"));
}

static void histogram(void **state)
{
	const char *text = text_of("{\"delays\":[{\"under\":60,\"count\":2},{\"under\":120,\"count\":3},{\"under\":0,\"count\":1}],"
				   "\"delayed_s\":500,\"latency_us\":{\"sum\":1500000,\"buckets\":[{\"under\":1,\"count\":0},"
				   "{\"under\":4194304,\"count\":7},{\"under\":0,\"count\":0}]}}");

	(void)state;
	assert_non_null(strstr(text, "greylag_delay_seconds_bucket{le=\"60\"} 2\ngreylag_delay_seconds_bucket{le=\"120\"} 5\n"
				     "greylag_delay_seconds_bucket{le=\"+Inf\"} 6\ngreylag_delay_seconds_sum 500\n"
				     "greylag_delay_seconds_count 6\n"));
	assert_non_null(strstr(text, "greylag_answer_seconds_bucket{le=\"1e-06\"} 0\n"));
	assert_non_null(strstr(text, "greylag_answer_seconds_bucket{le=\"4.194304\"} 7\n"));
	assert_non_null(strstr(text, "greylag_answer_seconds_sum 1.5\n"));
}

/* Whatever another version says. */
static void other_status(void **state)
{
	static const char *const texts[] = {
		"{}", "{\"verdicts\":1,\"store\":[],\"server\":null,\"dns\":\"x\",\"latency_us\":{\"buckets\":{}},\"delays\":[1,null]}",
		"{\"started\":\"yesterday\",\"requests\":\"many\",\"verdicts\":[{},[],{\"verdict\":1}]}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_non_null(strstr(text_of(texts[i]), "greylag_up 1\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(away), cmocka_unit_test(labels_are_escaped), cmocka_unit_test(histogram), cmocka_unit_test(other_status),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
