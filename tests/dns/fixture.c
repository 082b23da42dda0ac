#include "fixture.h"

#include <time.h>

void fixture_begin(struct fixture *f, unsigned port, unsigned second, unsigned timeout_ms, unsigned entries)
{
	char text[300];
	struct buf why = BUF_ON(text);

	memset(f, 0, sizeof *f);
	clock_fake_init(&f->clock, NOW);
	f->loop = loop_new(&why);
	assert_non_null(f->loop);
	if (second)
		snprintf(f->servers, sizeof f->servers, "127.0.0.1:%u 127.0.0.1:%u", port, second);
	else
		snprintf(f->servers, sizeof f->servers, "127.0.0.1:%u", port);
	f->options = (struct resolver_options){ .loop = f->loop, .clock = &f->clock.clock, .servers = f->servers,
						.timeout_ms = timeout_ms, .entries = entries };
	f->resolver = resolver_new(&f->options, &why);
	if (!f->resolver)
		fail_msg("%s", buf_str(&why));
}

void fixture_end(struct fixture *f)
{
	resolver_free(&f->resolver);
	loop_free(&f->loop);
}

void fixture_later(struct fixture *f, unsigned seconds)
{
	clock_fake_set(&f->clock, f->clock.now_s + seconds);
}

struct resolver_stats fixture_stats(const struct fixture *f)
{
	struct resolver_stats s;

	resolver_stats(f->resolver, &s);
	return s;
}

uint64_t fixture_ms(void)
{
	return clock_mono(&clock_system) / CLOCK_NS_PER_MS;
}

static void on_done(struct resolver_query *q, const struct dns_answer *answer)
{
	struct ask *a = q->arg;
	struct buf text = BUF_ON(a->text);

	a->calls++;
	a->answer = *answer;
	if (answer->count)
		a->address = answer->records[0].address;
	if (a->then)
		ask(a->fixture, a->then, q->type, q->name);
	if (a->instead)
		resolver_cancel(a->fixture->resolver, &a->instead->query);
	/* After those: what was asked in turn must not take the answer away. */
	for (unsigned i = 0; i < answer->count; i++) {
		buf_addspan(&text, answer->records[i].text);
		buf_addc(&text, ';');
	}
}

void ask(struct fixture *f, struct ask *a, enum dns_type type, const char *name)
{
	struct ask *then = a->then, *instead = a->instead;

	*a = (struct ask){ .fixture = f, .then = then, .instead = instead, .query = { .done = on_done, .arg = a } };
	resolver_ask(f->resolver, &a->query, type, span_of(name));
}

void ask_wait(struct ask *a)
{
	uint64_t until = fixture_ms() + WAIT_MS;

	while (!a->calls && fixture_ms() < until)
		loop_once(a->fixture->loop, 20);
	assert_int_equal(a->calls, 1);
}

enum dns_status ask_now(struct fixture *f, struct ask *a, enum dns_type type, const char *name)
{
	ask(f, a, type, name);
	ask_wait(a);
	return a->answer.status;
}
