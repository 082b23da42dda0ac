#include "engine/livingdomains_inside.h"

#include "base/log.h"

#define TICK_MS 1000
#define WALK_SLOTS 16384
#define STARTS 20		/* of a tick: a run may be over at once */

const struct domain_result domain_given_up = { .outcome = DOMAIN_GIVEN_UP };

/* --- Who waits ---------------------------------------------------------------------- */

void domain_wait_add(struct domain_wait **list, struct domain_wait *w)
{
	w->next = *list;
	w->link = list;
	if (w->next)
		w->next->link = &w->next;
	*list = w;
}

void domain_wait_cancel(struct domain_wait *w)
{
	if (!w->link)
		return;
	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
	w->link = NULL;
}

void domain_wait_call(struct domain_wait **list, const struct domain_result *r)
{
	while (*list) {
		struct domain_wait *w = *list;
		domain_wait_cancel(w);
		w->done(w, r);
	}
}

/* --- The domains ---------------------------------------------------------------------- */

struct span domain_list(const struct domain *n)
{
	return span_make(n->text, n->list_n);
}

struct span domain_value(const struct domain *n)
{
	return span_make(n->text + n->list_n, n->n);
}

static struct domain **bucket(struct livingdomains *d, struct span list, struct span value)
{
	return &d->buckets[span_hash(value, span_hash(list, 0)) % DOMAIN_BUCKETS];
}

static struct domain *find(struct livingdomains *d, struct span list, struct span value)
{
	struct domain *n = *bucket(d, list, value);

	while (n && !(span_eq(domain_value(n), value) && span_eq(domain_list(n), list)))
		n = n->next;
	return n;
}

/* Due at once; NULL when memory is out. */
static struct domain *find_or_make(struct livingdomains *d, struct span list, struct span value)
{
	struct domain *n = find(d, list, value), **at = bucket(d, list, value);

	if (n || !(n = malloc(sizeof *n + list.n + value.n)))
		return n;
	*n = (struct domain){ .next = *at, .list_n = list.n, .n = value.n };
	memcpy(n->text, list.p, list.n);
	memcpy(n->text + list.n, value.p, value.n);
	*at = n;
	return n;
}

static bool is_idle(const struct domain *n)
{
	return !n->run && !n->waits;
}

/* Frees what is idle and no longer on its list. */
static void tidy(struct livingdomains *d)
{
	for (unsigned i = 0; i < DOMAIN_BUCKETS; i++)
		for (struct domain **at = &d->buckets[i]; *at;) {
			struct domain *n = *at;
			if (!is_idle(n) || livinglists_until(d->options.living, domain_list(n), LIST_DOMAIN, domain_value(n))) {
				at = &n->next;
				continue;
			}
			*at = n->next;
			free(n);
		}
}

/* --- Runs --------------------------------------------------------------------------- */

/* Networks that are to go must not come back through a run. */
static bool may_start(const struct livingdomains *d)
{
	return !d->stopped && !d->tasks && !d->sweep && d->running < DOMAIN_RUNS;
}

static void start(struct livingdomains *d, struct domain *n)
{
	/* Counted before: it may be over at once. */
	d->running++;
	if (domain_run_start(d, n))
		return;
	d->running--;
	n->due = clock_wall(d->options.clock) + DOMAIN_RETRY_S;
	domain_wait_call(&n->waits, &domain_given_up);
}

/* A clock that was set back must not put a refresh off for long. */
static bool is_due(const struct domain *n, int64_t now)
{
	return n->due <= now || n->due > now + 2 * DOMAIN_REFRESH_S;
}

/* Those that somebody waits for, or those that are due. */
static void start_some(struct livingdomains *d, bool waiting, unsigned most)
{
	int64_t now = clock_wall(d->options.clock);

	for (unsigned i = 0; i < DOMAIN_BUCKETS; i++)
		for (struct domain *n = d->buckets[i]; n && most && may_start(d); n = n->next)
			if (!n->run && (waiting ? n->waits != NULL : is_due(n, now))) {
				start(d, n);
				most--;
			}
}

void domain_run_over(struct livingdomains *d, struct domain *n)
{
	n->run = NULL;
	d->running--;
	if (!d->stopped)
		loop_timer_set(&d->tick, 0);
}

