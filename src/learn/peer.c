#include "learn/peer.h"

#define NAME_MAX_BYTES 253	/* RFC 1035 section 2.3.4 */

struct span peer_name(struct span name)
{
	static const struct span none = SPAN("");

	if (name.n && name.p[name.n - 1] == '.')
		name.n--;
	if (name.n > NAME_MAX_BYTES || span_find(name, '.') == name.n)
		return none;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		if (!ascii_alpha(c) && !ascii_digit(c) && c != '-' && c != '_' && c != '.')
			return none;
	}
	return name;
}

bool peer_read(struct span s, struct peer *out)
{
	static const struct span forged = SPAN("(may be forged)");
	size_t open = span_find(s, '['), close = span_find(s, ']');

	if (close == s.n || open > close || !netaddr_parse(span_make(s.p + open, close + 1 - open), &out->client))
		return false;
	struct span name = span_trim(span_head(s, open));
	size_t at = span_rfind(name, '@');
	out->name = peer_name(at < name.n ? span_from(name, at + 1) : name);
	if (span_starts(span_trim(span_from(s, close + 1)), forged))
		out->name = span_make("", 0);
	return true;
}

bool peer_after(struct span s, const char *text, struct span *rest)
{
	size_t n = strlen(text);
	const char *hit = s.n ? memmem(s.p, s.n, text, n) : NULL;

	if (hit)
		*rest = span_from(s, (size_t)(hit - s.p) + n);
	return hit != NULL;
}

bool peer_after_last(struct span s, const char *text, struct span *rest)
{
	bool found = false;

	while (peer_after(s, text, &s)) {
		*rest = s;
		found = true;
	}
	return found;
}
