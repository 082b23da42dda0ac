#include "engine/livinglists.h"

#include "base/log.h"
#include "engine/livinglists_inside.h"

#define PAGE 500
#define SWEEP_MS 1000
#define SWEEP_SLOTS 16384
/* After a pass none begins for so many times the time it took. */
#define PASS_REST 9

static const struct span counter_key = SPAN(LISTKEY_COUNTER);

static void rest(struct livinglists *l)
{
	l->scanning = false;
	if (l->shared || !l->loaded)
		loop_timer_set(&l->step, LIVING_POLL_MS);
}

/* The next pass, or the look whether one is due, as soon as the last has been rested from. */
static void begin_soon(struct livinglists *l)
{
	uint64_t now = clock_mono(&clock_system);

	loop_timer_set(&l->step, now < l->scan_not_before_ns ? (unsigned)((l->scan_not_before_ns - now) / CLOCK_NS_PER_MS) + 1 : 0);
}

static void give_up(struct livinglists *l)
{
	if (!l->failing)
		log_msg(LOG_LEVEL_WARNING, "lists: the store could not be read; %s",
			l->loaded ? "changes that others made are not seen" : "they are not complete");
	l->failing = true;
	l->stale |= l->scanning;
	rest(l);
}

/* --- A pass over all entries ------------------------------------------------------ */

/* A note outlives its entry's removal; it is found here, right behind the entry. */
static void drop_orphan(struct livinglists *l, struct span key, const struct record *note, int64_t now)
{
	struct span entry = key_span(&l->entry);
	bool alive = entry.n && key.n > entry.n && span_starts(key, entry) && key.p[entry.n] == ' ' &&
		     !record_expired(&l->entry_record, now) && note->generation >= l->entry_record.generation;
	struct record gone = { .generation = note->generation + 1, .first_seen = now, .last_seen = now,
			       .passed_at = now, .expires = now };

	if (!alive && !record_expired(note, now))
		store_merge_later(l->store, key, &gone);
}

/* Expired entries are left out: what is not met in a pass has gone at its end. */
static void take_row(struct livinglists *l, struct span key, const struct record *r, int64_t now)
{
	char text[LIST_VALUE_MAX + 1];
	struct buf value = BUF_ON(text);
	struct listkey_parts parts;

	if (!listkey_split(key, &parts))
		return;
	if (parts.author.n) {
		drop_orphan(l, key, r, now);
		return;
	}
	memcpy(l->entry.text, key.p, key.n);
	l->entry.n = key.n;
	l->entry_record = *r;
	if (record_expired(r, now))
		return;
	listkey_unescape(&value, parts.value);
	if (livingindex_put(l->index, parts.list, parts.kind, buf_span(&value), r->generation, r->expires) != 1)
		l->refused++;
}

static void end_pass(struct livinglists *l)
{
	uint64_t now = clock_mono(&clock_system);

	livingindex_pass_end(l->index);
	buf_free(&l->scan.keys);
	l->scan_not_before_ns = now + (now - l->scan_began_ns) * PASS_REST;
	if (l->refused)
		log_msg(LOG_LEVEL_ERROR, "lists: no room for %llu entries; %d in %d lists are possible",
			(unsigned long long)l->refused, LIVING_ENTRIES_MAX, LIVING_LISTS_MAX);
	if ((!l->loaded && livingindex_count(l->index)) || l->failing)
		log_msg(LOG_LEVEL_NOTICE, "lists: %zu entries read", livingindex_count(l->index));
	l->loaded = true;
	l->failing = false;
	l->stale = l->again;
	rest(l);
	if (l->again)
		begin_soon(l);
	l->again = false;
}

static void page_read(struct store_scan *op, enum store_status status)
{
	struct livinglists *l = op->arg;
	int64_t now = clock_wall(l->clock);
	struct span keys = buf_span(&op->keys), key;

	if (status != STORE_DONE) {
		buf_free(&op->keys);
		give_up(l);
		return;
	}
	for (unsigned i = 0; i < op->count && span_cut(&keys, '\n', &key); i++)
		take_row(l, key, &op->records[i], now);
	if (op->more)
		loop_timer_set(&l->step, 0);
	else
		end_pass(l);
}

static void next_page(struct livinglists *l)
{
	enum store_status status = store_scan(l->store, &l->scan);

	if (status != STORE_PENDING)
		page_read(&l->scan, status);
}

