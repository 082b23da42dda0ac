/* Values of milter-greylist's clauses and lists. */
#include "convert/mg.h"

#include "base/netaddr.h"

/* --- Regular expressions ------------------------------------------------------------ */

/* A bracket expression is the same in both; its length, 0 when it does not end. */
static size_t bracket(struct span s)
{
	size_t i = 1;

	if (i < s.n && s.p[i] == '^')
		i++;
	if (i < s.n && s.p[i] == ']')
		i++;
	while (i < s.n && s.p[i] != ']') {
		if (s.p[i] == '[' && i + 1 < s.n && (s.p[i + 1] == ':' || s.p[i + 1] == '.' || s.p[i + 1] == '=')) {
			char mark = s.p[i + 1];
			for (i += 2; i + 1 < s.n && !(s.p[i] == mark && s.p[i + 1] == ']'); i++)
				continue;
			i++;
		}
		i++;
	}
	return i < s.n ? i + 1 : 0;
}

/* A backslash is an ordinary character in POSIX brackets. */
static void add_bracket(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		buf_adds(out, s.p[i] == '\\' ? "\\" : "");
		buf_addc(out, s.p[i]);
	}
}

static bool starts_branch(struct span posix, size_t i)
{
	return i == 0 || (i >= 2 && posix.p[i - 2] == '\\' && (posix.p[i - 1] == '(' || posix.p[i - 1] == '|'));
}

static bool ends_branch(struct span posix, size_t i)
{
	return i + 1 == posix.n || (i + 2 < posix.n && posix.p[i + 1] == '\\' && (posix.p[i + 2] == ')' || posix.p[i + 2] == '|'));
}

/* In basic expressions a backslash makes ( ) { } + ? | special instead of ordinary. */
static size_t add_basic(struct buf *out, struct span posix, size_t i)
{
	char c = posix.p[i];

	if (c == '\\' && i + 1 < posix.n) {
		if (!strchr("(){}+?|", posix.p[i + 1]))
			buf_addc(out, '\\');
		buf_addc(out, posix.p[i + 1]);
		return 2;
	}
	bool ordinary = strchr("(){}+?|", c) || (c == '*' && starts_branch(posix, i)) ||
			(c == '^' && !starts_branch(posix, i)) || (c == '$' && !ends_branch(posix, i));
	buf_adds(out, ordinary ? "\\" : "");
	buf_addc(out, c);
	return 1;
}

static size_t add_extended(struct buf *out, struct span posix, size_t i)
{
	size_t n = posix.p[i] == '\\' && i + 1 < posix.n ? 2 : 1;

	buf_addspan(out, span_head(span_from(posix, i), n));
	return n;
}

bool mg_regex(struct buf *out, struct span posix, bool extended)
{
	for (size_t i = 0; i < posix.n;) {
		struct span here = span_from(posix, i);
		if (here.p[0] == '\0' || ascii_control(here.p[0]))
			return false;
		if (here.p[0] != '[') {
			i += extended ? add_extended(out, posix, i) : add_basic(out, posix, i);
			continue;
		}
		size_t n = bracket(here);
		if (n == 0)
			return false;
		add_bracket(out, span_head(here, n));
		i += n;
	}
	return !out->over && posix.n > 0;
}

/* --- Words ---------------------------------------------------------------------------- */

static bool valid_word(const char *condition, struct span value, struct buf *out, struct buf *why)
{
	if (!convert_valid(condition, value, why))
		return false;
	convert_word(out, value);
	return true;
}

static bool regex_value(struct mg *m, const char *condition, struct span posix, struct buf *out, struct buf *why)
{
	char text[1100];
	struct buf b = BUF_ON(text);

	buf_addc(&b, '/');
	if (!mg_regex(&b, posix, m->extended_regex))
		return buf_fail(why, "such a regular expression cannot be written in PCRE2") == 0;
	buf_addc(&b, '/');
	if (b.over)
		return buf_fail(why, "the regular expression is too long") == 0;
	return valid_word(condition, buf_span(&b), out, why);
}

/* Found anywhere in the text. */
static bool substring_value(const char *condition, struct span text, struct buf *out, struct buf *why)
{
	char pattern[1100];
	struct buf b = BUF_ON(pattern);

	buf_addc(&b, '/');
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\\' && i + 1 < text.n && text.p[i + 1] == '"')
			continue;
		if (text.p[i] && strchr("\\^$.[]|()?*+{}/#", text.p[i]))
			buf_addc(&b, '\\');
		buf_addc(&b, text.p[i]);
	}
	buf_addc(&b, '/');
	if (b.over)
		return buf_fail(why, "the text is too long") == 0;
	return valid_word(condition, buf_span(&b), out, why);
}

