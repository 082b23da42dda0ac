#include "check.h"

#include "engine/livinglists.h"
#include "lists/addrset.h"
#include "lists/listvalue.h"
#include "lists/nameset.h"

#define NOW 1700000000

static struct loop *loop;
static struct clock_fake now;
static struct store *store;
static struct livinglists *lists;

static void open_all(const char *driver, const char *target)
{
	char text[200];
	struct buf why = BUF_ON(text);

	clock_fake_init(&now, NOW);
	loop = loop_new(&why);
	assert_non_null(loop);
	const struct store_options options = { .driver = driver, .target = target, .loop = loop, .clock = &now.clock };
	store = store_open(&options, &why);
	assert_non_null(store);
	lists = livinglists_new(loop, &now.clock, store);
	assert_non_null(lists);
}

static void turn(void)
{
	loop_once(loop, 10);
	store_turn(store);
}

static void load(void)
{
	for (int i = 0; i < 5000 && !livinglists_loaded(lists); i++)
		turn();
	assert_true(livinglists_loaded(lists));
}

/* Forgets what is in memory and reads the store again. */
static void load_anew(void)
{
	livinglists_free(&lists);
	lists = livinglists_new(loop, &now.clock, store);
	assert_non_null(lists);
	load();
}

static void close_all(void)
{
	store_close(&store);
	livinglists_free(&lists);
	loop_free(&loop);
}

static bool done;
static const char *problem;

static void on_done(struct living_batch *b, const char *error)
{
	(void)b;
	assert_false(done);
	done = true;
	problem = error;
}

static void change(struct living_batch *b)
{
	b->done = on_done;
	done = false;
	livinglists_change(lists, b);
	for (int i = 0; i < 500 && !done; i++)
		turn();
	assert_true(done);
}

static struct living_item change_one(const char *list, enum list_kind kind, const char *value, int64_t until,
				     const char *author)
{
	struct living_item item = { .kind = kind, .value = span_of(value) };
	struct living_batch b = { .list = span_of(list), .author = span_of(author), .until = until, .remove = until == 0,
				  .items = &item, .count = 1 };

	change(&b);
	assert_null(problem);
	return item;
}

static bool has(const char *list, const char *client, const char *name, const char *sender, const char *recipient)
{
	struct request r = { .client_name = span_of(name), .sender = span_of(sender), .recipient = span_of(recipient),
			     .has_sender = true, .reverse_name = span_of("reverse.example") };

	netaddr_parse(span_of(client), &r.client);
	return livinglists_has(lists, span_of(list), &r, NULL);
}

static bool client_in(const char *list, const char *client)
{
	return has(list, client, "", "a@b.example", "");
}

/* --- Single changes ------------------------------------------------------------------ */

static void outcomes(void **state)
{
	const char *v = "192.0.2.0/24";

	(void)state;
	open_all("memory", "");
	load();
	assert_true(livinglists_empty(lists, span_of("allow")));
	struct living_item i = change_one("allow", LIST_CLIENT, v, 0, "");
	assert_int_equal(i.outcome, LIVING_ABSENT);
	i = change_one("allow", LIST_CLIENT, v, NOW + 100, "");
	assert_int_equal(i.outcome, LIVING_ADDED);
	assert_int_equal(i.until, NOW + 100);
	assert_true(client_in("allow", "192.0.2.9") && !client_in("block", "192.0.2.9") && !client_in("allow", "192.0.3.9"));
	assert_false(livinglists_empty(lists, span_of("allow")));
	i = change_one("allow", LIST_CLIENT, v, NOW + 50, "");
	assert_int_equal(i.outcome, LIVING_PRESENT);
	assert_int_equal(i.until, NOW + 100);
	i = change_one("allow", LIST_CLIENT, v, NOW + 200, "");
	assert_int_equal(i.outcome, LIVING_EXTENDED);
	clock_fake_set(&now, NOW + 199);
	assert_true(client_in("allow", "192.0.2.9"));
	clock_fake_set(&now, NOW + 200);
	assert_false(client_in("allow", "192.0.2.9"));
	i = change_one("allow", LIST_CLIENT, v, LIST_NEVER, "");
	assert_int_equal(i.outcome, LIVING_ADDED);
	assert_int_equal(change_one("allow", LIST_CLIENT, v, 0, "").outcome, LIVING_REMOVED);
	assert_false(client_in("allow", "192.0.2.9"));
	load_anew();
	assert_false(client_in("allow", "192.0.2.9"));
	/* An end before the one that was removed. */
	assert_int_equal(change_one("allow", LIST_CLIENT, v, NOW + 300, "").outcome, LIVING_ADDED);
	load_anew();
	assert_true(client_in("allow", "192.0.2.9"));
	clock_fake_set(&now, NOW + 300);
	assert_false(client_in("allow", "192.0.2.9"));
	close_all();
}

