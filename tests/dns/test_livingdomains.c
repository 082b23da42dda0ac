/* Domains on the living lists, with nsd, a store in memory and a clock that is put on. */
#include "fixture.h"

#include "engine/livingdomains.h"

#define DAY 86400
#define HOUR 3600
#define NETS 9			/* of nets.spf.test */

static struct server real;

struct world {
	struct fixture f;
	struct store *store;
	struct livinglists *lists;
	struct livingdomains *domains;
};

static void turn(struct world *w)
{
	loop_once(w->f.loop, 10);
	store_turn(w->store);
}

/* Longer than a tick. */
static void turns(struct world *w)
{
	uint64_t until = fixture_ms() + 1200;
	bool over;

	/* The last turn begins when the time is over: a stall may have left a tick that is due. */
	do {
		over = fixture_ms() >= until;
		turn(w);
	} while (!over);
}

static struct livingdomains *domains_new(struct world *w)
{
	const struct livingdomains_options options = { .loop = w->f.loop, .clock = &w->f.clock.clock, .store = w->store,
						       .living = w->lists, .resolver = w->f.resolver };
	struct livingdomains *d = livingdomains_new(&options);

	assert_non_null(d);
	return d;
}

static void begin(struct world *w, const char *driver, const char *target)
{
	char text[200];
	struct buf why = BUF_ON(text);

	fixture_begin(&w->f, real.port, 0, PATIENCE_MS, 0);
	const struct store_options options = { .driver = driver, .target = target, .loop = w->f.loop,
					       .clock = &w->f.clock.clock };
	w->store = store_open(&options, &why);
	assert_non_null(w->store);
	w->lists = livinglists_new(w->f.loop, &w->f.clock.clock, w->store);
	assert_non_null(w->lists);
	w->domains = domains_new(w);
	for (int i = 0; i < 200 && !livinglists_loaded(w->lists); i++)
		turn(w);
}

static void finish(struct world *w)
{
	store_close(&w->store);
	livingdomains_free(&w->domains);
	livinglists_free(&w->lists);
	fixture_end(&w->f);
}

static void on_changed(struct living_batch *b, const char *error)
{
	bool *done = b->arg;

	assert_null(error);
	*done = true;
}

/* until 0 removes. */
static enum living_outcome change(struct world *w, const char *list, enum list_kind kind, const char *value, int64_t until)
{
	bool done = false;
	struct living_item item = { .kind = kind, .value = span_of(value) };
	struct living_batch b = { .list = span_of(list), .author = span_of("alice"), .until = until, .remove = until == 0,
				  .shorten = true, .items = &item, .count = 1, .done = on_changed, .arg = &done };

	livinglists_change(w->lists, &b);
	for (int i = 0; i < 200 && !done; i++)
		turn(w);
	assert_true(done);
	return item.outcome;
}

/* When the entry for this client ends; 0 when there is none. */
static int64_t listed_until(struct world *w, const char *client)
{
	struct request r = { 0 };
	struct living_hit hit;

	assert_true(netaddr_parse(span_of(client), &r.client));
	return livinglists_has(w->lists, span_of("allow"), &r, &hit) ? hit.expires : 0;
}

static void wait_until(struct world *w, const char *client, int64_t wanted)
{
	uint64_t limit = fixture_ms() + WAIT_MS;

	while (listed_until(w, client) != wanted && fixture_ms() < limit)
		turn(w);
	assert_int_equal(listed_until(w, client), wanted);
}

static uint64_t asked(const struct world *w)
{
	return fixture_stats(&w->f).queries;
}

/* It asks anew, in vain, until all that has failed. */
static void wait_asked(struct world *w, uint64_t before)
{
	uint64_t limit = fixture_ms() + WAIT_MS;

	while ((asked(w) == before || fixture_stats(&w->f).in_flight) && fixture_ms() < limit)
		turn(w);
	assert_true(asked(w) > before);
}

struct heard {
	struct domain_wait wait;
	unsigned calls;
	struct domain_result result;
};

static void on_heard(struct domain_wait *wait, const struct domain_result *r)
{
	struct heard *h = wait->arg;

	h->calls++;
	h->result = *r;
}

static struct domain_wait *hear(struct heard *h)
{
	*h = (struct heard){ .wait = { .done = on_heard, .arg = h } };
	return &h->wait;
}

