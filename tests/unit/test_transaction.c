#include "check.h"

#include "engine/transaction.h"

static struct transactions *t;

static struct request request_of(const char *instance, const char *recipient)
{
	return (struct request){ .instance = span_of(instance), .recipient = span_of(recipient),
				 .client_text = span_of("192.0.2.1"), .sender = span_of("a@x.example") };
}

static const struct fact_transaction deferred = { .found = true, .verdict = VERDICT_DEFER, .passes_at = 99 };

static bool found(const struct request *r, int64_t now)
{
	struct fact_transaction out;
	struct span recipient;

	transactions_find(t, r, now, &out, &recipient);
	return out.found;
}

static void remembers_by_instance(void **state)
{
	struct request r = request_of("1.a", "b@y"), other = request_of("2.b", "b@y"), none = request_of("", "b@y");

	(void)state;
	transactions_put(t, &r, 1000, &deferred);
	transactions_put(t, &none, 1000, &deferred);
	assert_true(found(&r, 1000));
	assert_true(found(&r, 1000 + TRANSACTION_KEEP_S - 1));
	assert_false(found(&r, 1000 + TRANSACTION_KEEP_S));
	assert_false(found(&other, 1000));
	assert_false(found(&none, 1000));
	r.client_text = span_of("192.0.2.2");	/* another MTA's instance of the same name */
	assert_false(found(&r, 1000));
}

static void remembers_the_first_recipient(void **state)
{
	struct request first = request_of("n", "first@y"), second = request_of("n", "second@y");
	struct fact_transaction out;
	struct span recipient;
	char text[TRANSACTION_RECIPIENT_MAX + 1];

	(void)state;
	transactions_put_recipient(t, &first, 5);
	transactions_put_recipient(t, &second, 5);
	transactions_find(t, &second, 6, &out, &recipient);
	assert_false(out.found);
	assert_span(recipient, "first@y");
	memset(text, 'x', sizeof text);
	struct request longer = request_of("long", "");
	longer.recipient = span_make(text, sizeof text);
	transactions_put_recipient(t, &longer, 5);
	transactions_find(t, &longer, 6, &out, &recipient);
	assert_int_equal(recipient.n, 0);
}

/* A flood pushes old entries out, the newest is always there. */
static void bounded(void **state)
{
	char name[32];

	(void)state;
	for (int i = 0; i < 100000; i++) {
		snprintf(name, sizeof name, "i%d", i);
		struct request r = request_of(name, "b@y");
		transactions_put(t, &r, i, &deferred);
		assert_true(found(&r, i));
	}
}

static int setup(void **state)
{
	(void)state;
	t = transactions_new();
	return t ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	transactions_free(&t);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(remembers_by_instance), cmocka_unit_test(remembers_the_first_recipient),
		cmocka_unit_test(bounded),
	};
	return cmocka_run_group_tests_name("transaction", tests, setup, teardown);
}
