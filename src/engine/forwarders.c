#include "engine/forwarders.h"

#include <math.h>

#define SETS 256
#define WAYS 4
#define BITS 256
#define IDLE_S 60		/* who was here since then does not make room for another */
#define SIBLINGS_MOST 3		/* so many machines of one organisation: a provider's pool */

struct candidate {
	uint64_t org;			/* of its organisation; 0: it has none */
	bool told;
	unsigned set;			/* bits of `seen` that are */
	uint8_t seen[BITS / 8];		/* a bit for a hash of each sender's domain: linear counting */
	struct forwarder f;
};

/* Stands apart, so that to look for a client touches one line of memory. */
struct place {
	uint64_t hash;			/* of the client; 0: unused */
	int64_t last;
};

struct forwarders {
	struct place places[SETS][WAYS];
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

static unsigned estimate(unsigned set)
{
	return set < BITS ? (unsigned)(-(double)BITS * log((double)(BITS - set) / BITS) + 0.5) : BITS * 6;
}

/* NULL when there is no room: then others are busier. */
static struct candidate *find_or_make(struct forwarders *f, const struct request *r, int64_t now)
{
	uint64_t hash = span_hash(span_make((const char *)r->client.bytes, sizeof r->client.bytes), r->client.family) | 1;
	struct place *places = f->places[(hash >> 1) % SETS];
	unsigned oldest = 0;

	for (unsigned i = 0; i < WAYS; i++) {
		if (places[i].hash == hash) {
			places[i].last = now;
			return &f->sets[(hash >> 1) % SETS][i];
		}
		if (places[i].hash == 0 || (places[oldest].hash && places[i].last < places[oldest].last))
			oldest = i;
	}
	if (places[oldest].hash && now - places[oldest].last < IDLE_S && now >= places[oldest].last)
		return NULL;
	struct candidate *c = &f->sets[(hash >> 1) % SETS][oldest];
	places[oldest] = (struct place){ hash, now };
	*c = (struct candidate){ .org = r->client_org.n ? span_hash(r->client_org, 0) : 0,
				 .f = { .client = r->client, .since = now } };
	struct buf name = BUF_ON(c->f.name);
	buf_addsafe(&name, r->client_name, FORWARDER_NAME - 8);
	return c;
}

static bool is_one(const struct forwarders *f, const struct candidate *c)
{
	unsigned siblings = 0;

	if (c->f.domains < FORWARDER_DOMAINS)
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
	if (!c)
		return false;
	c->f.mails++;
	uint64_t bit = span_hash(domain, 0) % BITS;
	uint8_t mask = (uint8_t)(1u << (bit % 8));
	if (c->seen[bit / 8] & mask)
		return false;
	c->seen[bit / 8] |= mask;
	/* Of few the bits are as good a count. */
	c->f.domains = ++c->set < FORWARDER_DOMAINS / 2 ? c->set : estimate(c->set);
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
