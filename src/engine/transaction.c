#include "engine/transaction.h"

#define SETS 2048
#define WAYS 4

struct entry {
	int64_t at;
	struct fact_transaction verdict;
	size_t recipient_length;
	char recipient[TRANSACTION_RECIPIENT_MAX];
};

/* Hashes stand apart, so that a look at a set touches one line of memory. */
struct transactions {
	uint64_t hashes[SETS][WAYS];	/* 0: empty */
	struct entry sets[SETS][WAYS];
};

struct transactions *transactions_new(void)
{
	return calloc(1, sizeof(struct transactions));
}

void transactions_free(struct transactions **t)
{
	free(*t);
	*t = NULL;
}

/* The instance is unique at one MTA; client and sender tell MTAs apart that
 * share one daemon. 0 when the request has no instance. */
static uint64_t hash_of(const struct request *r)
{
	if (r->instance.n == 0)
		return 0;
	uint64_t h = span_hash(r->instance, 1);
	h = span_hash(r->client_text, h);
	h = span_hash(r->sender, h);
	return h ? h : 1;
}

static const struct entry *find(const struct transactions *t, uint64_t hash, int64_t now)
{
	const uint64_t *hashes = t->hashes[hash % SETS];
	const struct entry *set = t->sets[hash % SETS];

	for (unsigned i = 0; hash && i < WAYS; i++)
		if (hashes[i] == hash && now - set[i].at < TRANSACTION_KEEP_S)
			return &set[i];
	return NULL;
}

static struct entry *find_or_make(struct transactions *t, uint64_t hash, int64_t now)
{
	uint64_t *hashes = t->hashes[hash % SETS];
	struct entry *set = t->sets[hash % SETS];
	unsigned oldest = 0;

	for (unsigned i = 0; i < WAYS; i++) {
		if (hashes[i] == hash && now - set[i].at < TRANSACTION_KEEP_S)
			return &set[i];
		if (hashes[i] == 0 || (hashes[oldest] && set[i].at < set[oldest].at))
			oldest = i;
	}
	hashes[oldest] = hash;
	set[oldest].verdict.found = false;
	set[oldest].recipient_length = 0;
	return &set[oldest];
}

void transactions_find(const struct transactions *t, const struct request *r, int64_t now,
		       struct fact_transaction *out, struct span *recipient)
{
	const struct entry *e = find(t, hash_of(r), now);

	*out = (struct fact_transaction){ 0 };
	*recipient = span_make("", 0);
	if (!e)
		return;
	*out = e->verdict;
	*recipient = span_make(e->recipient, e->recipient_length);
}

void transactions_put(struct transactions *t, const struct request *r, int64_t now,
		      const struct fact_transaction *verdict)
{
	uint64_t hash = hash_of(r);

	if (hash == 0)
		return;
	struct entry *e = find_or_make(t, hash, now);
	e->verdict = *verdict;
	e->at = now;
}

void transactions_put_recipient(struct transactions *t, const struct request *r, int64_t now)
{
	uint64_t hash = hash_of(r);

	if (hash == 0 || r->recipient.n > TRANSACTION_RECIPIENT_MAX)
		return;
	struct entry *e = find_or_make(t, hash, now);
	e->at = now;
	if (e->recipient_length)
		return;
	e->recipient_length = r->recipient.n;
	if (r->recipient.n)
		memcpy(e->recipient, r->recipient.p, r->recipient.n);
}