static void wait_heard(struct world *w, const struct heard *h, enum domain_outcome outcome, unsigned networks)
{
	uint64_t limit = fixture_ms() + WAIT_MS;

	while (!h->calls && fixture_ms() < limit)
		turn(w);
	assert_int_equal(h->calls, 1);
	assert_int_equal(h->result.outcome, outcome);
	assert_int_equal(h->result.networks, networks);
}

/* One that came from elsewhere: taken up after a moment, renewed daily, by one daemon. */
static void test_daily(void **state)
{
	struct world w;

	(void)state;
	begin(&w, "memory", "");
	change(&w, "allow", LIST_DOMAIN, "nets.spf.test", LIST_NEVER);
	turns(&w);
	assert_int_equal(asked(&w), 0);
	fixture_later(&w.f, 11);
	wait_until(&w, "198.51.100.9", NOW + 11 + DOMAIN_NETWORKS_S);
	assert_int_equal(listed_until(&w, "2001:db8:7::1"), NOW + 11 + DOMAIN_NETWORKS_S);
	assert_int_equal(livinglists_count(w.lists), 1 + NETS);
	uint64_t before = asked(&w);
	struct livingdomains *other = domains_new(&w);
	fixture_later(&w.f, 19 * HOUR);
	turns(&w);
	assert_int_equal(asked(&w), before);
	fixture_later(&w.f, 8 * HOUR);
	int64_t renewed = w.f.clock.now_s + DOMAIN_NETWORKS_S;
	wait_until(&w, "198.51.100.9", renewed);
	wait_until(&w, "192.0.2.200", renewed);
	before = asked(&w);
	fixture_later(&w.f, 11 * HOUR);
	turns(&w);
	assert_int_equal(asked(&w), before);
	livingdomains_stop(other);
	store_close(&w.store);
	livingdomains_free(&other);
	finish(&w);
}

static void write_zone(const char *records)
{
	char path[100];

	snprintf(path, sizeof path, "%s/test.zone", real.folder);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "$ORIGIN test.\n$TTL 60\n@ SOA ns post 1 3600 600 86400 60\n NS ns\nns A 127.0.0.1\n%s", records);
	fclose(f);
	server_stop(&real);
	server_real_again(&real);
}

/* What the domain gives up runs out; a DNS that is dead takes nothing away. */
static void test_changes(void **state)
{
	struct world w;
	struct heard h;

	(void)state;
	write_zone("nets TXT \"v=spf1 ip4:198.51.100.0/24 ip4:192.0.2.0/24 -all\"\n");
	begin(&w, "memory", "");
	change(&w, "allow", LIST_DOMAIN, "nets.test", LIST_NEVER);
	livingdomains_ask(w.domains, span_of("allow"), span_of("nets.test"), hear(&h));
	wait_heard(&w, &h, DOMAIN_LISTED, 2);
	write_zone("nets TXT \"v=spf1 ip4:198.51.100.0/24 ip4:203.0.113.0/24 -all\"\n");
	fixture_later(&w.f, 27 * HOUR);
	int64_t second = w.f.clock.now_s;
	wait_until(&w, "203.0.113.1", second + DOMAIN_NETWORKS_S);
	wait_until(&w, "198.51.100.1", second + DOMAIN_NETWORKS_S);
	assert_int_equal(listed_until(&w, "192.0.2.1"), NOW + DOMAIN_NETWORKS_S);

	server_stop(&real);
	fixture_later(&w.f, 27 * HOUR);
	uint64_t before = asked(&w);
	for (unsigned wait = 600; wait < 8 * HOUR; wait *= 2) {
		unsigned this = wait < 6 * HOUR ? wait : 6 * HOUR;
		wait_asked(&w, before);
		before = asked(&w);
		fixture_later(&w.f, this - 1);
		turns(&w);
		assert_int_equal(asked(&w), before);
		fixture_later(&w.f, 1);
	}
	assert_int_equal(listed_until(&w, "203.0.113.1"), second + DOMAIN_NETWORKS_S);
	clock_fake_set(&w.f.clock, NOW + DOMAIN_NETWORKS_S);
	assert_int_equal(listed_until(&w, "192.0.2.1"), 0);
	clock_fake_set(&w.f.clock, second + DOMAIN_NETWORKS_S);
	assert_int_equal(listed_until(&w, "203.0.113.1"), 0);
	server_real_again(&real);
	fixture_later(&w.f, 6 * HOUR);
	wait_until(&w, "203.0.113.1", w.f.clock.now_s + DOMAIN_NETWORKS_S);
	finish(&w);
}

