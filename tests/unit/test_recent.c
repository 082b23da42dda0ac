#include "check.h"

#include "daemon/recent.h"

static struct inquiry *question(enum verdict verdict, enum reason reason)
{
	static struct inquiry q;

	memset(&q, 0, sizeof q);
	q.now = 1000;
	q.decision.verdict = q.decision.would = verdict;
	q.decision.reason = reason;
	q.request.client_text = span_of("192.0.2.1");
	return &q;
}

static unsigned count_from(const struct recent *r, uint64_t after, uint64_t *first, uint64_t *last)
{
	struct recent_cursor at = { .after = after };
	const struct recent_verdict *v;
	unsigned n = 0;

	*first = *last = 0;
	while ((v = recent_next(r, &at))) {
		assert_true(v->number > *last);
		*last = v->number;
		if (n++ == 0)
			*first = v->number;
	}
	return n;
}

static void order_and_numbers(void **state)
{
	struct recent *r = recent_new();
	uint64_t first, last;

	(void)state;
	assert_int_equal(count_from(r, 0, &first, &last), 0);
	for (int i = 0; i < 10; i++)
		recent_add(r, question(i % 2 ? VERDICT_PASS : VERDICT_DEFER, i % 2 ? REASON_KNOWN : REASON_NEW));
	assert_int_equal(count_from(r, 0, &first, &last), 10);
	assert_int_equal(first, 1);
	assert_int_equal(last, 10);
	assert_int_equal(count_from(r, 7, &first, &last), 3);
	assert_int_equal(first, 8);
	assert_int_equal(count_from(r, 10, &first, &last), 0);
	assert_int_equal(count_from(r, UINT64_MAX, &first, &last), 0);
	recent_free(&r);
	assert_null(r);
}

/* Many passes do not wash out what was deferred. */
static void two_rings(void **state)
{
	struct recent *r = recent_new();
	uint64_t first, last;

	(void)state;
	recent_add(r, question(VERDICT_DEFER, REASON_NEW));
	recent_add(r, question(VERDICT_PASS, REASON_RETRIED));
	recent_add(r, question(VERDICT_PASS, REASON_STORE_TIMEOUT));
	for (int i = 0; i < 10000; i++)
		recent_add(r, question(VERDICT_PASS, REASON_ALLOWED));
	assert_int_equal(count_from(r, 0, &first, &last), RECENT_EACH + 3);
	assert_int_equal(first, 1);
	assert_int_equal(last, 10003);
	for (int i = 0; i < 3 * RECENT_EACH + 7; i++)
		recent_add(r, question(VERDICT_DEFER, REASON_EARLY));
	assert_int_equal(count_from(r, 0, &first, &last), 2 * RECENT_EACH);
	recent_free(&r);
}

static void longest_texts(void **state)
{
	static char longest[REQUEST_ADDRESS_MAX];
	struct recent *r = recent_new();
	struct recent_cursor at = { 0 };
	struct inquiry *q = question(VERDICT_DEFER, REASON_BLOCK_LIST);
	struct request *in = &q->request;

	(void)state;
	memset(longest, '\xff', sizeof longest);
	in->sender = in->recipient = span_make(longest, sizeof longest);
	in->client_text = in->client_name = in->helo = in->queue_id = span_make(longest, REQUEST_NAME_MAX);
	in->stage = STAGE_END_OF_MESSAGE;
	q->decision.ruled = q->decision.ruling.listed = true;
	q->decision.ruling.file = "a-list-whose-name-is-long-beyond-all-that-is-reasonable-and-then-some-more-so-that-it-must-be-cut-here";
	snprintf(q->hit.value, sizeof q->hit.value, "entry");
	recent_add(r, q);
	const struct recent_verdict *v = recent_next(r, &at);
	assert_non_null(v);
	for (enum recent_field f = RECENT_RULE; f < RECENT_FIELDS; f++) {
		assert_true(recent_text(v, f).n <= recent_most(f) + 1);
		if (f != RECENT_IDENTITY && f != RECENT_STAGE)
			assert_int_equal(recent_text(v, f).n, recent_most(f) + 1);
	}
	assert_int_equal(recent_text(v, RECENT_IDENTITY).n, 0);
	assert_int_equal(recent_text(v, RECENT_QUEUE).p[recent_text(v, RECENT_QUEUE).n - 1], '\xff');
	recent_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_and_numbers), cmocka_unit_test(two_rings), cmocka_unit_test(longest_texts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
