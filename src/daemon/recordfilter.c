#include "daemon/recordfilter.h"

#include <fnmatch.h>

#include "core/mailaddr.h"
#include "core/request.h"

int recordfilter_parse(struct recordfilter *f, const char *field, const char *pattern, struct buf *why)
{
	static const char *const fields[] = { "all", "client", "sender", "recipient" };
	unsigned i = 0;

	while (i < 4 && strcmp(field, fields[i]) != 0)
		i++;
	if (i == 4)
		return buf_fail(why, "client, sender or recipient is meant?");
	*f = (struct recordfilter){ .field = (enum recordfilter_field)i };
	if (f->field == RECORDFILTER_ALL)
		return 0;
	struct span s = span_trim(span_of(pattern));
	if (s.n == 0 || s.n >= sizeof f->pattern)
		return buf_fail(why, "a pattern of 1 to %zu bytes is needed", sizeof f->pattern - 1);
	struct buf text = BUF_ON(f->pattern), normal = BUF_ON(f->normal);
	buf_addlower(&text, s);
	f->glob = strpbrk(f->pattern, "*?[") && s.p[0] != '[';
	if (f->field == RECORDFILTER_CLIENT) {
		struct netaddr a;
		f->is_prefix = netprefix_parse(s, &f->prefix);
		if (!f->is_prefix && netaddr_parse(s, &a)) {
			f->prefix = netaddr_network(&a, 128);
			f->is_prefix = true;
		}
		if (!f->is_prefix && !f->glob && span_find(s, '/') < s.n)
			return buf_fail(why, "not a network prefix");
	} else if (f->field == RECORDFILTER_SENDER) {
		mailaddr_sender(&normal, s, span_make("", 0));
	} else {
		mailaddr_recipient(&normal, s);
	}
	return 0;
}

bool recordfilter_matches_all(const struct recordfilter *f)
{
	if (f->field == RECORDFILTER_ALL || (f->is_prefix && f->prefix.bits == 0))
		return true;
	for (const char *p = f->pattern; *p; p++)
		if (*p != '*' && *p != '?' && *p != '@' && *p != '.')
			return false;
	return true;
}

static bool prefixes_meet(const struct netprefix *a, const struct netprefix *b)
{
	return a->bits <= b->bits ? netprefix_contains(a, &b->addr) : netprefix_contains(b, &a->addr);
}

/* True when name is domain or lies below it. */
static bool is_below(struct span name, struct span domain)
{
	return span_iends(name, domain) &&
	       (name.n == domain.n || name.p[name.n - domain.n - 1] == '.');
}

static bool client_matches(const struct recordfilter *f, struct span identity)
{
	struct span pattern = span_of(f->pattern);
	struct netprefix prefix;

	if (f->is_prefix)
		return netprefix_parse(identity, &prefix) && prefixes_meet(&f->prefix, &prefix);
	if (pattern.p[0] == '.')
		pattern = span_from(pattern, 1);
	return is_below(identity, pattern) || is_below(pattern, identity);
}

static bool address_matches(const struct recordfilter *f, struct span address)
{
	struct span pattern = span_of(f->pattern);
	size_t at = span_rfind(pattern, '@');

	if (at == pattern.n)
		return is_below(address_domain(address), pattern);
	if (at + 1 == pattern.n)
		return span_ieq(address_local(address), span_head(pattern, at));
	if (at == 0)
		return span_ieq(address_domain(address), span_from(pattern, 1));
	return span_ieq(address, pattern) || span_ieq(address, span_of(f->normal));
}

bool recordfilter_matches(const struct recordfilter *f, const struct key_parts *parts)
{
	char text[KEY_MAX + 1];
	struct buf b = BUF_ON(text);

	if (f->field == RECORDFILTER_ALL)
		return true;
	if (parts->kind == (f->field == RECORDFILTER_CLIENT ? KEY_KIND_WRITTEN : KEY_KIND_ALLOWED))
		return false;
	key_unescape(&b, f->field == RECORDFILTER_CLIENT ? parts->identity :
			 f->field == RECORDFILTER_SENDER ? parts->sender : parts->recipient);
	if (f->glob)
		return fnmatch(f->pattern, buf_str(&b), FNM_CASEFOLD) == 0;
	return f->field == RECORDFILTER_CLIENT ? client_matches(f, buf_span(&b)) : address_matches(f, buf_span(&b));
}
