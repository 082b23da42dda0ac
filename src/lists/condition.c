#include "lists/condition.h"

#include "lists/addrset.h"
#include "lists/nameset.h"
#include "lists/pattern.h"
#include "lists/prefixset.h"
#include "lists/ranges.h"

/* What values a condition takes. */
enum { PREFIXES = 1, NAMES = 2, ADDRESSES = 4, CLASSES = 8, WORDS = 16, RANGES = 32, LOOKUPS = 64,
       PATTERNS = NAMES | ADDRESSES | WORDS };

/* Words that stand for a class of client names. */
enum { CLASS_DYNAMIC = 1, CLASS_NONE = 2 };

static struct span client_name(const struct request *r) { return r->client_name; }
static struct span reverse_name(const struct request *r) { return r->reverse_name; }
static struct span helo(const struct request *r) { return r->helo; }
static struct span sender(const struct request *r) { return r->sender; }
static struct span recipient(const struct request *r) { return r->recipient; }
static struct span sender_domain(const struct request *r) { return address_domain(r->sender); }
static struct span policy_context(const struct request *r) { return r->policy_context; }
static struct span listener(const struct request *r) { return r->listener; }
static struct span country(const struct request *r) { return r->country; }
static struct span server_address(const struct request *r) { return r->server_address; }

static struct netaddr client_address(const struct request *r) { return r->client; }

static struct netaddr server_netaddr(const struct request *r)
{
	struct netaddr a = { 0 };

	netaddr_parse(r->server_address, &a);
	return a;
}

/* As identity_of does it under IDENTITY_HOST: a domain, or else a network. */
static struct span identity_domain(const struct request *r)
{
	return r->client_dynamic ? span_make("", 0) : r->client_org;
}

static struct netaddr identity_address_of(const struct request *r)
{
	return identity_domain(r).n ? (struct netaddr){ 0 } : r->client;
}

static int64_t number_of(struct span s)
{
	uint64_t n;

	return span_uint(s, RANGES_NUMBER_MAX, &n) ? (int64_t)n : -1;
}

static int64_t server_port(const struct request *r) { return number_of(r->server_port); }
static int64_t recipient_count(const struct request *r) { return number_of(r->recipient_count); }

/* A door that never says so does not mean that there is no TLS. */
static int64_t tls(const struct request *r)
{
	return r->encryption_protocol.p ? r->encryption_protocol.n != 0 : -1;
}

static int64_t authenticated(const struct request *r)
{
	return r->sasl_username.n != 0 || r->sasl_method.n != 0;
}

static int64_t minute(const struct request *r) { return r->has_minute ? r->local_minute : -1; }
static int64_t weekday(const struct request *r) { return r->has_weekday ? r->local_weekday : -1; }

static bool is_literal(struct span name)
{
	struct netaddr a;

	return name.n > 2 && name.p[0] == '[' && name.p[name.n - 1] == ']' && netaddr_parse(name, &a);
}

static int64_t helo_is_literal(const struct request *r)
{
	return r->helo.n ? is_literal(r->helo) : -1;
}

/* A dot at the end separates nothing. */
static int64_t helo_not_dotted(const struct request *r)
{
	return r->helo.n ? span_find(r->helo, '.') + 1 >= r->helo.n && !is_literal(r->helo) : -1;
}