static void begin_pass(struct livinglists *l)
{
	l->scanning = true;
	l->scan_began_ns = clock_mono(&clock_system);
	l->refused = 0;
	l->entry.n = 0;
	l->scan = (struct store_scan){ .prefix = span_of(LISTKEY_PREFIX), .limit = PAGE, .records = l->records,
				       .from = buf_on(l->from, sizeof l->from), .done = page_read, .arg = l,
				       .keys = buf_heap((size_t)PAGE * (KEY_MAX + 1)) };
	livingindex_pass_begin(l->index);
	next_page(l);
}

/* --- Whether others changed something ------------------------------------------------ */

static void polled(struct store_get *op, enum store_status status)
{
	struct livinglists *l = op->arg;
	uint64_t value = status == STORE_DONE && op->found[0] ? op->records[0].blocked : 0;

	l->polling = false;
	if (status != STORE_DONE) {
		give_up(l);
		return;
	}
	bool moved = !l->loaded || l->stale || value != l->changes;
	if (!moved)
		l->failing = false;
	if (!moved || clock_mono(&clock_system) < l->scan_not_before_ns) {
		rest(l);
		return;
	}
	l->changes = value;
	begin_pass(l);
}

static void poll_counter(struct livinglists *l)
{
	l->polling = true;
	l->poll = (struct store_get){ .count = 1, .keys = { counter_key }, .done = polled, .arg = l };
	enum store_status status = store_get(l->store, &l->poll);

	if (status != STORE_PENDING)
		polled(&l->poll, status);
}

static void on_step(struct loop_timer *t)
{
	struct livinglists *l = t->arg;

	if (l->scanning)
		next_page(l);
	else if (l->shared)
		poll_counter(l);
	else
		begin_pass(l);
}

static void on_sweep(struct loop_timer *t)
{
	struct livinglists *l = t->arg;

	livingindex_sweep(l->index, SWEEP_SLOTS, clock_wall(l->clock));
	loop_timer_set(t, SWEEP_MS);
}

/* --- The lists ---------------------------------------------------------------------- */

struct livinglists *livinglists_new(struct loop *loop, const struct clock *clock, struct store *store)
{
	struct livinglists *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	l->loop = loop;
	l->clock = clock;
	l->store = store;
	l->shared = store_shared(store);
	l->index = livingindex_new();
	l->records = calloc(PAGE, sizeof *l->records);
	if (!l->index || !l->records) {
		livingindex_free(&l->index);
		free(l->records);
		free(l);
		return NULL;
	}
	loop_timer_init(&l->step, loop, on_step, l);
	loop_timer_init(&l->sweep, loop, on_sweep, l);
	loop_timer_set(&l->step, 0);
	loop_timer_set(&l->sweep, SWEEP_MS);
	return l;
}

void livinglists_free(struct livinglists **lists)
{
	struct livinglists *l = *lists;

	if (!l)
		return;
	loop_timer_cancel(&l->step);
	loop_timer_cancel(&l->sweep);
	buf_free(&l->scan.keys);
	livingindex_free(&l->index);
	free(l->records);
	free(l);
	*lists = NULL;
}

void livinglists_reread(struct livinglists *l)
{
	l->stale = true;
	if (l->scanning)
		l->again = true;
	else if (!l->polling)
		begin_soon(l);
}

bool livinglists_loaded(const struct livinglists *l)
{
	return l->loaded;
}

size_t livinglists_count(const struct livinglists *l)
{
	return livingindex_count(l->index);
}

bool livinglists_empty(const struct livinglists *l, struct span list)
{
	return livingindex_empty(l->index, list);
}

bool livinglists_has(const struct livinglists *l, struct span list, const struct request *r,
		     struct living_hit *hit)
{
	return livingindex_match(l->index, list, r, clock_wall(l->clock), hit);
}

int64_t livinglists_until(const struct livinglists *l, struct span list, enum list_kind kind, struct span value)
{
	return livingindex_until(l->index, list, kind, value, clock_wall(l->clock));
}

bool livinglists_walk(const struct livinglists *l, enum list_kind kind, size_t *at, size_t most, livingindex_fn *fn,
		      void *arg)
{
	return livingindex_walk(l->index, kind, at, most, clock_wall(l->clock), fn, arg);
}

const char *living_outcome_word(enum living_outcome o)
{
	static const char *const words[LIVING_OUTCOMES] = {
		[LIVING_ADDED] = "added", [LIVING_EXTENDED] = "extended", [LIVING_SHORTENED] = "shortened",
		[LIVING_PRESENT] = "present", [LIVING_REMOVED] = "removed", [LIVING_ABSENT] = "absent",
		[LIVING_FULL] = "full",
	};
	return words[o];
}