static void shortening(void **state)
{
	struct living_item item = { .kind = LIST_NAME, .value = span_of("x.example") };
	struct living_batch b = { .list = span_of("block"), .until = NOW + 10, .shorten = true, .dry = true,
				  .items = &item, .count = 1 };

	(void)state;
	open_all("memory", "");
	load();
	change_one("block", LIST_NAME, "x.example", LIST_NEVER, "");
	change(&b);
	assert_int_equal(item.outcome, LIVING_SHORTENED);
	clock_fake_set(&now, NOW + 10);
	assert_true(has("block", "", "mx.x.example", "", ""));
	clock_fake_set(&now, NOW);
	b.dry = false;
	change(&b);
	assert_int_equal(item.outcome, LIVING_SHORTENED);
	for (int again = 0; again < 2; again++) {
		clock_fake_set(&now, NOW + 9);
		assert_true(has("block", "", "mx.x.example", "", ""));
		clock_fake_set(&now, NOW + 10);
		assert_false(has("block", "", "mx.x.example", "", ""));
		clock_fake_set(&now, NOW);
		load_anew();
	}
	close_all();
}

static void what_is_compared(void **state)
{
	struct living_hit hit;
	struct request r = { .sender = span_of("u+x@Mail.Example.org"), .has_sender = true, .recipient = span_of("b@c.example") };

	(void)state;
	open_all("memory", "");
	load();
	change_one("allow", LIST_NAME, "reverse.example", LIST_NEVER, "");
	assert_false(client_in("allow", "192.0.2.1"));
	assert_true(has("allow", "", "Mx.Reverse.Example", "", ""));
	change_one("allow", LIST_SENDER, "u@mail.example.org", NOW + 5, "");
	assert_true(livinglists_has(lists, span_of("allow"), &r, &hit));
	assert_int_equal(hit.kind, LIST_SENDER);
	assert_int_equal(hit.expires, NOW + 5);
	assert_string_equal(hit.value, "u@mail.example.org");
	change_one("block", LIST_RECIPIENT, "example.net", LIST_NEVER, "");
	assert_true(has("block", "", "", "x@example.net", "y@sub.example.net"));
	assert_false(has("block", "", "", "x@example.net", "y@example.com"));
	/* No recipient is no null sender, and a request without sender neither. */
	change_one("trap", LIST_SENDER, "<>", LIST_NEVER, "");
	change_one("trap", LIST_RECIPIENT, "<>", LIST_NEVER, "");
	assert_true(has("trap", "", "", "", ""));
	r = (struct request){ .recipient = span_of("") };
	assert_false(livinglists_has(lists, span_of("trap"), &r, NULL));
	change_one("pairs", LIST_PAIR, "b@c.example<shop.example", LIST_NEVER, "");
	assert_true(has("pairs", "", "mx.shop.example", "x@else.example", "b@c.example"));
	assert_true(has("pairs", "", "", "x@shop.example", "b@c.example"));
	assert_false(has("pairs", "", "", "x@shop.example", "d@c.example") || has("pairs", "", "", "x@else.example", "b@c.example"));
	/* The longest prefix is the one that is told. */
	change_one("net", LIST_CLIENT, "0.0.0.0/0", LIST_NEVER, "");
	change_one("net", LIST_CLIENT, "192.0.2.0/24", LIST_NEVER, "");
	change_one("net", LIST_CLIENT, "2001:db8::1", LIST_NEVER, "");
	netaddr_parse(span_of("192.0.2.5"), &r.client);
	assert_true(livinglists_has(lists, span_of("net"), &r, &hit));
	assert_string_equal(hit.value, "192.0.2.0/24");
	netaddr_parse(span_of("2001:db8::1"), &r.client);
	assert_true(livinglists_has(lists, span_of("net"), &r, &hit));
	assert_string_equal(hit.value, "2001:db8::1");
	netaddr_parse(span_of("2001:db8::2"), &r.client);
	assert_false(livinglists_has(lists, span_of("net"), &r, &hit));
	close_all();
}

