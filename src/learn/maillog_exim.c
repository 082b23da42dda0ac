/* Exim's main log: "ID <= SENDER H=mx.example.org (helo) [192.0.2.1]:4242 P=esmtp ..." is a
 * message that was accepted; with A= the client had logged in. A name outside brackets
 * is confirmed (Exim's specification, "The main log"). */
#include "learn/maillog_format.h"

static bool mine(const struct logline *l)
{
	static const struct span exim = SPAN("exim");

	return l->program.n == 0 || span_starts(l->program, exim);
}

/* "name (helo) [addr]:port ...": the HELO, which may hold square brackets, is left out. */
static bool host(struct span s, struct peer *out)
{
	size_t open = span_find(s, '(');
	struct span name = span_head(s, span_find(s, '[')), rest = s;

	if (open < name.n) {
		name = span_head(s, open);
		if (!peer_after(s, ") [", &rest))
			return false;
		rest = span_make(rest.p - 1, rest.n + 1);
	}
	if (!peer_read(span_from(rest, span_find(rest, '[')), out))
		return false;
	out->name = peer_name(span_trim(name));
	return true;
}

/* A sender may hold blanks between quotes. */
static struct span after_sender(struct span s)
{
	bool quoted = false;
	size_t i = 0;

	for (; i < s.n && (quoted || s.p[i] != ' '); i++) {
		if (s.p[i] == '"')
			quoted = !quoted;
		else if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
	}
	return span_from(s, i);
}

static enum maillog_line accepted(struct maillog *m, const struct logline *l, struct span text)
{
	struct span fields = after_sender(text), where, ignored;
	struct peer p;

	/* Mail of local users has none. */
	if (!peer_after(fields, " H=", &where))
		return MAILLOG_OTHER;
	if (!host(where, &p))
		return MAILLOG_BAD;
	if (peer_after(where, " A=", &ignored))
		return MAILLOG_READ;
	return maillog_accepted(m, l, p);
}

static enum maillog_line lost(struct maillog *m, const struct logline *l, struct span text)
{
	struct peer p;

	return host(text, &p) ? maillog_lost(m, l, p) : MAILLOG_BAD;
}

/* The line quotes what the client sent, twice: when the words that end such a quotation
 * come more than once, somebody wants to be taken for another. */
static enum maillog_line out_of_turn(struct maillog *m, const struct logline *l)
{
	struct span where, again;

	if (!peer_after(l->text, " H=", &where) || peer_after(where, " H=", &again))
		return MAILLOG_BAD;
	return lost(m, l, where);
}

/* "1xUiyV-0006NA-26", since 4.97 "1xUiyV-00000000000-abcd". */
static bool is_message_id(struct span s)
{
	return (s.n == 16 || s.n == 23) && s.p[6] == '-' && s.p[s.n == 16 ? 13 : 18] == '-';
}

static enum maillog_line take(struct maillog *m, const struct logline *l)
{
	static const char connection[] = "SMTP connection from ", unexpected[] = "unexpected disconnection while reading SMTP command from ";
	static const struct span protocol = SPAN("SMTP protocol synchronization error");
	struct span rest, ignored, text = l->text;

	/* With +pid in log_selector. */
	if (text.n && text.p[0] == '[')
		text = span_trim(span_from(text, span_find(text, ']') + 1));
	/* Through syslog its own time comes first. */
	if (text.n > 20 && text.p[4] == '-' && text.p[7] == '-' && text.p[10] == ' ')
		text = span_trim(span_from(text, 19));
	size_t id = span_find(text, ' ');
	if (is_message_id(span_head(text, id)) && span_starts(span_from(text, id), span_of(" <= ")))
		return accepted(m, l, span_from(text, id + 4));
	if (peer_after(span_head(text, sizeof unexpected - 1), unexpected, &rest))
		return lost(m, l, span_from(text, sizeof unexpected - 1));
	if (span_starts(text, protocol))
		return out_of_turn(m, l);
	if (span_starts(text, span_of(connection)) && peer_after(text, " lost", &ignored))
		return lost(m, l, span_from(text, sizeof connection - 1));
	return MAILLOG_OTHER;
}

const struct maillog_format maillog_exim = { "exim", mine, take };
