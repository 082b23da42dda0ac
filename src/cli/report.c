#include "cli/report.h"

#include <fnmatch.h>
#include <time.h>

#define NAMES_COUNTED 20000	/* of each list at once */
#define HOURLY_S (3 * 86400)	/* shorter reports go by the hour */
#define SLOTS_MAX 4000
#define ATTEMPT_BYTES 700	/* a session that ends at RCPT, both ways, with the TCP handshake */

/* --- Beginning --------------------------------------------------------------------------- */

/* Beginnings of local hours or days. */
static void make_slots(struct report *r)
{
	time_t t = (time_t)r->options.since;
	struct tm tm = { 0 };

	localtime_r(&t, &tm);
	tm.tm_sec = tm.tm_min = 0;
	if (!r->hourly)
		tm.tm_hour = 0;
	tm.tm_isdst = -1;
	int64_t at = (int64_t)mktime(&tm);
	while (r->slot_count < SLOTS_MAX && at < r->options.until) {
		r->slots[r->slot_count++] = (struct report_slot){ .time = at };
		if (r->hourly) {
			at += HISTORY_HOUR_S;
			continue;
		}
		tm.tm_mday++;
		tm.tm_isdst = -1;
		at = (int64_t)mktime(&tm);
	}
}

struct report *report_new(const struct report_options *options)
{
	struct report *r = calloc(1, sizeof *r);
	bool good = r != NULL;

	if (!r)
		return NULL;
	r->options = *options;
	r->hourly = options->until - options->since <= HOURLY_S;
	r->slots = calloc(SLOTS_MAX, sizeof *r->slots);
	r->lost = calloc(2 * REPORT_LOST_MAX, sizeof *r->lost);
	r->held = calloc(REPORT_LOST_MAX, sizeof *r->held);
	for (unsigned i = 0; i < REPORT_LISTS; i++)
		good = (r->lists[i] = heavy_new(NAMES_COUNTED)) != NULL && good;
	if (!good || !r->slots || !r->lost || !r->held) {
		report_free(&r);
		return NULL;
	}
	make_slots(r);
	return r;
}

void report_free(struct report **r)
{
	if (*r) {
		for (unsigned i = 0; i < REPORT_LISTS; i++)
			heavy_free(&(*r)->lists[i]);
		free((*r)->slots);
		free((*r)->lost);
		free((*r)->held);
	}
	free(*r);
	*r = NULL;
}

/* --- Counting ------------------------------------------------------------------------------ */

static struct report_slot *slot_of(struct report *r, int64_t at)
{
	unsigned from = 0, to = r->slot_count;

	while (from + 1 < to) {
		unsigned middle = (from + to) / 2;
		if (r->slots[middle].time <= at)
			from = middle;
		else
			to = middle;
	}
	return r->slot_count ? &r->slots[from] : NULL;
}

/* Doors that tell how a mail ended, and questions that come too soon, are no mails. */
static bool is_mail(enum reason reason)
{
	return reason_kind(reason) != REASON_KIND_REPORT && reason != REASON_STAGE;
}

void report_count(struct report *r, int64_t at, enum verdict v, enum reason reason, uint64_t count)
{
	struct report_slot *slot = slot_of(r, at);

	if (!is_mail(reason))
		return;
	if (slot)
		slot->verdicts[v] += count;
	r->verdicts[v][reason] += count;
}

void report_delay(struct report *r, int64_t delayed_s)
{
	r->delays[history_bucket(delayed_s)]++;
	r->delayed++;
	r->delayed_s += delayed_s > 0 ? (uint64_t)delayed_s : 0;
}

/* --- Who never came back --------------------------------------------------------------------- */

static void copy(char to[REPORT_NAME_MAX + 1], struct span from)
{
	size_t n = from.n < REPORT_NAME_MAX ? from.n : REPORT_NAME_MAX;

	while (n < from.n && n > 0 && ((unsigned char)from.p[n] & 0xc0) == 0x80)
		n--;
	memcpy(to, from.p, n);
	to[n] = '\0';
}

/* A real server has a name, comes again, and after a pause; it often brings one mail to
 * several of ours, and others of its mails pass. */
static unsigned score_of(const struct report_triplet *t)
{
	unsigned score = t->named ? 3 : 0;

	if (t->deferred > 1)
		score += 2;
	if (t->last - t->first >= 300)
		score += 2;
	return score;
}

static int likeliest_first(const void *a, const void *b)
{
	const struct report_lost *x = a, *y = b;

	if (x->score != y->score)
		return x->score < y->score ? 1 : -1;
	if (x->tries != y->tries)
		return x->tries < y->tries ? 1 : -1;
	if (x->last != y->last)
		return x->last < y->last ? 1 : -1;
	return strcmp(x->recipient, y->recipient);
}

static void keep(struct report *r, const struct report_lost *lost)
{
	if (r->lost_kept == 2 * REPORT_LOST_MAX) {
		qsort(r->lost, r->lost_kept, sizeof *r->lost, likeliest_first);
		r->lost_kept = REPORT_LOST_MAX;
	}
	r->lost[r->lost_kept++] = *lost;
}

