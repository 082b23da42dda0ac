#include "lists/addrset.h"

#include "lists/nameset.h"

enum { ADDRESS = 1, DOMAIN = 2 };

static const struct span null_sender = SPAN("<>");

static bool has_blank_or_control(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == ' ' || ascii_control(s.p[i]))
			return true;
	return false;
}

static struct span without_final_dot(struct span s)
{
	return s.n > 1 && s.p[s.n - 1] == '.' ? span_head(s, s.n - 1) : s;
}

/* A name, or an address literal (RFC 5321 section 4.1.3). */
static bool looks_like_a_domain(struct span s)
{
	return nameset_name(s) || (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']');
}

int addrset_add(struct wordset *set, struct span entry)
{
	if (span_eq(entry, null_sender))
		return wordset_add(set, entry, ADDRESS) ? 1 : -1;
	if (entry.n > 2 && entry.p[0] == '<' && entry.p[entry.n - 1] == '>')
		entry = span_make(entry.p + 1, entry.n - 2);
	if (entry.n == 0 || entry.n > WORDSET_LONGEST || has_blank_or_control(entry))
		return 0;
	size_t at = span_rfind(entry, '@');
	if (at + 1 == entry.n)
		return at == 0 ? 0 : wordset_add(set, entry, ADDRESS) ? 1 : -1;
	entry = without_final_dot(entry);
	struct span domain = at < entry.n ? span_from(entry, at + 1) : entry;
	if (!looks_like_a_domain(domain))
		return 0;
	return wordset_add(set, entry, at < entry.n ? ADDRESS : DOMAIN) ? 1 : -1;
}

/* Looks for local@domain, local@ and @domain in lower case. */
static bool find_parts(const struct wordset *set, struct span local, struct span domain)
{
	char text[WORDSET_LONGEST];

	if (local.n + 1 + domain.n > sizeof text)
		return false;
	memcpy(text, local.p, local.n);
	text[local.n] = '@';
	memcpy(text + local.n + 1, domain.p, domain.n);
	return wordset_find(set, span_make(text, local.n + 1 + domain.n)) & ADDRESS ||
	       (local.n && wordset_find(set, span_make(text, local.n + 1)) & ADDRESS) ||
	       (domain.n && wordset_find(set, span_make(text + local.n, 1 + domain.n)) & ADDRESS);
}

static bool find_domain(const struct wordset *set, struct span domain)
{
	while (domain.n) {
		if (wordset_find(set, domain) & DOMAIN)
			return true;
		domain = span_from(domain, span_find(domain, '.') + 1);
	}
	return false;
}

bool addrset_find(const struct wordset *set, struct span address)
{
	char lower[WORDSET_LONGEST];

	if (wordset_count(set) == 0 || address.n > sizeof lower)
		return false;
	if (address.n == 0)
		return wordset_find(set, null_sender) & ADDRESS;
	for (size_t i = 0; i < address.n; i++)
		lower[i] = ascii_lower(address.p[i]);
	address = without_final_dot(span_make(lower, address.n));
	size_t at = span_rfind(address, '@');
	struct span local = span_head(address, at), domain = span_from(address, at + 1);
	size_t plus = span_find(local, '+');
	return find_parts(set, local, domain) ||
	       (plus && plus < local.n && find_parts(set, span_head(local, plus), domain)) ||
	       find_domain(set, domain);
}