static void twins_count_once(void **state)
{
	struct living_item items[3] = { { .kind = LIST_CLIENT, .value = span_of("192.0.2.1") },
					{ .kind = LIST_NAME, .value = span_of("192.0.2.1") },
					{ .kind = LIST_CLIENT, .value = span_of("192.0.2.1") } };
	struct living_batch b = { .list = span_of("x"), .until = LIST_NEVER, .items = items, .count = 3 };

	(void)state;
	open_all("memory", "");
	load();
	change(&b);
	assert_int_equal(items[0].outcome, LIVING_ADDED);
	assert_int_equal(items[1].outcome, LIVING_ADDED);
	assert_int_equal(items[2].outcome, LIVING_PRESENT);
	assert_int_equal(items[2].until, LIST_NEVER);
	assert_int_equal(livinglists_count(lists), 2);
	b.remove = true;
	change(&b);
	assert_int_equal(items[0].outcome, LIVING_REMOVED);
	assert_int_equal(items[2].outcome, LIVING_ABSENT);
	b.count = LIVING_BATCH_MAX + 1;
	change(&b);
	assert_non_null(problem);
	b.count = 0;
	change(&b);
	assert_null(problem);
	close_all();
}

/* --- The store ------------------------------------------------------------------------- */

static void loads_page_by_page(void **state)
{
	(void)state;
	open_all("memory", "");
	load();
	for (int i = 0; i < 3; i++) {
		char text[1000][20];
		struct living_item items[1000];
		struct living_batch b = { .list = span_of("block"), .until = NOW + 1000, .author = span_of("me"), .items = items, .count = 1000 };
		for (int k = 0; k < 1000; k++) {
			snprintf(text[k], sizeof text[k], "10.%d.%d.%d", i, k / 250, k % 250);
			items[k] = (struct living_item){ .kind = LIST_CLIENT, .value = span_of(text[k]) };
		}
		change(&b);
		assert_null(problem);
	}
	assert_int_equal(livinglists_count(lists), 3000);
	load_anew();
	assert_int_equal(livinglists_count(lists), 3000);
	assert_true(client_in("block", "10.2.3.249") && !client_in("block", "10.2.3.250"));
	/* What has expired is not read at all. */
	clock_fake_set(&now, NOW + 1000);
	load_anew();
	assert_int_equal(livinglists_count(lists), 0);
	close_all();
}

static void a_change_while_the_store_is_read(void **state)
{
	(void)state;
	open_all("memory", "");
	load();
	change_one("block", LIST_CLIENT, "192.0.2.1", LIST_NEVER, "");
	change_one("block", LIST_CLIENT, "192.0.2.2", LIST_NEVER, "");
	livinglists_free(&lists);
	lists = livinglists_new(loop, &now.clock, store);
	assert_false(livinglists_loaded(lists));
	change_one("block", LIST_CLIENT, "192.0.2.1", 0, "");
	change_one("block", LIST_CLIENT, "192.0.2.3", LIST_NEVER, "");
	load();
	assert_false(client_in("block", "192.0.2.1"));
	assert_true(client_in("block", "192.0.2.2") && client_in("block", "192.0.2.3"));
	close_all();
}

