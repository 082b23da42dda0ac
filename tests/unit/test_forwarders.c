#include "check.h"

#include "engine/forwarders.h"

#define NOW 1700000000

static struct request mail(const char *client, const char *org, char sender[64], unsigned n)
{
	struct request r = { .client_org = span_of(org), .client_name = span_of(org) };

	assert_true(netaddr_parse(span_of(client), &r.client));
	snprintf(sender, 64, "user@sender%u.example", n);
	r.sender = span_of(sender);
	return r;
}

static void one_machine_with_many_senders(void **state)
{
	struct forwarders *f = forwarders_new();
	struct forwarder found;
	unsigned told = 0;
	char sender[64];

	(void)state;
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < 60; i++) {
			struct request r = mail("192.0.2.1", "mx2.example.net", sender, i);
			told += forwarders_note(f, &r, NOW, &found);
			/* A sender of its own that writes as much is none. */
			r = mail("192.0.2.2", "shop.example", sender, 0);
			assert_false(forwarders_note(f, &r, NOW, &found));
		}
	assert_int_equal(told, 1);
	assert_true(forwarders_get(f, 0, &found));
	assert_string_equal(found.name, "mx2.example.net");
	assert_in_range(found.domains, 50, 70);
	assert_int_equal(found.mails, 180);
	assert_false(forwarders_get(f, 1, &found));
	forwarders_free(&f);
}

static void a_provider_is_none(void **state)
{
	struct forwarders *f = forwarders_new();
	struct forwarder found;
	char sender[64], client[20];

	(void)state;
	for (unsigned i = 0; i < 60; i++)
		for (unsigned machine = 1; machine <= 8; machine++) {
			snprintf(client, sizeof client, "198.51.100.%u", machine);
			struct request r = mail(client, "big.example", sender, i);
			assert_false(forwarders_note(f, &r, NOW, &found));
		}
	assert_false(forwarders_get(f, 0, &found));
	forwarders_free(&f);
}

static void odd_mail_and_a_flood(void **state)
{
	struct forwarders *f = forwarders_new();
	struct forwarder found;
	struct request r = { .sender = SPAN("") };
	uint64_t seed = 7;
	char sender[64], client[20];

	(void)state;
	assert_false(forwarders_note(f, &r, NOW, &found));
	for (unsigned i = 0; i < 100000; i++) {
		snprintf(client, sizeof client, "10.%u.%u.%u", (unsigned)check_random(&seed) % 256,
			 (unsigned)check_random(&seed) % 256, (unsigned)check_random(&seed) % 256);
		r = mail(client, "", sender, i);
		forwarders_note(f, &r, NOW + i, &found);
	}
	for (unsigned i = 0; i < 2000; i++) {
		r = mail("192.0.2.1", "", sender, i);
		forwarders_note(f, &r, NOW + 200000, &found);
	}
	assert_true(forwarders_get(f, 0, &found));
	forwarders_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_machine_with_many_senders), cmocka_unit_test(a_provider_is_none),
		cmocka_unit_test(odd_mail_and_a_flood),
	};
	return cmocka_run_group_tests_name("forwarders", tests, NULL, NULL);
}
