#include "replay/world.h"

#include "store/driver.h"

#define KEEP_EVERY_S 21600	/* records that have expired are removed */
#define COUNT_EVERY_S 86400	/* as the census does */
#define LATER_MS 20		/* real time; renewals count before they are written */
#define TURNS_MAX 200
#define TURN_MS 10
#define COUNT_TURNS_MAX 20000

static int open_store(struct world *w, const struct world_options *options, struct buf *why)
{
	const struct settings *s = &options->config->settings;
	const struct store_options store = {
		.driver = options->in_memory ? "memory" : s->store_driver, .target = s->store_target,
		.loop = w->loop, .clock = &w->clock.clock, .cap_total = s->cap_total, .cap_identity = s->cap_identity,
		.later_ms = options->in_memory ? LATER_MS : 0,
	};

	w->store = store_open(&store, why);
	if (w->store && options->living)
		w->living = livinglists_new(w->loop, &w->clock.clock, w->store);
	return w->store ? 0 : -1;
}

int world_begin(struct world *w, const struct world_options *options, struct buf *why)
{
	struct config *config = options->config;

	*w = (struct world){ .kept_at = options->now, .counted_at = options->now };
	clock_fake_init(&w->clock, options->now);
	w->loop = loop_new(why);
	if (!w->loop || open_store(w, options, why) != 0) {
		config_free(&config);
		return -1;
	}
	const struct engine_options engine = {
		.loop = w->loop, .clock = &w->clock.clock, .names = options->names, .store = w->store,
		.living = w->living, .config = config, .offline = options->offline,
	};
	w->engine = engine_new(&engine, why);
	return w->engine ? 0 : -1;
}

void world_end(struct world *w)
{
	store_close(&w->store);
	engine_free(&w->engine);
	livinglists_free(&w->living);
	loop_free(&w->loop);
}

void world_at(struct world *w, int64_t now)
{
	clock_fake_set(&w->clock, now);
	if (now - w->kept_at >= KEEP_EVERY_S) {
		loop_once(w->loop, LATER_MS + TURN_MS);
		store_maintain(w->store);
		w->kept_at = now;
	}
	if (now - w->counted_at < COUNT_EVERY_S)
		return;
	store_census(w->store);
	for (unsigned i = 0; i < COUNT_TURNS_MAX && store_census_busy(w->store); i++)
		loop_once(w->loop, TURN_MS);
	w->counted_at = now;
}

static void on_answer(struct inquiry *q)
{
	struct world *w = q->arg;

	w->answered = true;
}

bool world_ask(struct world *w, struct inquiry *q)
{
	w->answered = false;
	engine_ask(q, on_answer, w);
	for (int i = 0; i < TURNS_MAX && !w->answered; i++) {
		store_turn(w->store);
		loop_once(w->loop, TURN_MS);
	}
	return w->answered;
}

void world_done(struct world *w, struct inquiry **q)
{
	engine_release(q);
	loop_once(w->loop, 0);
	store_turn(w->store);
}