static bool stored(const char *key, struct record *out)
{
	struct store_get op = { .count = 1, .keys = { span_of(key) } };

	assert_int_equal(store_get(store, &op), STORE_DONE);
	*out = op.records[0];
	return op.found[0];
}

static void notes_go_with_their_entries(void **state)
{
	struct record r;

	(void)state;
	open_all("memory", "");
	load();
	change_one("allow", LIST_SENDER, "a@b.example", LIST_NEVER, "alice");
	assert_true(stored("l allow sender a@b.example alice <>", &r) && r.expires == LIST_NEVER && r.generation == 0);
	load_anew();
	store_turn(store);
	assert_true(stored("l allow sender a@b.example alice <>", &r) && !record_expired(&r, NOW));
	change_one("allow", LIST_SENDER, "a@b.example", 0, "alice");
	assert_true(stored("l allow sender a@b.example alice <>", &r) && !record_expired(&r, NOW));
	load_anew();
	turn();
	turn();
	assert_true(stored("l allow sender a@b.example alice <>", &r) && record_expired(&r, NOW));
	/* The same words again belong to the new entry. */
	change_one("allow", LIST_SENDER, "a@b.example", LIST_NEVER, "alice");
	load_anew();
	turn();
	assert_true(stored("l allow sender a@b.example alice <>", &r) && !record_expired(&r, NOW) && r.generation == 2);
	assert_true(stored("l allow sender a@b.example", &r) && r.passed_at != 0 && r.generation == 2);
	close_all();
}

static void a_store_that_fails(void **state)
{
	struct living_item item = { .kind = LIST_CLIENT, .value = span_of("192.0.2.1") };
	struct living_batch b = { .list = span_of("block"), .until = LIST_NEVER, .items = &item, .count = 1 };
	static const char *const targets[] = { "fail", "fail-merge", "slow-fail 5" };

	(void)state;
	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
		open_all("failing", targets[i]);
		turn();
		change(&b);
		assert_non_null(problem);
		assert_false(client_in("block", "192.0.2.1"));
		close_all();
	}
	open_all("failing", "slow 5");
	change(&b);
	assert_null(problem);
	assert_true(client_in("block", "192.0.2.1"));
	load();
	/* On its way when the store closes: it ends all the same. */
	b.remove = true;
	done = false;
	livinglists_change(lists, &b);
	close_all();
	assert_true(done);
	open_all("failing", "hang");
	done = false;
	livinglists_change(lists, &b);
	turn();
	assert_false(done);
	close_all();
	assert_true(done && problem);
}

/* --- Against a plain list of entries ------------------------------------------------------ */

#define ENTRIES 120
static const char *const list_words[] = { "allow", "block", "x" };
static struct model {
	bool used;
	enum list_kind kind;
	char value[40];
	int64_t until[3];		/* for each list; 0: not there */
} model[ENTRIES];

static void invent(uint64_t *seed, enum list_kind kind, char *out, size_t size)
{
	static const char *const names[] = { "", ".", "=" };
	char raw[60], text[LIST_VALUE_MAX + 1], why_text[100];
	struct buf b = BUF_ON(text), why = BUF_ON(why_text);

	for (;;) {
		unsigned a = check_random(seed) % 3, n = check_random(seed) % 40;
		buf_clear(&b);
		if (kind == LIST_CLIENT && n % 4 < 2)
			snprintf(raw, sizeof raw, n % 4 == 0 ? "10.%u.0.0/%u" : "10.0.%u.0/%u", a, 8 + n % 25);
		else if (kind == LIST_CLIENT)
			snprintf(raw, sizeof raw, "2001:db8:%u::%u/%u", a, a, 8 + 3 * n);
		else if (kind == LIST_NAME)
			snprintf(raw, sizeof raw, "%s%c%u.%c.example", names[a], 'a' + (char)(n % 2), n % 3, 'x' + (char)(n % 2));
		else
			snprintf(raw, sizeof raw, "%s%s%u.example", a ? "u" : "", a == 1 ? "@" : a ? "+v@" : n % 2 ? "@" : "", n % 4);
		if (listvalue_read(kind, span_of(raw), &b, &why) == 1)
			break;
	}
	snprintf(out, size, "%s", buf_str(&b));
}

