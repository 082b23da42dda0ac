#include "store/census.h"

#include <sys/random.h>

#include "base/log.h"
#include "core/key.h"
#include "store/sketch.h"

#define PAGE 1000
#define PAUSE_MS 5		/* between the pages of the daily scan */
#define FIRST_MS 1000
#define DAILY_MS (86400u * 1000)
#define RETRY_MS 30000		/* after a scan that failed */
#define QUEUE_MAX 16
#define SAY_EVERY_S 60
#define KEEP_IDENTITY_PERCENT 50
#define KEEP_TOTAL_PERCENT 90

/* Ages fall into steps of 1 s up to 64 s, then 16 steps an octave. */
#define AGE_STEPS 400
#define RANKS (2 * AGE_STEPS)

enum phase { PHASE_IDLE, PHASE_COUNT, PHASE_REMOVE };

/* One walk over a prefix: count, and when there are too many, remove. */
struct walk {
	enum phase phase;
	bool whole;			/* all triplets, not one identity's */
	bool paced;
	bool last_page;
	bool again;			/* the identity was over its cap anew meanwhile */
	int64_t now_s;
	uint64_t cap;
	uint64_t keep;
	uint32_t estimate;		/* of the identity, when the walk began */
	uint64_t counted;
	uint64_t removed;
	uint32_t ranks[RANKS];		/* records by rank, least valuable first */
	unsigned cut;			/* ranks below it go ... */
	uint64_t at_cut;		/* ... and so many of its own */
};

/* Lines about one kind of thinning are at most one a minute. */
struct notice {
	uint64_t said_ns;
	uint64_t removed;
	uint64_t times;
	bool said;
};

struct census {
	struct store *store;
	struct loop *loop;
	const struct clock *clock;
	uint64_t cap_identity, cap_total;
	struct sketch *sketch, *next;	/* next: filled by a whole count */
	uint64_t total, total_next, evicted;
	struct loop_timer step, due;
	bool stopped, due_now;
	struct key queue[QUEUE_MAX];	/* prefixes of identities over their cap */
	unsigned queued;
	struct key prefix;		/* of the walk; also its identity in the sketch */
	struct walk walk;
	struct store_scan scan;
	char from[KEY_MAX + 1];
	struct record records[PAGE];
	struct store_remove remove;
	struct buf doomed;
	struct notice notices[2];	/* identity, total */
};

static void on_step(struct loop_timer *t);
static void on_due(struct loop_timer *t);
static void scan_done(struct store_scan *op, enum store_status status);
static void remove_done(struct store_remove *op, enum store_status status);

struct census *census_new(struct store *store, const struct store_options *options, struct buf *why)
{
	struct census *c = calloc(1, sizeof *c);
	uint64_t seed = 0;

	/* Without random bytes the counts still hold; only collisions could be chosen. */
	if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed)
		seed = (uint64_t)clock_mono(options->clock);
	if (c) {
		c->sketch = sketch_new(seed);
		c->next = sketch_new(seed);
	}
	if (!c || !c->sketch || !c->next) {
		census_free(&c);
		buf_fail(why, "store: out of memory");
		return NULL;
	}
	c->store = store;
	c->loop = options->loop;
	c->clock = options->clock;
	c->cap_identity = options->cap_identity;
	c->cap_total = options->cap_total;
	c->doomed = buf_heap((size_t)PAGE * (KEY_MAX + 1));
	c->scan = (struct store_scan){ .limit = PAGE, .records = c->records, .done = scan_done, .arg = c };
	c->scan.keys = buf_heap((size_t)PAGE * (KEY_MAX + 1));
	c->remove = (struct store_remove){ .pending_only = true, .done = remove_done, .arg = c };
	loop_timer_init(&c->step, c->loop, on_step, c);
	loop_timer_init(&c->due, c->loop, on_due, c);
	if (!options->uncounted)
		loop_timer_set(&c->due, FIRST_MS);
	return c;
}

void census_stop(struct census *c)
{
	c->stopped = true;
	loop_timer_cancel(&c->step);
	loop_timer_cancel(&c->due);
}

void census_free(struct census **c)
{
	if (!*c)
		return;
	sketch_free(&(*c)->sketch);
	sketch_free(&(*c)->next);
	buf_free(&(*c)->doomed);
	buf_free(&(*c)->scan.keys);
	free(*c);
	*c = NULL;
}

uint64_t census_pending(const struct census *c)
{
	return c->total;
}

uint64_t census_evicted(const struct census *c)
{
	return c->evicted;
}

/* --- Counting -------------------------------------------------------------- */

/* "t IDENTITY " of a triplet's key; empty for other keys. */
static struct span identity_part(struct span key)
{
	if (key.n < 2 || key.p[0] != KEY_KIND_TRIPLET || key.p[1] != ' ')
		return span_make(key.p, 0);
	size_t space = span_find(span_from(key, 2), ' ');
	return space + 3 > key.n ? span_make(key.p, 0) : span_head(key, space + 3);
}

