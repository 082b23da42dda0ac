#include "lists/condition.h"

#include "lists/addrset.h"
#include "lists/nameset.h"
#include "lists/pattern.h"
#include "lists/prefixset.h"

/* What values a condition takes. */
enum { PREFIXES = 1, NAMES = 2, ADDRESSES = 4, CLASSES = 8 };

/* Words that stand for a class of client names. */
enum { CLASS_DYNAMIC = 1, CLASS_NONE = 2 };

static struct span client_name(const struct request *r) { return r->client_name; }
static struct span reverse_name(const struct request *r) { return r->reverse_name; }
static struct span helo(const struct request *r) { return r->helo; }
static struct span sender(const struct request *r) { return r->sender; }
static struct span recipient(const struct request *r) { return r->recipient; }

static const struct condition_kind {
	const char *name;
	unsigned takes;
	bool forgeable;
	struct span (*text)(const struct request *r);	/* what names, addresses and patterns look at */
} kinds[] = {
	{ "client", PREFIXES | NAMES, false, client_name },
	{ "client-name", NAMES | CLASSES, false, client_name },
	{ "reverse-name", NAMES, true, reverse_name },
	{ "helo", NAMES, false, helo },
	{ "sender", ADDRESSES, false, sender },
	{ "recipient", ADDRESSES, false, recipient },
};
#define KINDS (sizeof kinds / sizeof *kinds)

struct condition {
	const struct condition_kind *kind;
	bool negated;
	unsigned classes;
	uint64_t count;
	struct prefixset *prefixes;
	struct wordset *words;		/* names or addresses */
	struct patterns *patterns;
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

static int add_value(struct condition *c, struct span value, struct buf *why)
{
	unsigned takes = c->kind->takes;
	struct netprefix prefix;
	struct span pattern;

	if (takes & PREFIXES && netprefix_parse(value, &prefix))
		return result(prefixset_add(c->prefixes, &prefix) ? 1 : -1, value, "", why);
	if (pattern_spelled(value, &pattern))
		return patterns_add(c->patterns, pattern, why);
	if (takes & ADDRESSES)
		return result(addrset_add(c->words, value), value, "a mail address or domain", why);
	if (takes & PREFIXES && (looks_numeric(value) || span_find(value, ':') < value.n))
		return result(0, value, "an address", why);
	return result(nameset_add(c->words, value), value,
		      takes & PREFIXES ? "an address or a host name" : "a host name", why);
}

int condition_add(struct condition *c, struct span value, struct buf *why)
{
	if (add_value(c, value, why) != 0)
		return -1;
	c->count++;
	return 0;
}

bool condition_add_word(struct condition *c, struct span word)
{
	unsigned class = c->kind->takes & CLASSES ? class_of(word) : 0;

	c->classes |= class;
	c->count += class != 0;
	return class != 0;
}

uint64_t condition_count(const struct condition *c)
{
	return c->count;
}

static bool matches(const struct condition *c, const struct request *r)
{
	struct span text = c->kind->text(r);

	if (c->classes & CLASS_NONE && r->client_name.n == 0)
		return true;
	if (c->classes & CLASS_DYNAMIC && r->client_dynamic)
		return true;
	if (c->kind->takes & PREFIXES && prefixset_find(c->prefixes, &r->client, NULL))
		return true;
	if (c->kind->takes & ADDRESSES ? addrset_find(c->words, text) : nameset_find(c->words, text))
		return true;
	return text.n && patterns_match(c->patterns, text);
}

bool condition_holds(const struct condition *c, const struct request *r)
{
	return matches(c, r) != c->negated;
}