static struct model *remembered(enum list_kind kind, const char *value)
{
	struct model *free_row = NULL;

	for (struct model *m = model; m < model + ENTRIES; m++) {
		if (m->used && m->kind == kind && strcmp(m->value, value) == 0)
			return m;
		if (!m->used && !free_row)
			free_row = m;
	}
	if (free_row) {
		*free_row = (struct model){ .used = true, .kind = kind };
		snprintf(free_row->value, sizeof free_row->value, "%s", value);
	}
	return free_row;
}

static bool row_matches(const struct model *m, const struct request *r)
{
	struct netprefix p;
	struct wordset *set = wordset_new();
	bool found = false;

	switch (m->kind) {
	case LIST_CLIENT:
		found = r->client.family && netprefix_parse(span_of(m->value), &p) && netprefix_contains(&p, &r->client);
		break;
	case LIST_NAME:
		found = nameset_add(set, span_of(m->value)) == 1 && nameset_find(set, r->client_name);
		break;
	case LIST_SENDER:
	case LIST_RECIPIENT:
		found = addrset_add(set, span_of(m->value)) == 1 &&
			addrset_find(set, m->kind == LIST_SENDER ? r->sender : r->recipient);
		break;
	case LIST_PAIR:
	case LIST_DOMAIN:
		break;
	}
	wordset_free(&set);
	return found;
}

static void change_model(uint64_t *seed)
{
	char value[40];
	enum list_kind kind = (enum list_kind)(check_random(seed) % LIST_PAIR);
	unsigned list = check_random(seed) % 3;
	int64_t until = check_random(seed) % 3 ? now.now_s + 1 + check_random(seed) % 500 : 0;

	invent(seed, kind, value, sizeof value);
	struct model *m = remembered(kind, value);
	if (!m)
		return;
	int64_t *end = &m->until[list];
	bool there = *end > now.now_s;
	struct living_item i = change_one(list_words[list], kind, value, until, check_random(seed) % 2 ? "me" : "");
	assert_int_equal(i.outcome, until == 0 ? (there ? LIVING_REMOVED : LIVING_ABSENT) :
				    !there ? LIVING_ADDED : until > *end ? LIVING_EXTENDED : LIVING_PRESENT);
	if (until == 0 || !there || until > *end)
		*end = until;
}

static void compare(uint64_t *seed)
{
	char client[40], name[40], sender[40], recipient[40];

	snprintf(client, sizeof client, check_random(seed) % 2 ? "10.%u.%u.0" : "2001:db8:%u::%u", check_random(seed) % 3,
		 check_random(seed) % 3);
	snprintf(name, sizeof name, "m.%c%u.%c.example", 'a' + (char)(check_random(seed) % 2), check_random(seed) % 3,
		 'x' + (char)(check_random(seed) % 2));
	snprintf(sender, sizeof sender, "%s@%u.example", check_random(seed) % 2 ? "u" : "u+v", check_random(seed) % 4);
	snprintf(recipient, sizeof recipient, "w@%s%u.example", check_random(seed) % 2 ? "" : "s.", check_random(seed) % 4);
	struct request r = { .client_name = span_of(check_random(seed) % 2 ? name : name + 2), .sender = span_of(sender), .has_sender = true,
			     .recipient = span_of(recipient) };
	if (check_random(seed) % 3)
		netaddr_parse(span_of(client), &r.client);
	for (unsigned list = 0; list < 3; list++) {
		bool wanted = false;
		for (const struct model *m = model; m < model + ENTRIES; m++)
			wanted |= m->used && m->until[list] > now.now_s && row_matches(m, &r);
		if (livinglists_has(lists, span_of(list_words[list]), &r, NULL) != wanted)
			fail_msg("%s: %s %s %s %s should be %d", list_words[list], client, name, sender, recipient, wanted);
	}
}

