#include "learn/received.h"

#include "learn/peer.h"

/* The words of a field: comments whole, the rest by blanks and folds. */
struct words {
	struct span rest;
};

static bool is_blank(char c)
{
	return ascii_blank(c) || c == '\r' || c == '\n';
}

/* Bytes of the comment that s begins with, its brackets too; comments nest. */
static size_t comment_length(struct span s)
{
	size_t depth = 0, i = 0;

	for (; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return s.n;
}

static bool next_word(struct words *w, struct span *word)
{
	while (w->rest.n && is_blank(w->rest.p[0]))
		w->rest = span_from(w->rest, 1);
	if (w->rest.n == 0)
		return false;
	size_t n = 0;
	if (w->rest.p[0] == '(')
		n = comment_length(w->rest);
	else
		while (n < w->rest.n && !is_blank(w->rest.p[n]) && w->rest.p[n] != '(')
			n++;
	*word = span_head(w->rest, n);
	w->rest = span_from(w->rest, n);
	return true;
}

static bool is_comment(struct span word)
{
	return word.n && word.p[0] == '(';
}

static struct span inner(struct span comment)
{
	return span_trim(span_unwrap(comment, '(', ')'));
}

static bool is_word(struct span word, const char *text)
{
	return span_ieq(word, span_of(text));
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]:4242" */
static bool literal(struct span word, struct netaddr *out)
{
	size_t end = span_find(word, ']');

	return word.n && word.p[0] == '[' && end < word.n && netaddr_parse(span_head(word, end + 1), out);
}

/* qmail's and Exchange's "(192.0.2.1)", "(user@192.0.2.1)". */
static bool bare(struct span word, struct netaddr *out)
{
	size_t at = span_rfind(word, '@');

	return span_find(word, '=') == word.n && netaddr_parse(at < word.n ? span_from(word, at + 1) : word, out);
}

/* What a comment beside "from" says: "RDNS [ADDR]", "user@RDNS [ADDR] (may be forged)",
 * "[ADDR] helo=x", "ADDR". What the client says of itself is passed over. */
static bool comment_peer(struct span comment, struct received_hop *hop)
{
	struct words w = { inner(comment) };
	struct span word, before = span_make("", 0);
	bool first = true, forged = false, found = false;

	while (next_word(&w, &word)) {
		if (first && (is_word(word, "HELO") || is_word(word, "EHLO") || is_word(word, "Authenticated")))
			return false;
		if (is_comment(word))
			forged = forged || is_word(inner(word), "may be forged");
		else if (!found && (literal(word, &hop->client) || (first && w.rest.n == 0 && bare(word, &hop->client))))
			found = true;
		else if (!found)
			before = word;
		first = false;
	}
	if (!found)
		return false;
	size_t at = span_rfind(before, '@');
	hop->name = forged ? span_make("", 0) : at < before.n ? span_from(before, at + 1) : before;
	return true;
}

/* Sendmail writes its versions, "(8.17.1/8.17.1)"; Debian's Postfix "(Postfix)". */
static bool confirms_names(struct span comment)
{
	static const struct span sendmail = SPAN("8."), postfix = SPAN("Postfix");
	struct span text = inner(comment);

	return span_starts(text, postfix) || (span_starts(text, sendmail) && span_find(text, '/') < text.n);
}

/* What stands from "from" on to "by"; returns the word after "from", which the client may
 * have chosen. Of several comments with an address the last one counts: what a client
 * can slip into the field comes earlier. */
static struct span from_part(struct words *w, struct received_hop *hop, bool *in_comment)
{
	static const struct span authenticated = SPAN("authenticated ");
	struct span word, helo;

	*in_comment = false;
	if (!next_word(w, &helo))
		helo = span_make("", 0);
	while (next_word(w, &word) && !is_word(word, "by")) {
		struct received_hop said = { 0 };
		if (!is_comment(word))
			continue;
		if (span_istarts(inner(word), authenticated))
			hop->authenticated = true;
		if (comment_peer(word, &said)) {
			hop->client = said.client;
			hop->name = said.name;
			*in_comment = true;
		}
	}
	return helo;
}

/* What the protocol's word says (RFC 3848 and the IANA registry of mail parameters). */
static void take_protocol(struct received_hop *hop, struct span word)
{
	static const struct span lmtp = SPAN("LMTP"), pop = SPAN("POP"), imap = SPAN("IMAP");

	hop->inside = span_istarts(word, lmtp) || span_istarts(word, pop) || span_istarts(word, imap) ||
		      is_word(word, "local");
	hop->authenticated = hop->authenticated || is_word(word, "ESMTPA") || is_word(word, "ESMTPSA") ||
			     is_word(word, "UTF8SMTPA") || is_word(word, "UTF8SMTPSA");
}

static void by_part(struct words *w, struct received_hop *hop, bool *confirms, bool *exim)
{
	static const struct span name = SPAN("Exim");
	struct span word;
	bool protocol = false;

	*confirms = *exim = false;
	while (next_word(w, &word)) {
		if (protocol)
			take_protocol(hop, word);
		protocol = is_word(word, "with");
		if (!is_comment(word))
			continue;
		*confirms = *confirms || confirms_names(word);
		*exim = *exim || span_starts(inner(word), name);
	}
}

struct received_hop received_parse(struct span body)
{
	struct received_hop hop = { .name = span_make("", 0) };
	struct words w = { span_head(body, span_rfind(body, ';')) };
	struct span word, helo;
	bool in_comment, confirms, exim;

	if (!next_word(&w, &word))
		return hop;
	if (!is_word(word, "from")) {
		/* "by HOST", and qmail's "(qmail 1234 invoked by uid 89)". After its "invoked from
		 * network" follows qmail-smtpd's field, which has the address. */
		hop.inside = true;
		return hop;
	}
	helo = from_part(&w, &hop, &in_comment);
	by_part(&w, &hop, &confirms, &exim);
	/* Exim: "from RDNS ([ADDR] helo=x)", or "from [ADDR] (helo=x)". */
	if (!in_comment)
		literal(helo, &hop.client);
	if (exim)
		hop.name = in_comment ? helo : span_make("", 0);
	else if (!confirms)
		hop.name = span_make("", 0);
	hop.name = peer_name(hop.name);
	return hop;
}

bool received_trusted(const struct prefixes *trusted, const struct netaddr *client)
{
	static const struct netprefix loopback[] = {
		{ { 4, { 127 } }, 8 }, { { 6, { [15] = 1 } }, 128 } };

	for (size_t i = 0; i < sizeof loopback / sizeof *loopback; i++)
		if (netprefix_contains(&loopback[i], client))
			return true;
	for (size_t i = 0; i < trusted->count; i++)
		if (netprefix_contains(&trusted->list[i], client))
			return true;
	return false;
}

/* The next field, its folds included, without its last line end. */
static struct span next_field(struct span *rest)
{
	size_t n = 0;

	do {
		n += span_find(span_from(*rest, n), '\n');
		if (n < rest->n)
			n++;
	} while (n < rest->n && ascii_blank(rest->p[n]));
	struct span field = span_head(*rest, n);
	*rest = span_from(*rest, n);
	return field;
}

enum received_relay received_relay(struct span header, const struct prefixes *trusted, struct received_hop *out)
{
	static const struct span name = SPAN("Received");

	while (header.n) {
		struct span field = next_field(&header);
		size_t colon = span_find(field, ':');
		if (colon == field.n || !span_ieq(span_trim(span_head(field, colon)), name))
			continue;
		*out = received_parse(span_from(field, colon + 1));
		if (out->client.family && received_trusted(trusted, &out->client))
			continue;
		if (out->inside)
			continue;
		if (out->client.family == 0)
			return RECEIVED_UNCLEAR;
		return out->authenticated ? RECEIVED_USER : RECEIVED_FOUND;
	}
	return RECEIVED_NONE;
}