static const struct condition_kind {
	const char *name;
	unsigned takes;
	struct span (*text)(const struct request *r);	/* what names, addresses, words and patterns look at */
	struct netaddr (*address)(const struct request *r);	/* what prefixes look at */
	int64_t (*number)(const struct request *r);	/* what ranges look at; -1: unknown */
	enum range_unit unit;
	enum lookup_kind lookup;
	bool forgeable;
	bool no_proof;
	bool clock;			/* needs the local time */
} kinds[] = {
	{ "client", PREFIXES | NAMES, .text = client_name, .address = client_address },
	{ "client-name", NAMES | CLASSES, .text = client_name },
	{ "reverse-name", NAMES, .text = reverse_name, .forgeable = true },
	{ "identity", PREFIXES | NAMES, .text = identity_domain, .address = identity_address_of },
	{ "helo", NAMES, .text = helo },
	{ "helo-is-literal", RANGES, .number = helo_is_literal, .unit = RANGE_TRUTH },
	{ "helo-not-dotted", RANGES, .number = helo_not_dotted, .unit = RANGE_TRUTH },
	{ "sender", ADDRESSES, .text = sender },
	{ "sender-domain", NAMES, .text = sender_domain },
	{ "recipient", ADDRESSES, .text = recipient },
	{ "recipient-count", RANGES, .number = recipient_count, .unit = RANGE_NUMBER },
	{ "tls", RANGES, .number = tls, .unit = RANGE_TRUTH },
	{ "authenticated", RANGES, .number = authenticated, .unit = RANGE_TRUTH },
	{ "listener", WORDS, .text = listener },
	{ "policy-context", WORDS, .text = policy_context },
	{ "server-address", PREFIXES, .text = server_address, .address = server_netaddr },
	{ "server-port", RANGES, .number = server_port, .unit = RANGE_NUMBER },
	{ "time", RANGES, .number = minute, .unit = RANGE_MINUTE, .clock = true },
	{ "weekday", RANGES, .number = weekday, .unit = RANGE_WEEKDAY, .clock = true },
	{ "country", WORDS, .text = country },
	{ "dnsbl", LOOKUPS, .lookup = LOOKUP_DNSBL },
	{ "dnswl", LOOKUPS, .lookup = LOOKUP_DNSWL },
	{ "rhsbl", LOOKUPS, .lookup = LOOKUP_RHSBL },
	{ "spf", LOOKUPS, .lookup = LOOKUP_SPF, .no_proof = true },
	{ "rate", LOOKUPS, .lookup = LOOKUP_RATE },
	{ "listed", LOOKUPS, .lookup = LOOKUP_LISTED },
};
#define KINDS (sizeof kinds / sizeof *kinds)

struct condition {
	const struct condition_kind *kind;
	bool negated;
	unsigned classes;
	uint64_t count;
	uint64_t print;			/* of the values, in any order */
	unsigned whole;			/* families of which all addresses are in: bit 0 IPv4, bit 1 IPv6 */
	struct prefixset *prefixes;
	struct wordset *words;		/* names, addresses or words */
	struct patterns *patterns;
	struct ranges ranges;
	struct lookup *lookups;
	size_t lookup_count;
	const struct condition **sets;	/* of others: their values are its values too */
	size_t set_count;
};

const struct condition_kind *condition_kind(struct span name)
{
	for (size_t i = 0; i < KINDS; i++)
		if (span_ieq(name, span_of(kinds[i].name)))
			return &kinds[i];
	return NULL;
}

const char *condition_kind_name(unsigned index)
{
	return index < KINDS ? kinds[index].name : NULL;
}

bool condition_forgeable(const struct condition_kind *kind)
{
	return kind->forgeable;
}

bool condition_no_proof(const struct condition *c)
{
	return c->kind->no_proof;
}

bool condition_wants_country(const struct condition *c)
{
	return c->kind->text == country;
}

struct lookup *condition_lookup(struct condition *c, unsigned i)
{
	return i < c->lookup_count ? &c->lookups[i] : NULL;
}

bool condition_wants_clock(const struct condition *c)
{
	return c->kind->clock;
}

struct condition *condition_new(const struct condition_kind *kind, bool negated)
{
	struct condition *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->kind = kind;
	c->negated = negated;
	c->prefixes = prefixset_new();
	c->words = wordset_new();
	c->patterns = patterns_new();
	if (!c->prefixes || !c->words || !c->patterns)
		condition_free(&c);
	return c;
}

void condition_free(struct condition **c)
{
	if (*c) {
		prefixset_free(&(*c)->prefixes);
		wordset_free(&(*c)->words);
		patterns_free(&(*c)->patterns);
		ranges_free(&(*c)->ranges);
		for (size_t i = 0; i < (*c)->lookup_count; i++)
			lookup_free(&(*c)->lookups[i]);
		free((*c)->lookups);
		free((*c)->sets);
	}
	free(*c);
	*c = NULL;
}

/* Digits, dots and a slash: meant as an address, so no name either. */
static bool looks_numeric(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_digit(s.p[i]) && s.p[i] != '.' && s.p[i] != '/')
			return false;
	return true;
}

