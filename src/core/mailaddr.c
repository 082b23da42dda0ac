#include "core/mailaddr.h"

/* The address while it is being rewritten. Every rewriting below shortens it or
 * leaves fewer letters and digits in it; so repeating them until none applies
 * ends, and what it ends with is a fixed point. */
struct work {
	char p[MAILADDR_MAX];
	size_t n;
	size_t at;	/* position of the '@' in front of the domain, n without domain */
};

static bool is_alnum(char c)
{
	return ascii_alpha(c) || ascii_digit(c) || (unsigned char)c >= 0x80;
}

static struct span local_from(const struct work *w, size_t from)
{
	return span_make(w->p + from, w->at - from);
}

/* Replaces n bytes at `from` by a text that is not longer. */
static void replace(struct work *w, size_t from, size_t n, struct span with)
{
	memmove(w->p + from + with.n, w->p + from + n, w->n - from - n);
	memcpy(w->p + from, with.p, with.n);
	w->n -= n - with.n;
	if (w->at >= from + n)
		w->at -= n - with.n;
}

static void erase(struct work *w, size_t from, size_t n)
{
	replace(w, from, n, span_of(""));
}

/* ---- spelling: brackets, quotes, dots ---- */

/* Position of the quote that closes the one at the start; n without one. */
static size_t closing_quote(const struct work *w)
{
	for (size_t i = 1; i < w->n; i++) {
		if (w->p[i] == '"')
			return i;
		if (w->p[i] == '\\')
			i++;
	}
	return w->n;
}

static void find_domain(struct work *w)
{
	w->at = span_rfind(span_make(w->p, w->n), '@');
	/* An '@' inside the quotes of a local part without domain is no separator. */
	if (w->n > 1 && w->p[0] == '"' && closing_quote(w) == w->n - 1)
		w->at = w->n;
}

static bool unquote(struct work *w)
{
	size_t to = 0;

	if (w->at < 2 || w->p[0] != '"' || closing_quote(w) != w->at - 1)
		return false;
	for (size_t i = 1; i < w->at - 1; i++) {
		if (w->p[i] == '\\' && i + 1 < w->at - 1)
			i++;
		w->p[to++] = w->p[i];
	}
	erase(w, to, w->at - to);
	return true;
}

/* "@relay,@other:user@domain" (RFC 5321 appendix C). */
static bool drop_route(struct work *w)
{
	size_t colon = span_find(span_make(w->p, w->n), ':');

	if (w->n == 0 || w->p[0] != '@' || colon == w->n)
		return false;
	erase(w, 0, colon + 1);
	return true;
}

static bool drop_brackets(struct work *w)
{
	size_t pairs = 0;

	while (2 * pairs + 1 < w->n && w->p[pairs] == '<' && w->p[w->n - 1 - pairs] == '>')
		pairs++;
	if (pairs == 0)
		return false;
	w->n -= pairs;
	w->at = w->n;
	erase(w, 0, pairs);
	return true;
}

static bool drop_final_dots(struct work *w)
{
	size_t n = w->n;

	while (w->at < w->n && w->p[w->n - 1] == '.')
		w->n--;
	return w->n < n;
}

static bool respell(struct work *w)
{
	bool changed = drop_brackets(w);

	changed |= drop_route(w);
	find_domain(w);
	changed |= drop_final_dots(w);
	return unquote(w) || changed;
}

/* ---- forwarders: SRS ---- */

static bool is_srs_separator(char c)
{
	return c == '=' || c == '+' || c == '-';
}

static bool is_srs(const struct work *w, char kind)
{
	return w->at > 5 && memcmp(w->p, "srs", 3) == 0 && w->p[3] == kind &&
	       is_srs_separator(w->p[4]);
}

/* SRS1=HASH=forwarder=SEP HASH=TT=domain=user: what follows the forwarder is an
 * SRS0 address without its "SRS0". */
static bool srs1_to_srs0(struct work *w)
{
	struct span rest = local_from(w, 5), hash, forwarder;

	if (!is_srs(w, '1') || !span_cut(&rest, '=', &hash) || !span_cut(&rest, '=', &forwarder) ||
	    forwarder.n == 0 || rest.n < 2 || !is_srs_separator(rest.p[0]))
		return false;
	erase(w, 4, (size_t)(rest.p - w->p) - 4);
	w->p[3] = '0';
	return true;
}

/* Offset of the domain in SRS0=HASH=TT=domain=user, 0 where this is none. The
 * fields are separated by '='; some forwarders repeat the first separator. A
 * dot in the place of the hash shows that hash and timestamp are gone already. */