static void agrees_with_a_plain_list(void **state)
{
	uint64_t seed = 17;

	(void)state;
	open_all("memory", "");
	load();
	for (int round = 0; round < 4000; round++) {
		change_model(&seed);
		compare(&seed);
		if (check_random(&seed) % 4 == 0)
			clock_fake_set(&now, now.now_s + check_random(&seed) % 60);
		if (round % 500 == 499)
			load_anew();
		if (round % 700 == 699)
			for (struct model *m = model; m < model + ENTRIES; m++)
				m->used &= m->until[0] > now.now_s || m->until[1] > now.now_s || m->until[2] > now.now_s;
	}
	close_all();
}

/* --- Bounds ------------------------------------------------------------------------------- */

static void bounds(void **state)
{
	struct livingindex *ix = livingindex_new();
	struct request r = { .client_name = span_of("n999999.example") };
	char name[40];

	(void)state;
	assert_non_null(ix);
	for (unsigned i = 0; i < LIVING_ENTRIES_MAX; i++) {
		snprintf(name, sizeof name, "n%u.example", i);
		assert_int_equal(livingindex_put(ix, span_of("a"), LIST_NAME, span_of(name), 0, NOW + 1 + i % 2), 1);
	}
	assert_int_equal(livingindex_room(ix, span_of("a")), 0);
	assert_int_equal(livingindex_put(ix, span_of("a"), LIST_NAME, span_of("one.more"), 0, NOW + 1), 0);
	assert_int_equal(livingindex_put(ix, span_of("a"), LIST_NAME, span_of("n5.example"), 0, NOW + 2), 1);
	assert_true(livingindex_match(ix, span_of("a"), &r, NOW, NULL));
	/* Sweeping frees half, then the other. */
	livingindex_sweep(ix, SIZE_MAX, NOW + 1);
	assert_int_equal(livingindex_count(ix), LIVING_ENTRIES_MAX / 2 + 0);
	assert_true(livingindex_match(ix, span_of("a"), &r, NOW + 1, NULL));
	/* A pass that does not meet them makes them go at its end, not before. */
	livingindex_pass_begin(ix);
	livingindex_sweep(ix, SIZE_MAX, NOW + 5);
	assert_true(livingindex_match(ix, span_of("a"), &r, NOW + 1, NULL));
	livingindex_pass_end(ix);
	assert_false(livingindex_match(ix, span_of("a"), &r, NOW + 1, NULL));
	livingindex_sweep(ix, SIZE_MAX, NOW + 1);
	assert_int_equal(livingindex_count(ix), 0);
	/* Lists: a hundred, and a name that is free again makes room. */
	for (unsigned i = 0; i < LIVING_LISTS_MAX; i++) {
		snprintf(name, sizeof name, "list%u", i);
		assert_int_equal(livingindex_put(ix, span_of(name), LIST_CLIENT, span_of("10.0.0.0/8"), 0, NOW + 1 + (i > 50)), 1);
	}
	assert_int_equal(livingindex_put(ix, span_of("more"), LIST_CLIENT, span_of("10.0.0.0/8"), 0, NOW + 9), 0);
	assert_int_equal(livingindex_room(ix, span_of("more")), 0);
	livingindex_sweep(ix, SIZE_MAX, NOW + 1);
	assert_int_equal(livingindex_put(ix, span_of("more"), LIST_CLIENT, span_of("10.0.0.0/8"), 0, NOW + 9), 1);
	assert_int_equal(livingindex_put(ix, span_of("more"), LIST_CLIENT, span_of("no-client"), 0, NOW + 9), 0);
	livingindex_free(&ix);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(outcomes),
		cmocka_unit_test(shortening),
		cmocka_unit_test(what_is_compared),
		cmocka_unit_test(twins_count_once),
		cmocka_unit_test(loads_page_by_page),
		cmocka_unit_test(a_change_while_the_store_is_read),
		cmocka_unit_test(notes_go_with_their_entries),
		cmocka_unit_test(a_store_that_fails),
		cmocka_unit_test(agrees_with_a_plain_list),
		cmocka_unit_test(bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
