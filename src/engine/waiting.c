#include "engine/inside.h"

static uint64_t limit_ns(const struct inquiry *q)
{
	return inquiry_config(q)->settings.store_deadline_ms * CLOCK_NS_PER_MS;
}

/* The oldest is due first: all have the same limit, and the store's time begins when
 * what comes before it, such as the DNS, is over. */
static void unlink_one(struct inquiry *q)
{
	struct engine *e = q->engine;

	if (q->earlier)
		q->earlier->later = q->later;
	else
		e->oldest = q->later;
	if (q->later)
		q->later->earlier = q->earlier;
	else
		e->newest = q->earlier;
	q->earlier = q->later = NULL;
	e->waiting--;
}

static void set_deadline(struct engine *e)
{
	if (e->deadline_set || !e->oldest)
		return;
	uint64_t waited = clock_mono(&clock_system) - e->oldest->store_since_ns, limit = limit_ns(e->oldest);
	loop_timer_set(&e->deadline, waited < limit ? (unsigned)((limit - waited) / CLOCK_NS_PER_MS) + 1 : 1);
	e->deadline_set = true;
}

void waiting_link(struct inquiry *q)
{
	struct engine *e = q->engine;
	struct inquiry *before = e->newest;

	while (before && before->store_since_ns > q->store_since_ns)
		before = before->earlier;
	q->earlier = before;
	q->later = before ? before->later : e->oldest;
	if (q->later)
		q->later->earlier = q;
	else
		e->newest = q;
	if (before)
		before->later = q;
	else
		e->oldest = q;
	e->waiting++;
	set_deadline(e);
}

bool waiting_over(struct inquiry *q)
{
	q->in_store = false;
	if (q->answered) {
		engine_recycle(q);
		return false;
	}
	unlink_one(q);
	return true;
}

static void on_deadline(struct loop_timer *t)
{
	struct engine *e = t->arg;
	uint64_t now = clock_mono(&clock_system);

	e->deadline_set = false;
	while (e->oldest) {
		struct inquiry *q = e->oldest;
		if (now - q->store_since_ns < limit_ns(q))
			break;
		unlink_one(q);
		engine_fault(q, REASON_STORE_TIMEOUT);
	}
	set_deadline(e);
}

void waiting_init(struct engine *e)
{
	loop_timer_init(&e->deadline, e->options.loop, on_deadline, e);
}

void waiting_abandon(struct engine *e)
{
	loop_timer_cancel(&e->deadline);
	while (e->oldest) {
		struct inquiry *q = e->oldest;
		unlink_one(q);
		q->in_store = false;
		engine_fault(q, REASON_STORE_FAILURE);
	}
}