static size_t srs0_domain(const struct work *w, char separator)
{
	struct span rest = local_from(w, 5), hash, stamp;

	if (!span_cut(&rest, separator, &hash) || !span_cut(&rest, separator, &stamp))
		return 0;
	if (hash.n == 0 || span_find(hash, '.') < hash.n || stamp.n == 0 || stamp.n > 4)
		return 0;
	return span_find(rest, separator) < rest.n ? (size_t)(rest.p - w->p) : 0;
}

static bool strip_srs0(struct work *w)
{
	size_t domain = 0;

	if (is_srs(w, '0'))
		domain = srs0_domain(w, '=');
	if (domain == 0 && is_srs(w, '0'))
		domain = srs0_domain(w, w->p[4]);
	if (domain == 0)
		return false;
	erase(w, 5, domain - 5);
	/* The separator in front of the user: a '-' may stand in the domain too. */
	struct span rest = local_from(w, 5);
	size_t dot = span_find(rest, '.');
	size_t end = dot + span_find(span_from(rest, dot), w->p[4]);
	if (end < rest.n)
		w->p[5 + end] = '=';
	w->p[4] = '=';
	return true;
}

/* Where the user's own part starts: behind "srs0=domain=". The domain in front
 * of it is not rewritten: 163.com and 126.com are different. */
static size_t user_start(const struct work *w)
{
	struct span rest = local_from(w, w->at > 5 ? 5 : w->at), domain;

	if (!is_srs(w, '0') || !span_cut(&rest, '=', &domain) || span_find(domain, '.') == domain.n)
		return 0;
	return rest.n ? (size_t)(rest.p - w->p) : 0;
}

/* ---- signed senders: BATV ---- */

/* Key digit, three digits of the day, six hex digits of the hash (draft-levine-smtp-batv). */
static bool is_batv_tag(struct span s)
{
	if (s.n != 10)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (i < 4 ? !ascii_digit(s.p[i]) : !ascii_hex(s.p[i]))
			return false;
	return true;
}

/* Leaves of the bytes from `start` to the '@' only `user`, which lies among them. */
static bool keep_user(struct work *w, size_t start, struct span user)
{
	size_t from = (size_t)(user.p - w->p);

	if (user.n == 0)
		return false;
	erase(w, from + user.n, w->at - from - user.n);
	erase(w, start, from - start);
	return true;
}

static bool strip_batv(struct work *w, size_t start)
{
	static const struct span prvs = SPAN("prvs="), msprvs = SPAN("msprvs1="), btv = SPAN("btv1==");
	struct span local = local_from(w, start), rest = local, tag;

	if (span_starts(local, btv)) {
		rest = span_from(local, btv.n);
		return span_cut(&rest, '=', &tag) && tag.n && rest.n && rest.p[0] == '=' &&
		       keep_user(w, start, span_from(rest, 1));
	}
	bool tagged = span_starts(local, prvs) || span_starts(local, msprvs);
	if (tagged)
		rest = span_from(local, span_find(local, '=') + 1);
	/* The tag stands in front of the user or, in older drafts, behind it. */
	size_t last = span_rfind(rest, '=');
	if (last < rest.n && is_batv_tag(span_from(rest, last + 1)) &&
	    !is_batv_tag(span_head(rest, span_find(rest, '='))))
		return keep_user(w, start, span_head(rest, last));
	return tagged && span_cut(&rest, '=', &tag) && tag.n && keep_user(w, start, rest);
}

/* ---- the recipient inside the sender ---- */

static size_t punctuation(struct span s)
{
	size_t n = 0;

	while (n < s.n && n < 3 && !is_alnum(s.p[n]))
		n++;
	return n;
}

/* Length of what joins user and domain at the start of s: punctuation, with
 * "a" or "at" in it or not ('=', '**', '==a==', '_at_'); 0 when nothing does. */
static size_t joint(struct span s, struct span domain)
{
	static const struct span words[] = { SPAN(""), SPAN("a"), SPAN("at") };
	size_t head = punctuation(s);

	for (size_t i = 0; head && i < sizeof words / sizeof *words; i++) {
		struct span rest = span_from(s, head);
		if (!span_starts(rest, words[i]))
			continue;
		rest = span_from(rest, words[i].n);
		size_t tail = words[i].n ? punctuation(rest) : 0;
		if ((tail || !words[i].n) && span_starts(span_from(rest, tail), domain))
			return head + words[i].n + tail;
	}
	return 0;
}