/* A domain's own end, a person's own entry, two domains with one network. */
static void test_ends(void **state)
{
	struct world w;
	struct heard h, other;

	(void)state;
	write_zone("one TXT \"v=spf1 ip4:198.51.100.0/24 ip4:192.0.2.0/24 ip4:203.0.113.0/24 -all\"\n"
		   "two TXT \"v=spf1 ip4:198.51.100.0/24 -all\"\n");
	begin(&w, "memory", "");
	change(&w, "allow", LIST_CLIENT, "192.0.2.0/24", LIST_NEVER);
	change(&w, "allow", LIST_DOMAIN, "one.test", NOW + DAY);
	livingdomains_ask(w.domains, span_of("allow"), span_of("one.test"), hear(&h));
	wait_heard(&w, &h, DOMAIN_LISTED, 3);
	assert_int_equal(listed_until(&w, "198.51.100.1"), NOW + DAY);
	assert_int_equal(listed_until(&w, "192.0.2.1"), LIST_NEVER);
	fixture_later(&w.f, 1);
	change(&w, "allow", LIST_DOMAIN, "two.test", LIST_NEVER);
	livingdomains_ask(w.domains, span_of("allow"), span_of("two.test"), hear(&other));
	wait_heard(&w, &other, DOMAIN_LISTED, 1);
	assert_int_equal(listed_until(&w, "198.51.100.1"), NOW + 1 + DOMAIN_NETWORKS_S);
	/* Ending one's networks earlier leaves what the other has meanwhile. */
	assert_int_equal(change(&w, "allow", LIST_DOMAIN, "one.test", NOW + HOUR), LIVING_SHORTENED);
	livingdomains_drop(w.domains, span_of("allow"), span_of("one.test"), NOW + HOUR, hear(&h));
	wait_heard(&w, &h, DOMAIN_REMOVED, 1);
	assert_int_equal(listed_until(&w, "203.0.113.1"), NOW + HOUR);
	assert_int_equal(listed_until(&w, "198.51.100.1"), NOW + 1 + DOMAIN_NETWORKS_S);
	/* And what goes with the other is asked for again. */
	fixture_later(&w.f, 1);
	change(&w, "allow", LIST_DOMAIN, "two.test", 0);
	livingdomains_drop(w.domains, span_of("allow"), span_of("two.test"), 0, hear(&other));
	wait_heard(&w, &other, DOMAIN_REMOVED, 1);
	wait_until(&w, "198.51.100.1", NOW + HOUR);
	change(&w, "allow", LIST_DOMAIN, "one.test", 0);
	livingdomains_drop(w.domains, span_of("allow"), span_of("one.test"), 0, hear(&h));
	wait_heard(&w, &h, DOMAIN_REMOVED, 2);
	turns(&w);
	assert_int_equal(listed_until(&w, "198.51.100.1"), 0);
	assert_int_equal(listed_until(&w, "192.0.2.1"), LIST_NEVER);
	finish(&w);
}

/* Removed while it is asked for; asked for what is not listed; the end with questions out. */
static void test_given_up(void **state)
{
	struct world w;
	struct heard h[5], gone;

	(void)state;
	begin(&w, "memory", "");
	livingdomains_ask(w.domains, span_of("allow"), span_of("unlisted.test"), hear(&h[0]));
	wait_heard(&w, &h[0], DOMAIN_GIVEN_UP, 0);
	server_stop(&real);
	for (unsigned turns_first = 0; turns_first < 6; turns_first++) {
		change(&w, "allow", LIST_DOMAIN, "one.test", LIST_NEVER);
		livingdomains_ask(w.domains, span_of("allow"), span_of("one.test"), hear(&h[0]));
		livingdomains_ask(w.domains, span_of("allow"), span_of("one.test"), hear(&gone));
		for (unsigned i = 0; i < turns_first; i++)
			turn(&w);
		if (gone.calls == 0)
			domain_wait_cancel(&gone.wait);
		change(&w, "allow", LIST_DOMAIN, "one.test", 0);
		livingdomains_drop(w.domains, span_of("allow"), span_of("one.test"), 0, hear(&h[1]));
		wait_heard(&w, &h[1], DOMAIN_REMOVED, 0);
	}
	for (unsigned i = 0; i < 5; i++) {
		char name[20];
		snprintf(name, sizeof name, "d%u.test", i);
		change(&w, "allow", LIST_DOMAIN, name, LIST_NEVER);
		livingdomains_ask(w.domains, span_of("allow"), span_of(name), hear(&h[i]));
	}
	loop_once(w.f.loop, 10);
	livingdomains_drop(w.domains, span_of("allow"), span_of("d1.test"), 0, hear(&gone));
	livingdomains_stop(w.domains);
	for (unsigned i = 0; i < 5; i++)
		wait_heard(&w, &h[i], DOMAIN_GIVEN_UP, 0);
	wait_heard(&w, &gone, DOMAIN_GIVEN_UP, 0);
	finish(&w);
	server_real_again(&real);
}