static unsigned class_of(struct span value)
{
	return span_ieq(value, span_of("dynamic")) ? CLASS_DYNAMIC :
	       span_ieq(value, span_of("none")) ? CLASS_NONE : 0;
}

static int result(int added, struct span value, const char *wanted, struct buf *why)
{
	if (added > 0)
		return 0;
	if (added < 0)
		return buf_fail(why, "out of memory");
	buf_clear(why);
	buf_addc(why, '"');
	buf_addsafe(why, value, 60);
	buf_adds(why, "\" doesn't look like ");
	buf_adds(why, wanted);
	for (size_t i = 0; i < value.n; i++)
		if ((unsigned char)value.p[i] >= 0x80) {
			buf_adds(why, "; domains beyond ASCII are written in A-labels (xn--...)");
			break;
		}
	return -1;
}

static int add_range(struct condition *c, struct span value, struct buf *why)
{
	struct range range;

	if (!range_parse(c->kind->unit, value, &range))
		return result(0, value, range_looks(c->kind->unit), why);
	return result(ranges_add(&c->ranges, range) ? 1 : -1, value, "", why);
}

static int add_lookup(struct condition *c, struct span value, struct buf *why)
{
	struct lookup *more = realloc(c->lookups, (c->lookup_count + 1) * sizeof *more);

	if (!more)
		return buf_fail(why, "out of memory");
	c->lookups = more;
	if (lookup_parse(&more[c->lookup_count], c->kind->lookup, value, why) != 0)
		return -1;
	c->lookup_count++;
	return 0;
}

static int add_value(struct condition *c, struct span value, struct buf *why)
{
	unsigned takes = c->kind->takes;
	struct netprefix prefix;
	struct span pattern;

	if (takes & RANGES)
		return add_range(c, value, why);
	if (takes & LOOKUPS)
		return add_lookup(c, value, why);
	if (takes & PREFIXES && netprefix_parse(value, &prefix))
		return result(prefixset_add(c->prefixes, &prefix) ? 1 : -1, value, "", why);
	if (takes & PATTERNS && pattern_spelled(value, &pattern))
		return patterns_add(c->patterns, pattern, why);
	if (takes & ADDRESSES)
		return result(addrset_add(c->words, value), value, "a mail address or domain", why);
	if (takes & WORDS)
		return result(value.n ? (wordset_add(c->words, value, 1) ? 1 : -1) : 0, value, "a word", why);
	if (!(takes & NAMES) || (takes & PREFIXES && (looks_numeric(value) || span_find(value, ':') < value.n)))
		return result(0, value, "an address", why);
	return result(nameset_add(c->words, value), value,
		      takes & PREFIXES ? "an address or a host name" : "a host name", why);
}

/* Adds a value to the fingerprint, in one spelling for what means the same. */
static void note(struct condition *c, struct span value)
{
	char text[WORDSET_LONGEST + 1];
	struct buf b = BUF_ON(text);
	struct netprefix prefix;
	struct range range;
	struct span pattern;

	c->count++;
	if (c->kind->takes & RANGES && range_parse(c->kind->unit, value, &range)) {
		buf_addf(&b, "%lld-%lld", (long long)range.low, (long long)range.high);
		value = buf_span(&b);
	} else if (c->kind->takes & PREFIXES && netprefix_parse(value, &prefix)) {
		netprefix_add(&b, &prefix);
		value = buf_span(&b);
		if (prefix.bits == 0)
			c->whole |= prefix.addr.family == 4 ? 1 : 2;
	} else if (!pattern_spelled(value, &pattern)) {
		buf_addlower(&b, value);
		value = buf_span(&b);
	}
	c->print += span_hash(value, 0);
}

int condition_add(struct condition *c, struct span value, struct buf *why)
{
	if (add_value(c, value, why) != 0)
		return -1;
	note(c, value);
	return 0;
}

bool condition_add_word(struct condition *c, struct span word)
{
	unsigned class = c->kind->takes & CLASSES ? class_of(word) : 0;
	struct range range;

	if (class) {
		/* Not what the same word as a name would be. */
		c->print += span_hash(span_make((const char *)&class, sizeof class), 1);
		c->classes |= class;
		c->count++;
		return true;
	}
	if (c->kind->takes & RANGES && range_parse(c->kind->unit, word, &range) && ranges_add(&c->ranges, range)) {
		note(c, word);
		return true;
	}
	return false;
}

