#include "dns/spfmacro.h"

/* Of a value no more than this counts: a name ends in at most DNS_NAME_MAX bytes of it. */
#define PART_MAX 256

/* One macro: %{letter digits r delimiters}. */
struct macro {
	char letter;		/* as written: upper case escapes */
	unsigned parts;		/* 0: all */
	bool reverse;
	struct span delimiters;	/* empty: "." */
};

static bool is_delimiter(char c)
{
	return c != '\0' && strchr(".-+,/_=", c) != NULL;
}

/* What stands between "%{" and "}". */
static bool read_macro(struct span s, struct macro *m)
{
	size_t at = 1, digits;

	if (s.n == 0 || s.p[0] == '\0' || !strchr("slodiphcrtv", ascii_lower(s.p[0])))
		return false;
	*m = (struct macro){ .letter = s.p[0] };
	while (at < s.n && ascii_digit(s.p[at])) {
		if (m->parts < PART_MAX)
			m->parts = m->parts * 10 + (unsigned)(s.p[at] - '0');
		at++;
	}
	digits = at - 1;
	if (digits && m->parts == 0)
		return false;
	m->reverse = at < s.n && ascii_lower(s.p[at]) == 'r';
	m->delimiters = span_from(s, at + m->reverse);
	for (size_t i = 0; i < m->delimiters.n; i++)
		if (!is_delimiter(m->delimiters.p[i]))
			return false;
	return true;
}

enum token { TOKEN_LITERAL, TOKEN_ESCAPE, TOKEN_MACRO, TOKEN_END, TOKEN_WRONG };

/* Takes one token off *rest: a byte, "%%" and its like (*c is the second byte), a macro. */
static enum token next_token(struct span *rest, char *c, struct macro *m)
{
	if (rest->n == 0)
		return TOKEN_END;
	*c = rest->p[0];
	if (*c != '%') {
		*rest = span_from(*rest, 1);
		return *c > 0x20 && *c < 0x7f ? TOKEN_LITERAL : TOKEN_WRONG;
	}
	*c = rest->n > 1 ? rest->p[1] : '\0';
	if (*c == '%' || *c == '_' || *c == '-') {
		*rest = span_from(*rest, 2);
		return TOKEN_ESCAPE;
	}
	size_t end = span_find(*rest, '}');
	if (*c != '{' || end == rest->n || !read_macro(span_from(span_head(*rest, end), 2), m))
		return TOKEN_WRONG;
	*rest = span_from(*rest, end + 1);
	return TOKEN_MACRO;
}

bool spfmacro_string(struct span s)
{
	struct macro m;
	enum token t;
	char c;

	while ((t = next_token(&s, &c, &m)) != TOKEN_END)
		if (t == TOKEN_WRONG)
			return false;
	return true;
}

bool spfmacro_uses(struct span s, char letter)
{
	struct macro m;
	enum token t;
	char c;

	while ((t = next_token(&s, &c, &m)) != TOKEN_END && t != TOKEN_WRONG)
		if (t == TOKEN_MACRO && ascii_lower(m.letter) == letter)
			return true;
	return false;
}

/* Letters, digits and inner hyphens, with one that is no digit. */
static bool is_top_label(struct span s)
{
	bool digits = true;

	if (s.n == 0 || s.p[0] == '-' || s.p[s.n - 1] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!ascii_alpha(s.p[i]) && !ascii_digit(s.p[i]) && s.p[i] != '-')
			return false;
		digits = digits && ascii_digit(s.p[i]);
	}
	return !digits;
}

bool spfmacro_domain(struct span s)
{
	struct span rest = s, tail = s;		/* tail: what follows the last macro */
	struct macro m;
	enum token t;
	char c;

	while ((t = next_token(&rest, &c, &m)) != TOKEN_END) {
		if (t == TOKEN_WRONG || (t == TOKEN_MACRO && strchr("crt", ascii_lower(m.letter))))
			return false;
		if (t != TOKEN_LITERAL)
			tail = rest;
	}
	if (tail.n == 0)
		return s.n > 0;
	if (tail.p[tail.n - 1] == '.')
		tail.n--;
	size_t dot = span_rfind(tail, '.');
	return dot < tail.n && is_top_label(span_from(tail, dot + 1));
}

/* ---- expanding ---- */

/* The end of a text that may be long: its last bytes are all that a name takes. */
struct tail {
	char p[4 * PART_MAX];
	size_t n;
	bool cut;
};

static void tail_add(struct tail *t, char c)
{
	if (t->n == sizeof t->p) {
		memmove(t->p, t->p + sizeof t->p / 2, sizeof t->p / 2);
		t->n = sizeof t->p / 2;
		t->cut = true;
	}
	t->p[t->n++] = c;
}

/* RFC 3986 section 2.3: what stays as it is in a URL. */
static bool is_unreserved(char c)
{
	return ascii_alpha(c) || ascii_digit(c) || (c != '\0' && strchr("-._~", c));
}

