#include "engine/amnesty.h"

#include "base/log.h"

#define MARK_EVERY_MS 60000
#define MARK_KEEP_S ((int64_t)10 * 365 * 86400)

struct amnesty {
	const struct clock *clock;
	struct store *store;
	int64_t length_s, until;
	bool known;			/* the store has been asked */
	bool read;			/* and has said */
	struct store_get get;
	struct loop_timer mark;
};

static void mark(struct amnesty *a)
{
	int64_t now = clock_wall(a->clock);
	const struct record delta = { .first_seen = now, .last_seen = now, .passed_at = now, .expires = now + MARK_KEEP_S,
				      .held_until = a->until };

	store_merge_later(a->store, span_of(AMNESTY_KEY), &delta);
	loop_timer_set(&a->mark, MARK_EVERY_MS);
}

static void begin(struct amnesty *a, int64_t now, const char *why)
{
	char text[40];
	struct buf length = BUF_ON(text);

	a->until = now + a->length_s;
	buf_addduration(&length, (uint64_t)a->length_s);
	log_msg(LOG_LEVEL_NOTICE, "amnesty: the store %s; for %s nothing is delayed and all is remembered", why, buf_str(&length));
}

static void judge(struct amnesty *a)
{
	const struct record *r = &a->get.records[0];
	int64_t now = clock_wall(a->clock);

	if (a->length_s && !a->get.found[0]) {
		begin(a, now, "is new");
	} else if (a->length_s && r->held_until > now) {
		a->until = r->held_until;
		log_msg(LOG_LEVEL_NOTICE, "amnesty: goes on for %lld seconds", (long long)(a->until - now));
	} else if (a->length_s && now - r->last_seen > a->length_s) {
		begin(a, now, "was out of use, or restored from a backup");
	}
	mark(a);
}

static void on_read(struct store_get *op, enum store_status status)
{
	struct amnesty *a = op->arg;

	a->known = true;
	if (status == STORE_DONE) {
		a->read = true;
		judge(a);
		return;
	}
	log_msg(LOG_LEVEL_WARNING, "amnesty: the store does not say when it was last in use");
	loop_timer_set(&a->mark, MARK_EVERY_MS);
}

static void ask(struct amnesty *a)
{
	a->get = (struct store_get){ .count = 1, .keys = { span_of(AMNESTY_KEY) }, .done = on_read, .arg = a };
	enum store_status status = store_get(a->store, &a->get);
	if (status != STORE_PENDING)
		on_read(&a->get, status);
}

/* A store that was away at the start is in use all the same: unmarked it would seem to
 * have stood still at the next one. */
static void on_mark(struct loop_timer *t)
{
	struct amnesty *a = t->arg;

	if (a->read)
		mark(a);
	else
		ask(a);
}

struct amnesty *amnesty_new(struct loop *loop, const struct clock *clock, struct store *store, int64_t length_s)
{
	struct amnesty *a = calloc(1, sizeof *a);

	if (!a)
		return NULL;
	*a = (struct amnesty){ .clock = clock, .store = store, .length_s = length_s };
	loop_timer_init(&a->mark, loop, on_mark, a);
	ask(a);
	return a;
}

void amnesty_free(struct amnesty **a)
{
	if (*a)
		loop_timer_cancel(&(*a)->mark);
	free(*a);
	*a = NULL;
}

bool amnesty_on(const struct amnesty *a, int64_t now)
{
	return a->until > now || (a->length_s && !a->known);
}

int64_t amnesty_until(const struct amnesty *a)
{
	return a->until;
}
