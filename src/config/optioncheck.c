#include "config/optioncheck.h"

#include "base/netaddr.h"

static bool is_code(struct span s, const char *classes)
{
	return s.n == 3 && strchr(classes, s.p[0]) && s.p[0] && ascii_digit(s.p[1]) && ascii_digit(s.p[2]);
}

int optioncheck_defer(struct span value, struct buf *why)
{
	if (span_eq(value, span_of("DEFER_IF_PERMIT")) || span_eq(value, span_of("DEFER")) || is_code(value, "4"))
		return 0;
	return buf_fail(why, "must be DEFER_IF_PERMIT, DEFER or a code 4xx");
}

int optioncheck_block(struct span value, struct buf *why)
{
	if (span_eq(value, span_of("REJECT")) || span_eq(value, span_of("DEFER")) || is_code(value, "45"))
		return 0;
	return buf_fail(why, "must be REJECT, DEFER, or a code 4xx or 5xx");
}

int optioncheck_enhanced(struct span value, struct buf *why)
{
	struct span class, subject, detail, rest = value;
	uint64_t n;

	if (span_eq(value, span_of("none")))
		return 0;
	if (span_cut(&rest, '.', &class) && span_eq(class, span_of("4")) && span_cut(&rest, '.', &subject) &&
	    span_uint(subject, 999, &n) && span_cut(&rest, '.', &detail) && span_uint(detail, 999, &n) && rest.n == 0 && value.p[value.n - 1] != '.')
		return 0;
	return buf_fail(why, "must be a code such as 4.2.0, or none");
}

int optioncheck_plain(struct span value, struct buf *why)
{
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] < 0x20 || value.p[i] >= 0x7f)
			return buf_fail(why, "only printable ASCII can go into a mail server's reply");
	return 0;
}

/* A blank or a line break in it would make keys that people cannot list. */
int optioncheck_prefix(struct span value, struct buf *why)
{
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] <= 0x20 || value.p[i] >= 0x7f)
			return buf_fail(why, "only printable ASCII without blanks");
	return 0;
}

int optioncheck_networks(struct span value, struct buf *why)
{
	struct netprefix prefix;
	struct span word;

	while (span_cut(&value, ' ', &word))
		if (word.n && !netprefix_parse(word, &prefix))
			return buf_fail(why, "only addresses and prefixes such as 192.0.2.0/24, with blanks between them");
	return 0;
}

int optioncheck_text(struct span value, struct buf *why)
{
	if (optioncheck_plain(value, why) != 0)
		return -1;
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] != '%')
			continue;
		if (++i == value.n || !strchr("srwu%", value.p[i]))
			return buf_fail(why, "after %% there must be s, r, w, u or another %%");
	}
	return 0;
}