uint32_t census_waiting(const struct census *c, struct span triplet)
{
	return sketch_estimate(c->sketch, identity_part(triplet));
}

static void subtract(uint64_t *from, uint64_t n)
{
	*from -= n < *from ? n : *from;
}

static uint32_t tally(struct census *c, struct span identity, int n)
{
	if (n > 0)
		c->total += (uint64_t)n;
	else
		subtract(&c->total, (uint64_t)-n);
	/* A whole count that is under way may meet a new record or not: counting it
	 * in any case errs to the high side, and the next count puts it right. */
	if (n > 0 && c->walk.phase == PHASE_COUNT && c->walk.whole) {
		sketch_add(c->next, identity, n);
		c->total_next += (uint64_t)n;
	}
	return sketch_add(c->sketch, identity, n);
}

static void wake(struct census *c)
{
	if (c->walk.phase == PHASE_IDLE && !c->stopped)
		loop_timer_set(&c->step, 0);
}

static void enqueue(struct census *c, struct span prefix)
{
	if (c->walk.phase != PHASE_IDLE && !c->walk.whole && span_eq(key_span(&c->prefix), prefix)) {
		c->walk.again = true;
		return;
	}
	for (unsigned i = 0; i < c->queued; i++)
		if (span_eq(key_span(&c->queue[i]), prefix))
			return;
	/* With a full queue the identity comes back with its next new record. */
	if (c->queued == QUEUE_MAX)
		return;
	struct key *k = &c->queue[c->queued++];
	memcpy(k->text, prefix.p, prefix.n);
	k->n = prefix.n;
	wake(c);
}

static bool total_over(const struct census *c)
{
	return c->cap_total && c->total > c->cap_total;
}

bool census_busy(const struct census *c)
{
	return c->walk.phase != PHASE_IDLE || c->queued || c->due_now || total_over(c);
}

void census_note(struct census *c, const struct store_delta *d)
{
	bool created = d->fresh && d->delta.passed_at == 0;
	bool passed = !d->fresh && d->delta.passed_at != 0;

	if (!created && !passed)
		return;
	struct span identity = identity_part(d->key);
	if (identity.n == 0)
		return;
	uint32_t estimate = tally(c, identity, created ? 1 : -1);
	if (!created)
		return;
	if (c->cap_identity && estimate > c->cap_identity)
		enqueue(c, identity);
	if (total_over(c))
		wake(c);
}

/* --- Walking --------------------------------------------------------------- */

static void begin(struct census *c, struct span prefix, bool whole, bool paced)
{
	struct walk *w = &c->walk;
	unsigned percent = whole ? KEEP_TOTAL_PERCENT : KEEP_IDENTITY_PERCENT;

	*w = (struct walk){ .phase = PHASE_COUNT, .whole = whole, .paced = paced };
	w->now_s = clock_wall(c->clock);
	w->cap = whole ? c->cap_total : c->cap_identity;
	/* Rounds up, and does not overflow: caps have 64 bits. */
	w->keep = w->cap - w->cap / 100 * (100 - percent) - w->cap % 100 * (100 - percent) / 100;
	memmove(c->prefix.text, prefix.p, prefix.n);
	c->prefix.n = prefix.n;
	if (whole) {
		sketch_clear(c->next);
		c->total_next = 0;
	} else {
		w->estimate = sketch_estimate(c->sketch, prefix);
	}
	c->scan.prefix = key_span(&c->prefix);
	c->scan.from = buf_on(c->from, sizeof c->from);
}

static void give_up(struct census *c)
{
	c->walk.phase = PHASE_IDLE;
	c->queued = 0;
	c->due_now = false;
	if (!c->stopped)
		loop_timer_set(&c->due, RETRY_MS);
}

static void next_page(struct census *c)
{
	enum store_status status = store_scan(c->store, &c->scan);

	if (status != STORE_PENDING)
		scan_done(&c->scan, status);
}

static void on_step(struct loop_timer *t)
{
	static const char all[] = { KEY_KIND_TRIPLET, ' ' };
	struct census *c = t->arg;

	if (c->walk.phase == PHASE_IDLE) {
		if (c->queued) {
			struct key *last = &c->queue[c->queued - 1];
			begin(c, key_span(&c->queue[0]), false, false);
			c->queue[0] = *last;
			c->queued--;
		} else if (total_over(c) || c->due_now) {
			begin(c, span_make(all, sizeof all), true, !total_over(c));
			c->due_now = false;
		} else {
			return;
		}
	}
	next_page(c);
}

void census_start(struct census *c)
{
	if (c->stopped)
		return;
	c->due_now = true;
	wake(c);
	loop_timer_set(&c->due, DAILY_MS);
}

static void on_due(struct loop_timer *t)
{
	census_start(t->arg);
}

static unsigned age_step(int64_t age_s)
{
	if (age_s < 64)
		return age_s < 0 ? 0 : (unsigned)age_s;
	unsigned octave = 63 - (unsigned)__builtin_clzll((unsigned long long)age_s);
	unsigned sixteenth = (unsigned)(age_s >> (octave - 4)) & 15;
	unsigned step = 64 + (octave - 6) * 16 + sixteenth;
	return step < AGE_STEPS ? step : AGE_STEPS - 1;
}

