#include "engine/forwarders.h"

#include <math.h>

#define SETS 256
#define WAYS 4
#define BITS 256
#define SIBLINGS_MOST 3		/* so many machines of one organisation: a provider's pool */

struct candidate {
	uint64_t hash;			/* of the client; 0: unused */
	uint64_t org;			/* of its organisation; 0: it has none */
	int64_t last;
	bool told;
	uint8_t seen[BITS / 8];		/* a bit for a hash of each sender's domain: linear counting */
	struct forwarder f;
};

struct forwarders {
	struct candidate sets[SETS][WAYS];
};

struct forwarders *forwarders_new(void)
{
	return calloc(1, sizeof(struct forwarders));
}

void forwarders_free(struct forwarders **f)
{
	free(*f);
	*f = NULL;
}

static unsigned estimate(const uint8_t seen[BITS / 8])
{
	unsigned unset = 0;

	for (unsigned i = 0; i < BITS; i++)
		unset += !(seen[i / 8] & 1u << (i % 8));
	return unset ? (unsigned)(-(double)BITS * log((double)unset / BITS) + 0.5) : BITS * 6;
}

static struct candidate *find_or_make(struct forwarders *f, const struct request *r, int64_t now)
{
	uint64_t hash = span_hash(span_make((const char *)r->client.bytes, sizeof r->client.bytes), r->client.family) | 1;
	struct candidate *set = f->sets[(hash >> 1) % SETS], *oldest = &set[0];

	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].hash == hash)
			return &set[i];
		if (set[i].hash == 0 || (oldest->hash && set[i].last < oldest->last))
			oldest = &set[i];
	}
	*oldest = (struct candidate){ .hash = hash, .org = r->client_org.n ? span_hash(r->client_org, 0) : 0,
				      .f = { .client = r->client, .since = now } };
	struct buf name = BUF_ON(oldest->f.name);
	buf_addsafe(&name, r->client_name, FORWARDER_NAME - 8);
	return oldest;
}

static bool is_one(const struct forwarders *f, const struct candidate *c)
{
	unsigned siblings = 0;

	if (c->hash == 0 || c->f.domains < FORWARDER_DOMAINS)
		return false;
	for (unsigned i = 0; c->org && i < SETS * WAYS; i++) {
		const struct candidate *other = &f->sets[i / WAYS][i % WAYS];
		siblings += other->org == c->org && other->f.domains >= FORWARDER_DOMAINS / 3;
	}
	return siblings <= SIBLINGS_MOST;
}

bool forwarders_note(struct forwarders *f, const struct request *r, int64_t now, struct forwarder *out)
{
	struct span domain = address_domain(r->sender);

	if (domain.n == 0 || r->client.family == 0)
		return false;
	struct candidate *c = find_or_make(f, r, now);
	c->last = now;
	c->f.mails++;
	uint64_t bit = span_hash(domain, 0) % BITS;
	uint8_t mask = (uint8_t)(1u << (bit % 8));
	if (c->seen[bit / 8] & mask)
		return false;
	c->seen[bit / 8] |= mask;
	c->f.domains = estimate(c->seen);
	if (c->told || !is_one(f, c))
		return false;
	c->told = true;
	*out = c->f;
	return true;
}

bool forwarders_get(const struct forwarders *f, unsigned i, struct forwarder *out)
{
	for (unsigned at = 0; at < SETS * WAYS; at++) {
		const struct candidate *c = &f->sets[at / WAYS][at % WAYS];
		if (is_one(f, c) && i-- == 0) {
			*out = c->f;
			return true;
		}
	}
	return false;
}
