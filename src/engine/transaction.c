#include "engine/transaction.h"

#define SETS 2048
#define WAYS 4

struct head {
	uint64_t hash;			/* 0: empty */
	int64_t at;
};

struct entry {
	struct fact_transaction verdict;
	size_t recipient_length;
	char recipient[TRANSACTION_RECIPIENT_MAX];
};

/* Heads stand apart, so that a look at a set touches one line of memory. */
struct transactions {
	struct head heads[SETS][WAYS];
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
	const struct head *heads = t->heads[hash % SETS];

	for (unsigned i = 0; hash && i < WAYS; i++)
		if (heads[i].hash == hash && now - heads[i].at < TRANSACTION_KEEP_S)
			return &t->sets[hash % SETS][i];
	return NULL;
}

/* Its time is now. */
static struct entry *find_or_make(struct transactions *t, uint64_t hash, int64_t now)
{
	struct head *heads = t->heads[hash % SETS];
	struct entry *set = t->sets[hash % SETS];
	unsigned oldest = 0;

	for (unsigned i = 0; i < WAYS; i++) {
		if (heads[i].hash == hash && now - heads[i].at < TRANSACTION_KEEP_S) {
			heads[i].at = now;
			return &set[i];
		}
		if (heads[i].hash == 0 || (heads[oldest].hash && heads[i].at < heads[oldest].at))
			oldest = i;
	}
	heads[oldest] = (struct head){ hash, now };
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
	find_or_make(t, hash, now)->verdict = *verdict;
}

void transactions_put_recipient(struct transactions *t, const struct request *r, int64_t now)
{
	uint64_t hash = hash_of(r);

	if (hash == 0 || r->recipient.n > TRANSACTION_RECIPIENT_MAX)
		return;
	struct entry *e = find_or_make(t, hash, now);
	if (e->recipient_length)
		return;
	e->recipient_length = r->recipient.n;
	if (r->recipient.n)
		memcpy(e->recipient, r->recipient.p, r->recipient.n);
}