static void add_byte(struct tail *t, char c, bool escape)
{
	static const char hex[] = "0123456789ABCDEF";

	if (!escape || is_unreserved(c)) {
		tail_add(t, c);
		return;
	}
	tail_add(t, '%');
	tail_add(t, hex[(unsigned char)c >> 4]);
	tail_add(t, hex[(unsigned char)c & 15]);
}

static bool splits(const struct macro *m, char c)
{
	return m->delimiters.n ? span_find(m->delimiters, c) < m->delimiters.n : c == '.';
}

/* The last m->parts parts in their order. */
static void add_forward(struct tail *t, const struct macro *m, struct span value, bool escape)
{
	size_t from = value.n, parts = 0;

	while (from > 0 && value.n - from < PART_MAX) {
		if (splits(m, value.p[from - 1]) && ++parts == m->parts)
			break;
		from--;
	}
	for (size_t i = from; i < value.n; i++)
		add_byte(t, splits(m, value.p[i]) ? '.' : value.p[i], escape);
}

/* The first m->parts parts, the last of them first: they are the right-hand ones of the
 * reversed value. */
static void add_reverse(struct tail *t, const struct macro *m, struct span value, bool escape)
{
	size_t end = 0, parts = 0;

	while (end < value.n && end < PART_MAX) {
		if (splits(m, value.p[end]) && ++parts == m->parts)
			break;
		end++;
	}
	for (size_t from = end;; end = from) {
		while (from > 0 && !splits(m, value.p[from - 1]))
			from--;
		for (size_t i = from; i < end; i++)
			add_byte(t, value.p[i], escape);
		if (from == 0)
			break;
		add_byte(t, '.', escape);
		from--;
	}
}

/* Section 7.3: IPv6 as 32 nibbles with dots between. */
static void add_address(struct buf *b, const struct netaddr *a)
{
	if (a->family != 6) {
		netaddr_add(b, a);
		return;
	}
	for (int i = 0; i < 16; i++)
		buf_addf(b, "%s%x.%x", i ? "." : "", a->bytes[i] >> 4, a->bytes[i] & 15);
}

static struct span value_of(char letter, const struct spfmacro_values *v, struct buf *scratch)
{
	switch (letter) {
	case 's':
		return v->sender;
	case 'l':
		return v->local;
	case 'o':
		return v->sender_domain;
	case 'd':
		return v->domain;
	case 'h':
		return v->helo;
	case 'p':
		return v->client_name;
	case 'v':
		return span_of(v->client->family == 6 ? "ip6" : "in-addr");
	case 'i':
		add_address(scratch, v->client);
		return buf_span(scratch);
	default:
		return span_of("");
	}
}

static void add_macro(struct tail *t, const struct macro *m, const struct spfmacro_values *v)
{
	char text[80];
	struct buf scratch = BUF_ON(text);
	char letter = ascii_lower(m->letter);
	struct span value = value_of(letter, v, &scratch);

	if (m->reverse)
		add_reverse(t, m, value, m->letter != letter);
	else
		add_forward(t, m, value, m->letter != letter);
}

bool spfmacro_name(struct span name)
{
	size_t label = 0;

	if (name.n == 0 || name.n > DNS_NAME_MAX || name.p[name.n - 1] == '.')
		return false;
	for (size_t i = 0; i < name.n; i++) {
		if (ascii_control(name.p[i]) || (name.p[i] == '.' && label == 0))
			return false;
		label = name.p[i] == '.' ? 0 : label + 1;
		if (label > 63)
			return false;
	}
	return true;
}

/* Whole labels off the left until it fits. */
static struct span fit(const struct tail *t)
{
	struct span s = span_make(t->p, t->n);

	if (s.n && s.p[s.n - 1] == '.')
		s.n--;
	if (s.n <= DNS_NAME_MAX && !t->cut)
		return s;
	s = span_from(s, s.n - DNS_NAME_MAX - 1);
	return span_from(s, span_find(s, '.') + 1);
}

size_t spfmacro_expand(struct span spec, const struct spfmacro_values *values, char *out)
{
	struct tail tail = { .n = 0 };
	struct macro m;
	enum token t;
	char c;

	while ((t = next_token(&spec, &c, &m)) != TOKEN_END && t != TOKEN_WRONG) {
		if (t == TOKEN_MACRO)
			add_macro(&tail, &m, values);
		else if (t == TOKEN_LITERAL || c == '%')
			tail_add(&tail, c);
		else if (c == '_')
			tail_add(&tail, ' ');
		else
			for (const char *p = "%20"; *p; p++)
				tail_add(&tail, *p);
	}
	struct span name = fit(&tail);
	if (!spfmacro_name(name))
		return 0;
	memcpy(out, name.p, name.n);
	out[name.n] = '\0';
	return name.n;
}