static void on_entry(void *arg, struct span list, struct span value)
{
	find_or_make(arg, list, value);
}

static void on_tick(struct loop_timer *t)
{
	struct livingdomains *d = t->arg;

	loop_timer_set(t, TICK_MS);
	if (livinglists_walk(d->options.living, LIST_DOMAIN, &d->at, WALK_SLOTS, on_entry, d))
		tidy(d);
	domain_sweep_next(d);
	start_some(d, true, STARTS);
	start_some(d, false, STARTS);
}

void domain_renew(struct livingdomains *d, struct span list)
{
	for (unsigned i = 0; i < DOMAIN_BUCKETS; i++)
		for (struct domain *n = d->buckets[i]; n; n = n->next)
			if (span_eq(domain_list(n), list)) {
				n->due = 0;
				n->forced = true;
			}
}

/* --- Asking and dropping ---------------------------------------------------------------- */

void livingdomains_ask(struct livingdomains *d, struct span list, struct span domain, struct domain_wait *w)
{
	struct domain *n = d->stopped ? NULL : find_or_make(d, list, domain);

	if (!n) {
		if (w)
			w->done(w, &domain_given_up);
		return;
	}
	n->due = 0;
	n->forced = true;
	if (w)
		domain_wait_add(&n->waits, w);
	loop_timer_set(&d->tick, 0);
}

static struct domain_task *make_task(struct span list, struct span domain, int64_t until)
{
	const size_t comment_n = sizeof DOMAIN_COMMENT - 1;
	struct domain_task *t = malloc(sizeof *t + list.n + comment_n + domain.n);

	if (!t)
		return NULL;
	*t = (struct domain_task){ .until = until, .list_n = list.n, .n = comment_n + domain.n };
	memcpy(t->text, list.p, list.n);
	memcpy(t->text + list.n, DOMAIN_COMMENT, comment_n);
	memcpy(t->text + list.n + comment_n, domain.p, domain.n);
	return t;
}

void livingdomains_drop(struct livingdomains *d, struct span list, struct span domain, int64_t until,
			struct domain_wait *w)
{
	struct domain *n = find(d, list, domain);
	struct domain_task *t = d->stopped ? NULL : make_task(list, domain, until);

	if (n)
		n->due = 0;
	if (n && n->run)
		domain_run_stop(n->run);
	if (!t && !d->stopped)
		log_msg(LOG_LEVEL_ERROR, "lists: out of memory: a domain's networks run out only after three days");
	if (!t) {
		if (w)
			w->done(w, &domain_given_up);
		return;
	}
	if (w)
		domain_wait_add(&t->waits, w);
	t->next = d->tasks;
	d->tasks = t;
	loop_timer_set(&d->tick, 0);
}

/* --- The whole ---------------------------------------------------------------------------- */

struct livingdomains *livingdomains_new(const struct livingdomains_options *options)
{
	struct livingdomains *d = calloc(1, sizeof *d);

	if (!d)
		return NULL;
	d->options = *options;
	loop_timer_init(&d->tick, options->loop, on_tick, d);
	loop_timer_set(&d->tick, TICK_MS);
	return d;
}

void livingdomains_stop(struct livingdomains *d)
{
	d->stopped = true;
	loop_timer_cancel(&d->tick);
	for (unsigned i = 0; i < DOMAIN_BUCKETS; i++)
		for (struct domain *n = d->buckets[i]; n; n = n->next) {
			if (n->run)
				domain_run_stop(n->run);
			domain_wait_call(&n->waits, &domain_given_up);
		}
	for (struct domain_task *t = d->tasks; t; t = t->next)
		domain_wait_call(&t->waits, &domain_given_up);
	if (d->sweep)
		domain_sweep_release(d->sweep);
}

void livingdomains_free(struct livingdomains **domains)
{
	struct livingdomains *d = *domains;

	if (!d)
		return;
	livingdomains_stop(d);
	domain_sweep_free(d);
	for (struct domain_task *t = d->tasks, *next; t; t = next) {
		next = t->next;
		free(t);
	}
	for (unsigned i = 0; i < DOMAIN_BUCKETS; i++)
		for (struct domain *n = d->buckets[i], *next; n; n = next) {
			next = n->next;
			domain_run_free(&n->run);
			free(n);
		}
	free(d);
	*domains = NULL;
}