int condition_add_set(struct condition *c, const struct condition *set, struct buf *why)
{
	if (set->kind->takes & LOOKUPS)
		return buf_fail(why, "%s takes no set", set->kind->name);
	if (set == c || set->set_count)
		return buf_fail(why, "a set in a set is no value");
	if (set->kind != c->kind)
		return buf_fail(why, "this is a set for the condition %s", set->kind->name);
	const struct condition **more = realloc(c->sets, (c->set_count + 1) * sizeof *more);
	if (!more)
		return buf_fail(why, "out of memory");
	c->sets = more;
	c->sets[c->set_count++] = set;
	c->count += set->count;
	c->print += set->print;
	c->whole |= set->whole;
	return 0;
}

bool condition_always(const struct condition *c)
{
	return c->negated ? c->count == 0 : c->kind->address == client_address && c->whole == 3;
}

bool condition_never(const struct condition *c)
{
	return c->negated ? c->kind->address == client_address && c->whole == 3 : c->count == 0;
}

uint64_t condition_print(const struct condition *c)
{
	uint64_t parts[] = { (uint64_t)(c->kind - kinds), c->negated, c->count, c->print };

	return span_hash(span_make((const char *)parts, sizeof parts), 0);
}

uint64_t condition_count(const struct condition *c)
{
	return c->count;
}

static bool prefix_matches(const struct condition *c, const struct request *r)
{
	struct netaddr a = c->kind->address(r);

	return a.family && prefixset_find(c->prefixes, &a, NULL);
}

static bool word_matches(const struct condition *c, struct span text)
{
	char lower[REQUEST_WORD_MAX + 1];
	struct buf b = BUF_ON(lower);

	if (c->kind->takes & ADDRESSES)
		return addrset_find(c->words, text);
	if (c->kind->takes & NAMES)
		return nameset_find(c->words, text);
	buf_addlower(&b, text);
	return text.n && !b.over && wordset_find(c->words, buf_span(&b));
}

static bool own_matches(const struct condition *c, const struct request *r)
{
	if (c->kind->takes & RANGES)
		return ranges_find(&c->ranges, c->kind->number(r));
	struct span text = c->kind->text(r);
	if (c->classes & CLASS_NONE && r->client_name.n == 0)
		return true;
	if (c->classes & CLASS_DYNAMIC && r->client_dynamic)
		return true;
	if (c->kind->takes & PREFIXES && prefix_matches(c, r))
		return true;
	if (c->kind->takes & PATTERNS && word_matches(c, text))
		return true;
	return text.n && patterns_match(c->patterns, text);
}

static bool matches(const struct condition *c, const struct request *r)
{
	if (own_matches(c, r))
		return true;
	for (size_t i = 0; i < c->set_count; i++)
		if (own_matches(c->sets[i], r))
			return true;
	return false;
}

static enum holds found(const struct condition *c, const struct lookup_answers *answers, uint64_t *wanted)
{
	uint64_t missing = 0;
	bool open = false;

	for (size_t i = 0; i < c->lookup_count; i++) {
		const struct lookup *l = &c->lookups[i];
		uint64_t bit = (uint64_t)1 << l->index;
		if (!answers || !(answers->known & bit))
			missing |= bit;
		else if (answers->open & bit)
			open = true;
		else if (answers->bits[l->index] & l->bits)
			return c->negated ? HOLDS_NOT : HOLDS;
	}
	if (missing && (!answers || answers->final))
		return HOLDS_NOT;
	*wanted |= missing;
	return missing ? HOLDS_UNKNOWN : c->negated && !open ? HOLDS : HOLDS_NOT;
}

enum holds condition_holds(const struct condition *c, const struct request *r, const struct lookup_answers *answers,
			   uint64_t *wanted)
{
	if (c->kind->takes & LOOKUPS)
		return found(c, answers, wanted);
	return matches(c, r) != c->negated ? HOLDS : HOLDS_NOT;
}