static bool fold_recipient(struct work *w, size_t start, struct span recipient)
{
	size_t split = span_rfind(recipient, '@');
	struct span user = span_head(recipient, split), domain = span_from(recipient, split + 1);

	if (user.n == 0 || domain.n == 0)
		return false;
	for (size_t i = start; i < w->at; i++) {
		struct span s = local_from(w, i);
		if (!span_starts(s, user) || (i > start && is_alnum(w->p[i - 1])))
			continue;
		size_t between = joint(span_from(s, user.n), domain);
		size_t n = user.n + between + domain.n;
		if (between == 0 || (n < s.n && is_alnum(s.p[n])))
			continue;
		replace(w, i, n, span_of("%r"));
		return true;
	}
	return false;
}

static bool cut_extension(struct work *w, size_t start)
{
	size_t plus = span_find(local_from(w, start), '+');

	if (plus == 0 || start + plus >= w->at)
		return false;
	erase(w, start + plus, w->at - start - plus);
	return true;
}

/* ---- numbers and machine-made tokens ---- */

struct shape {
	size_t digits;
	size_t turns;		/* changes between letters and digits */
	bool hex;
	bool digit_first;
};

static struct shape shape_of(struct span token)
{
	struct shape s = { .hex = true, .digit_first = token.n && ascii_digit(token.p[0]) };

	for (size_t i = 0; i < token.n; i++) {
		bool digit = ascii_digit(token.p[i]);
		s.digits += digit;
		s.hex &= ascii_hex(token.p[i]);
		s.turns += i && digit != ascii_digit(token.p[i - 1]);
	}
	return s;
}

/* Would a person choose this? Letters with digits behind them (bea1984) are a
 * person's, whatever letters they are; digits among letters are, in short words
 * (mike4peace). */
static bool is_machine_made(struct span token)
{
	struct shape s = shape_of(token);

	if (s.digits == 0)
		return false;
	if (s.digits == token.n)
		return true;
	if (s.hex && (token.n >= 10 || (token.n >= 6 && (s.turns > 1 || s.digit_first))))
		return true;
	if (token.n >= 16)
		return s.turns > 1 && s.digits > 1;
	return token.n >= 8 && s.turns > 1 && (s.digits > 2 || s.turns > 3);
}

static struct span token_at(const struct work *w, size_t from)
{
	size_t to = from;

	while (to < w->at && is_alnum(w->p[to]))
		to++;
	return span_make(w->p + from, to - from);
}

/* Length of a UUID (RFC 9562: 8-4-4-4-12 hex digits) at `from`, else 0. */
static size_t uuid_at(const struct work *w, size_t from)
{
	static const unsigned char groups[] = { 8, 4, 4, 4, 12 };
	size_t i = from;

	for (size_t g = 0; g < sizeof groups; g++, i++) {
		struct span token = token_at(w, i);
		if (token.n != groups[g] || !shape_of(token).hex)
			return 0;
		i += token.n;
		if (g + 1 < sizeof groups && (i >= w->at || w->p[i] != '-'))
			return 0;
	}
	return i - 1 - from;
}

/* Runs of three digits and more inside a token that is a name otherwise. */
static bool fold_digits(struct work *w, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		size_t n = 0;
		while (i + n < to && ascii_digit(w->p[i + n]))
			n++;
		if (n >= 3) {
			replace(w, i, n, span_of("#"));
			return true;
		}
		i += n;
	}
	return false;
}

static bool fold_tokens(struct work *w, size_t start)
{
	bool changed = false;
	size_t i = start;

	while (i < w->at) {
		struct span token = token_at(w, i);
		size_t uuid = uuid_at(w, i);
		if (uuid || is_machine_made(token)) {
			replace(w, i, uuid ? uuid : token.n, span_of("#"));
			changed = true;
		} else if (fold_digits(w, i, i + token.n)) {
			changed = true;
		} else {
			i += token.n ? token.n : 1;
		}
	}
	return changed;
}

/* ---- the whole ---- */

static bool load(struct work *w, struct buf *out, struct span address)
{
	if (address.n > sizeof w->p) {
		buf_addlower(out, address);
		return false;
	}
	for (size_t i = 0; i < address.n; i++)
		w->p[i] = ascii_lower(address.p[i]);
	w->n = w->at = address.n;
	while (respell(w))
		;
	return true;
}

void mailaddr_recipient(struct buf *out, struct span address)
{
	struct work w;

	if (load(&w, out, address))
		buf_add(out, w.p, w.n);
}

static bool rewrite(struct work *w, struct span recipient)
{
	bool changed = respell(w) || srs1_to_srs0(w) || strip_srs0(w);
	size_t start = user_start(w);

	return changed || strip_batv(w, start) || fold_recipient(w, start, recipient) ||
	       cut_extension(w, start) || fold_tokens(w, start);
}

void mailaddr_sender(struct buf *out, struct span address, struct span recipient)
{
	struct work w;

	if (!load(&w, out, address))
		return;
	while (rewrite(&w, recipient))
		;
	buf_add(out, w.p, w.n);
}