static void end_source(struct report *r)
{
	r->systems_retried += r->source_retried;
	r->systems_silent += r->source_deferred && !r->source_retried;
	for (unsigned i = 0; i < r->held_count; i++) {
		struct report_lost *l = &r->held[i];
		/* Those of one sender stand together. */
		bool several = (i > 0 && strcmp(l[-1].sender, l->sender) == 0) ||
			       (i + 1 < r->held_count && strcmp(l[1].sender, l->sender) == 0);
		l->score += (several ? 1u : 0u) + (r->source_retried ? 2u : 0u);
		keep(r, l);
	}
	r->held_count = 0;
	r->source_retried = r->source_deferred = false;
}

static bool wanted(const struct report_options *o, const struct report_triplet *t, const char *source)
{
	if (t->deferred < o->tries || (o->skip_dynamic && !t->named))
		return false;
	if (o->match && fnmatch(o->match, source, FNM_CASEFOLD) != 0)
		return false;
	return !o->skip || fnmatch(o->skip, source, FNM_CASEFOLD) != 0;
}

static void take_pending(struct report *r, const struct report_triplet *t)
{
	if (r->options.now - t->last < r->options.after_s) {
		r->waiting++;
		return;
	}
	r->lost_count++;
	if (r->held_count == REPORT_LOST_MAX || !wanted(&r->options, t, r->source))
		return;
	struct report_lost *l = &r->held[r->held_count++];
	*l = (struct report_lost){ .first = t->first, .last = t->last, .tries = t->deferred, .score = score_of(t) };
	copy(l->identity, t->identity);
	copy(l->sender, t->sender);
	copy(l->recipient, t->recipient);
}

/* A client that is known as a whole names no sender and recipient. A first good retry is
 * counted for the triplet and for who is known by it: an organisation's mail is counted
 * there, that of others at their triplets. */
static void add_source(struct report *r, const struct report_triplet *t)
{
	bool whole = t->recipient.n == 0;
	uint64_t passed = whole == t->named ? t->passed : 0;

	if (t->deferred || passed)
		heavy_add(r->lists[REPORT_SOURCES], t->identity, t->deferred, passed);
}

void report_triplet(struct report *r, const struct report_triplet *t)
{
	char source[REPORT_NAME_MAX + 1];

	copy(source, t->identity);
	if (strcmp(source, r->source) != 0)
		end_source(r);
	memcpy(r->source, source, sizeof source);
	add_source(r, t);
	if (t->recipient.n == 0)
		return;
	heavy_add(r->lists[REPORT_SENDERS], t->sender.n ? t->sender : span_of("<>"), t->deferred, t->passed);
	heavy_add(r->lists[REPORT_RECIPIENTS], t->recipient, t->deferred, t->passed);
	r->source_deferred |= t->deferred > 0;
	r->source_retried |= t->deferred > 0 && (t->passed || t->passed_at);
	if (t->passed_at == 0 && t->deferred)
		take_pending(r, t);
}

static bool is_empty(const struct report_slot *s)
{
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		if (s->verdicts[v])
			return false;
	return true;
}

void report_finish(struct report *r)
{
	end_source(r);
	qsort(r->lost, r->lost_kept, sizeof *r->lost, likeliest_first);
	if (r->lost_kept > REPORT_LOST_MAX)
		r->lost_kept = REPORT_LOST_MAX;
	while (r->first_slot + 1 < r->slot_count && is_empty(&r->slots[r->first_slot]))
		r->first_slot++;
	/* Where logs end says nothing of today. */
	while (r->options.from_log && r->slot_count > r->first_slot + 1 && is_empty(&r->slots[r->slot_count - 1]))
		r->slot_count--;
}

/* --- Sums -------------------------------------------------------------------------------------- */

uint64_t report_total(const struct report *r, enum verdict v)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < REASON_COUNT; i++)
		sum += r->verdicts[v][i];
	return sum;
}

uint64_t report_begun(const struct report *r)
{
	const uint64_t *deferred = r->verdicts[VERDICT_DEFER], *observed = r->verdicts[VERDICT_OBSERVE];

	return deferred[REASON_NEW] + deferred[REASON_LAPSED] + deferred[REASON_UNRETRIED] + observed[REASON_NEW] +
	       observed[REASON_LAPSED] + observed[REASON_UNRETRIED];
}

int64_t report_delay_share(const struct report *r, double share)
{
	double wanted_count = share * (double)r->delayed, seen = 0;
	int64_t from = 0;

	for (unsigned i = 0; r->delayed && i < HISTORY_BUCKETS; i++) {
		double here = (double)r->delays[i];
		int64_t to = history_under(i) ? history_under(i) : from;
		if (r->delays[i] == r->delayed)
			return (int64_t)(r->delayed_s / r->delayed);
		if (here > 0 && seen + here >= wanted_count)
			return from + (int64_t)((double)(to - from) * (wanted_count - seen) / here);
		seen += here;
		from = to;
	}
	return from;
}

void report_bandwidth(const struct report *r, uint64_t *saved, uint64_t *spent)
{
	uint64_t begun = report_begun(r);

	*saved = begun > r->delayed ? (begun - r->delayed) * r->options.mail_bytes : 0;
	*spent = report_total(r, VERDICT_DEFER) * ATTEMPT_BYTES;
}

const char *report_list_word(enum report_list l)
{
	switch (l) {
	case REPORT_SOURCES: return "sources";
	case REPORT_SENDERS: return "senders";
	case REPORT_RECIPIENTS: return "recipients";
	}
	return "";
}