/* Least valuable first: never retried before retried, old before young. */
static unsigned rank_of(const struct walk *w, const struct record *r)
{
	unsigned retried = r->blocked > 1 ? AGE_STEPS : 0;

	return retried + AGE_STEPS - 1 - age_step(w->now_s - r->first_seen);
}

static void choose_cut(struct walk *w)
{
	uint64_t need = w->counted - w->keep;

	for (w->cut = 0; w->cut < RANKS - 1 && w->ranks[w->cut] < need; w->cut++)
		need -= w->ranks[w->cut];
	w->at_cut = need;
}

static bool is_doomed(struct walk *w, const struct record *r)
{
	unsigned rank = rank_of(w, r);

	if (rank != w->cut)
		return rank < w->cut;
	if (w->at_cut == 0)
		return false;
	w->at_cut--;
	return true;
}

static void judge_row(struct census *c, struct span key, const struct record *r)
{
	struct walk *w = &c->walk;
	struct span identity = identity_part(key);

	if (!record_pending(r) || record_expired(r, w->now_s) || identity.n == 0)
		return;
	if (w->phase == PHASE_COUNT) {
		w->counted++;
		w->ranks[rank_of(w, r)]++;
		if (w->whole)
			sketch_add(c->next, identity, 1);
	} else if (is_doomed(w, r)) {
		buf_addspan(&c->doomed, key);
		buf_addc(&c->doomed, '\n');
		tally(c, identity, -1);
	}
}

static void say(struct census *c)
{
	struct walk *w = &c->walk;
	struct notice *n = &c->notices[w->whole];
	uint64_t now = clock_mono(c->clock);
	char text[200];
	struct buf who = BUF_ON(text);

	n->removed += w->removed;
	n->times++;
	if (n->said && now - n->said_ns < SAY_EVERY_S * (uint64_t)CLOCK_NS_PER_S)
		return;
	if (w->whole)
		buf_adds(&who, "all clients together");
	else
		buf_addsafe(&who, span_trim(span_from(key_span(&c->prefix), 2)), 100);
	log_msg(LOG_LEVEL_WARNING, "store: more than %llu triplets of %s wait for their retry: "
		"removed %llu in %llu rounds, never retried and oldest first",
		(unsigned long long)w->cap, buf_str(&who), (unsigned long long)n->removed,
		(unsigned long long)n->times);
	*n = (struct notice){ .said_ns = now, .said = true };
}

static void end_walk(struct census *c)
{
	if (c->walk.phase == PHASE_REMOVE)
		say(c);
	c->walk.phase = PHASE_IDLE;
	if (c->walk.again && sketch_estimate(c->sketch, key_span(&c->prefix)) > c->cap_identity)
		enqueue(c, key_span(&c->prefix));
	if (c->queued || total_over(c) || c->due_now)
		wake(c);
}

/* The exact number replaces the estimate; what arrived meanwhile stays on top. */
static void counted(struct census *c)
{
	struct walk *w = &c->walk;

	if (w->whole) {
		struct sketch *old = c->sketch;
		c->sketch = c->next;
		c->next = old;
		c->total = c->total_next + w->counted;
	} else {
		sketch_add(c->sketch, key_span(&c->prefix), (int64_t)w->counted - (int64_t)w->estimate);
	}
	if (w->cap == 0 || w->counted <= w->cap) {
		end_walk(c);
		return;
	}
	choose_cut(w);
	w->phase = PHASE_REMOVE;
	w->paced = false;
	buf_clear(&c->scan.from);
	loop_timer_set(&c->step, 0);
}

static void page_over(struct census *c)
{
	struct walk *w = &c->walk;

	if (!w->last_page)
		loop_timer_set(&c->step, w->paced && !total_over(c) ? PAUSE_MS : 0);
	else if (w->phase == PHASE_COUNT)
		counted(c);
	else
		end_walk(c);
}

static void scan_done(struct store_scan *op, enum store_status status)
{
	struct census *c = op->arg;
	struct span keys = buf_span(&op->keys), key;

	if (status == STORE_FAILED || c->stopped) {
		give_up(c);
		return;
	}
	buf_clear(&c->doomed);
	for (unsigned i = 0; i < op->count && span_cut(&keys, '\n', &key); i++)
		judge_row(c, key, &op->records[i]);
	c->walk.last_page = !op->more;
	if (c->doomed.n == 0) {
		page_over(c);
		return;
	}
	c->remove.keys = buf_span(&c->doomed);
	status = store_remove(c->store, &c->remove);
	if (status != STORE_PENDING)
		remove_done(&c->remove, status);
}

static void remove_done(struct store_remove *op, enum store_status status)
{
	struct census *c = op->arg;

	if (status == STORE_FAILED || c->stopped) {
		give_up(c);
		return;
	}
	c->walk.removed += op->removed;
	c->evicted += op->removed;
	page_over(c);
}