static bool value_addr(struct mg *m, const struct mg_token *t, struct buf *out, struct buf *why)
{
	char text[100];
	struct buf b = BUF_ON(text);
	const struct mg_token *bits = mg_peek(m);
	struct netprefix prefix;
	struct netaddr address;

	buf_addspan(&b, t->text);
	/* "192.0.2.0 /24" */
	if (bits && bits->kind == MG_WORD && bits->text.n > 1 && bits->text.p[0] == '/')
		buf_addspan(&b, mg_take(m)->text);
	struct span whole = buf_span(&b);
	/* Octet prefixes mean something else there. */
	if (b.over || !netaddr_parse(span_head(whole, span_find(whole, '/')), &address) || !netprefix_parse(whole, &prefix))
		return buf_fail(why, "no address or prefix") == 0;
	return valid_word("client", whole, out, why);
}

static bool value_domain(struct mg *m, const struct mg_token *t, struct buf *out, struct buf *why)
{
	if (t->kind == MG_REGEX)
		return regex_value(m, "client-name", t->text, out, why);
	if (!m->domain_exact && !m->said_suffix && t->text.n && t->text.p[0] != '.') {
		m->said_suffix = true;
		convert_differs(m->c, "\"domain\" without domainexact also finds names that only end so (notexample.org "
				"for example.org); here a name means itself and those below");
	}
	return valid_word("client-name", t->text, out, why);
}

static bool is_null_sender(struct span s)
{
	return span_eq(s, span_of("<>")) || span_eq(s, span_of("^<>$")) || span_eq(s, span_of("^$"));
}

/* Substrings: an address or a domain is meant by what looks like one. */
static bool value_mail(struct mg *m, const char *condition, const struct mg_token *t, struct buf *out, struct buf *why)
{
	struct span s = t->kind == MG_REGEX ? t->text : span_unwrap(span_trim(t->text), '<', '>');
	bool looks = span_find(s, '@') < s.n || span_find(s, '.') < s.n;

	if (is_null_sender(t->text) || (t->kind == MG_STRING && s.n == 0)) {
		buf_adds(out, "<>");
		return true;
	}
	if (t->kind == MG_REGEX)
		return regex_value(m, condition, t->text, out, why);
	if (!looks || !convert_valid(condition, s, why))
		return substring_value(condition, s, out, why);
	if (!m->said_substring) {
		m->said_substring = true;
		convert_differs(m->c, "addresses without slashes are found there anywhere in the text; here user@domain is this "
				"address, a domain itself and those below");
	}
	convert_word(out, s);
	return true;
}

static bool value_from(struct mg *m, const struct mg_token *t, struct buf *out, struct buf *why)
{
	return value_mail(m, "sender", t, out, why);
}

static bool value_rcpt(struct mg *m, const struct mg_token *t, struct buf *out, struct buf *why)
{
	return value_mail(m, "recipient", t, out, why);
}

static bool value_helo(struct mg *m, const struct mg_token *t, struct buf *out, struct buf *why)
{
	return t->kind == MG_REGEX ? regex_value(m, "helo", t->text, out, why) : substring_value("helo", t->text, out, why);
}

static bool value_geoip(struct mg *m, const struct mg_token *t, struct buf *out, struct buf *why)
{
	if (t->text.n != 2 || span_ieq(t->text, span_of("ZZ")))
		return buf_fail(why, "no country; for an unknown one there is no word") == 0;
	if (!m->has_country && !m->said_country) {
		m->said_country = true;
		convert_differs(m->c, "the setting country-database must name a database (MMDB)");
	}
	convert_word(out, t->text);
	return true;
}

const struct mg_type *mg_type(struct span word)
{
	static const struct mg_type types[] = {
		{ "addr", "client", value_addr }, { "domain", "client-name", value_domain },
		{ "from", "sender", value_from }, { "rawfrom", "sender", value_from },
		{ "rcpt", "recipient", value_rcpt }, { "helo", "helo", value_helo },
		{ "geoip", "country", value_geoip },
	};

	if (word.n && word.p[word.n - 1] == ':')
		word.n--;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (span_ieq(word, span_of(types[i].word)))
			return &types[i];
	return NULL;
}