static bool quiet_done;

static void on_change_perhaps(struct living_batch *b, const char *error)
{
	(void)b;
	(void)error;
	quiet_done = true;
}

/* Removed in every phase of a run, over a store that takes its time: nothing stays. */
static void test_races(void **state)
{
	struct world w;
	struct heard h, gone;

	(void)state;
	write_zone("one TXT \"v=spf1 ip4:198.51.100.0/24 ip4:192.0.2.0/24 -all\"\n");
	begin(&w, "failing", "slow 3");
	for (unsigned turns_first = 0; turns_first < 40; turns_first++) {
		change(&w, "allow", LIST_DOMAIN, "one.test", LIST_NEVER);
		livingdomains_ask(w.domains, span_of("allow"), span_of("one.test"), hear(&h));
		for (unsigned i = 0; i < turns_first; i++)
			loop_once(w.f.loop, 1);
		change(&w, "allow", LIST_DOMAIN, "one.test", 0);
		livingdomains_drop(w.domains, span_of("allow"), span_of("one.test"), 0, hear(&gone));
		uint64_t limit = fixture_ms() + WAIT_MS;
		while ((!gone.calls || !h.calls) && fixture_ms() < limit)
			turn(&w);
		assert_int_equal(h.calls, 1);
		assert_int_equal(gone.calls, 1);
		assert_int_equal(gone.result.outcome, DOMAIN_REMOVED);
		assert_int_equal(listed_until(&w, "198.51.100.1"), 0);
		assert_int_equal(listed_until(&w, "192.0.2.1"), 0);
	}
	finish(&w);
}

/* The store fails at its Nth operation, or hangs: everybody hears, nothing is lost or freed twice. */
static void test_store_fails(void **state)
{
	char target[30] = "hang";
	struct world w;
	struct heard h, gone;

	(void)state;
	for (unsigned n = 0; n < 30; n++) {
		struct living_item item = { .kind = LIST_DOMAIN, .value = span_of("one.test") };
		struct living_batch b = { .list = span_of("allow"), .until = LIST_NEVER, .items = &item, .count = 1,
					  .done = on_change_perhaps };
		begin(&w, "failing", target);
		quiet_done = false;
		livinglists_change(w.lists, &b);
		for (int i = 0; i < 10 && !quiet_done; i++)
			turn(&w);
		livingdomains_ask(w.domains, span_of("allow"), span_of("one.test"), hear(&h));
		for (int i = 0; i < 30 && !h.calls; i++)
			turn(&w);
		livingdomains_drop(w.domains, span_of("allow"), span_of("one.test"), 0, hear(&gone));
		for (int i = 0; i < 30 && !gone.calls; i++)
			turn(&w);
		livingdomains_stop(w.domains);
		assert_int_equal(h.calls, 1);
		assert_int_equal(gone.calls, 1);
		finish(&w);
		snprintf(target, sizeof target, "fail-after %u", n);
	}
}

static int servers_start(void **state)
{
	(void)state;
	server_real(&real);
	return 0;
}

static int servers_end(void **state)
{
	(void)state;
	server_end(&real);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_daily), cmocka_unit_test(test_changes), cmocka_unit_test(test_ends),
		cmocka_unit_test(test_given_up), cmocka_unit_test(test_races), cmocka_unit_test(test_store_fails),
	};

	if (!server_there()) {
		print_message("skip: no nsd\n");
		return 77;
	}
	return cmocka_run_group_tests_name("livingdomains", tests, servers_start, servers_end);
}
