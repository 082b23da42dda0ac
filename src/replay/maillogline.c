#include "replay/maillogline_inside.h"

#include <stddef.h>

struct maillogline *maillogline_new(int64_t now)
{
	struct maillogline *m = calloc(1, sizeof *m);

	if (m)
		logclock_init(&m->clock, now);
	return m;
}

void maillogline_free(struct maillogline **m)
{
	free(*m);
	*m = NULL;
}

/* --- Messages in a queue -------------------------------------------------------------------- */

static struct queued *place(struct maillogline *m, struct span id)
{
	return &m->queued[span_hash(id, 0) % QUEUED];
}

struct queued *queued_open(struct maillogline *m, struct span id)
{
	struct queued *q = place(m, id);

	if (id.n == 0 || id.n >= sizeof q->id)
		return NULL;
	queued_set(q->id, sizeof q->id, id);
	q->client[0] = q->name[0] = q->sender[0] = q->refused[0] = '\0';
	q->sender_known = q->ours = false;
	return q;
}

struct queued *queued_find(struct maillogline *m, struct span id)
{
	struct queued *q = place(m, id);

	return id.n && span_eq(id, span_of(q->id)) ? q : NULL;
}

void queued_set(char *out, size_t size, struct span s)
{
	struct buf b = buf_on(out, size);

	out[0] = '\0';
	buf_addspan(&b, s);
}

void queued_set_peer(struct queued *q, const struct peer *p)
{
	struct buf b = BUF_ON(q->client);

	netaddr_add(&b, &p->client);
	queued_set(q->name, sizeof q->name, p->name);
}

/* --- Building a request ------------------------------------------------------------------- */

void logged_begin(struct entry *e, int64_t at, enum verdict verdict)
{
	memset(e, 0, offsetof(struct entry, bytes));
	e->at = at;
	e->verdict = e->would = verdict;
	e->reason = REASON_COUNT;
}

static int hex(char c)
{
	return ascii_digit(c) ? c - '0' : ascii_lower(c) - 'a' + 10;
}

void logged_put(struct entry *e, struct span *field, struct span value, size_t most)
{
	size_t from = e->used;

	for (size_t i = 0; i < value.n && e->used - from < most && e->used < sizeof e->bytes; i++) {
		char c = value.p[i];
		if (c == '\\' && i + 3 < value.n && value.p[i + 1] == 'x' && ascii_hex(value.p[i + 2]) && ascii_hex(value.p[i + 3])) {
			c = (char)(hex(value.p[i + 2]) << 4 | hex(value.p[i + 3]));
			i += 3;
		}
		e->bytes[e->used++] = c;
	}
	*field = span_make(e->bytes + from, e->used - from);
}

int logged_end(struct entry *e, struct buf *why)
{
	struct request *r = &e->request;

	r->client_name = request_name(r->client_name);
	r->has_sender = r->sender.p != NULL;
	r->has_recipient = r->recipient.n != 0;
	return netaddr_parse(r->client_text, &r->client) ? 1 : buf_fail(why, "a request without a client");
}

int logged_queued(struct entry *e, const struct logline *l, const struct queued *q, enum verdict verdict, struct span recipient,
		  struct buf *why)
{
	logged_begin(e, l->at, verdict);
	logged_put(e, &e->request.client_text, span_of(q->client), REQUEST_WORD_MAX);
	logged_put(e, &e->request.client_name, span_of(q->name), REQUEST_NAME_MAX);
	logged_put(e, &e->request.sender, span_of(q->sender), REQUEST_ADDRESS_MAX);
	logged_put(e, &e->request.recipient, recipient, REQUEST_ADDRESS_MAX);
	return logged_end(e, why);
}

/* --- key=value lines: greylagd, postgrey ------------------------------------------------------ */

bool logged_value(struct span text, const char *key, const char *stop, struct span *out)
{
	struct span after;

	if (!peer_after(text, key, out))
		return false;
	if (peer_after(*out, stop, &after))
		*out = span_head(*out, (size_t)(after.p - out->p) - strlen(stop));
	return true;
}

static void put_value(struct entry *e, struct span *field, struct span text, const char *key, const char *stop, size_t most)
{
	struct span value;

	if (!logged_value(text, key, stop, &value))
		return;
	/* What has blanks stands in quotes. */
	if (value.n && value.p[0] == '"') {
		value = span_make(value.p + 1, (size_t)(text.p + text.n - value.p) - 1);
		value = span_head(value, span_find(value, '"'));
	}
	logged_put(e, field, value, most);
}

static bool verdict_of(struct span word, enum verdict *out)
{
	for (unsigned i = 0; i < VERDICT_COUNT; i++)
		if (span_eq(word, span_of(verdict_word((enum verdict)i)))) {
			*out = (enum verdict)i;
			return true;
		}
	return false;
}

static enum reason reason_of(struct span word)
{
	unsigned i = 0;

	while (i < REASON_COUNT && !span_eq(word, span_of(reason_word((enum reason)i))))
		i++;
	return (enum reason)i;
}

static void put_stage(struct entry *e, struct span text)
{
	struct span word;

	if (!logged_value(text, " stage=", " ", &word))
		return;
	while (e->request.stage < STAGE_OTHER && !span_eq(word, span_of(stage_word(e->request.stage))))
		e->request.stage++;
}

/* daemon/verdictlog.h has the form. */
static int from_greylagd(struct maillogline *m, const struct logline *l, struct entry *e, struct buf *why)
{
	struct span word, text = l->text, last;
	enum verdict verdict;

	if (!span_starts(text, span_of("verdict=")))
		return 0;
	m->verdicts = true;
	if (!logged_value(text, "verdict=", " ", &word) || !verdict_of(word, &verdict))
		return buf_fail(why, "an unknown verdict");
	logged_begin(e, l->at, verdict);
	if (logged_value(text, " reason=", " ", &word))
		e->reason = reason_of(word);
	struct request *r = &e->request;
	put_value(e, &r->client_text, text, " client=", " ", REQUEST_WORD_MAX);
	put_value(e, &r->client_name, text, " name=", " ", REQUEST_NAME_MAX);
	put_value(e, &r->helo, text, " helo=", " ", REQUEST_NAME_MAX);
	if (peer_after(text, " from=<", &last))
		put_value(e, &r->sender, last, "", ">", REQUEST_ADDRESS_MAX);
	if (peer_after_last(text, " to=<", &last))
		put_value(e, &r->recipient, last, "", ">", REQUEST_ADDRESS_MAX);
	put_stage(e, text);
	return logged_end(e, why);
}

/* "action=greylist, reason=new, client_name=n, client_address=a, sender=s, recipient=r" (postgrey 1.37). */
static int from_postgrey(const struct logline *l, struct entry *e, struct buf *why)
{
	struct span action;

	if (!logged_value(l->text, "action=", ",", &action))
		return 0;
	logged_begin(e, l->at, span_eq(action, span_of("pass")) ? VERDICT_PASS : VERDICT_DEFER);
	struct request *r = &e->request;
	put_value(e, &r->client_text, l->text, " client_address=", ",", REQUEST_WORD_MAX);
	put_value(e, &r->client_name, l->text, " client_name=", ",", REQUEST_NAME_MAX);
	put_value(e, &r->sender, l->text, " sender=", ", recipient=", REQUEST_ADDRESS_MAX);
	put_value(e, &r->recipient, l->text, ", recipient=", ",", REQUEST_ADDRESS_MAX);
	if (!r->sender.p)
		r->sender = span_make("", 0);
	return logged_end(e, why);
}

/* --- Postfix ------------------------------------------------------------------------------------ */

void logged_put_peer(struct entry *e, const struct peer *p)
{
	char text[NETADDR_TEXT];
	struct buf address = BUF_ON(text);

	netaddr_add(&address, &p->client);
	logged_put(e, &e->request.client_text, buf_span(&address), REQUEST_WORD_MAX);
	logged_put(e, &e->request.client_name, p->name, REQUEST_NAME_MAX);
}

/* "NOQUEUE: reject: RCPT from name[addr]: 450 4.2.0 <to>: Recipient address rejected: Greylisted...;
 * from=<s> to=<r> proto=ESMTP helo=<h>": who wrote "Greylisted" may be any greylisting. */
static int from_reject(const struct logline *l, struct span text, struct entry *e, struct buf *why)
{
	struct span code, tail, ignored;
	struct peer p;

	if (!peer_read(text, &p))
		return buf_fail(why, "a reject without a client");
	if (!peer_after(text, "]: ", &code) || code.n == 0 || code.p[0] != '4' || !peer_after(code, "reylist", &ignored) ||
	    !peer_after_last(text, "; from=<", &tail))
		return 0;
	logged_begin(e, l->at, VERDICT_DEFER);
	logged_put_peer(e, &p);
	put_value(e, &e->request.sender, tail, "", "> to=<", REQUEST_ADDRESS_MAX);
	put_value(e, &e->request.recipient, tail, "> to=<", "> proto=", REQUEST_ADDRESS_MAX);
	put_value(e, &e->request.helo, tail, " helo=<", ">", REQUEST_NAME_MAX);
	return logged_end(e, why);
}

/* "ID: client=name[addr]", with "sasl_" of a user of ours. */
static int from_client(struct maillogline *m, struct span id, struct span text)
{
	struct span ignored;
	struct peer p;
	struct queued *q = peer_read(text, &p) ? queued_open(m, id) : NULL;

	if (!q)
		return 0;
	queued_set_peer(q, &p);
	q->ours = peer_after(text, ", sasl_", &ignored);
	return 0;
}

/* "ID: to=<r>, orig_to=<o>, relay=..., status=sent": what was asked for is the original. */
static int from_delivery(const struct logline *l, const struct queued *q, struct span text, struct entry *e, struct buf *why)
{
	struct span to, ignored;

	if (q->ours || !q->sender_known || !peer_after(text, ", status=sent", &ignored) ||
	    (!logged_value(text, ", orig_to=<", ">", &to) && !logged_value(text, "to=<", ">", &to)))
		return 0;
	return logged_queued(e, l, q, VERDICT_PASS, to, why);
}

static int from_postfix(struct maillogline *m, const struct logline *l, struct entry *e, struct buf *why)
{
	static const struct span reject = SPAN("reject: RCPT from "), milter = SPAN("milter-reject: RCPT from "), client = SPAN("client="), from = SPAN("from=<"),
				 to = SPAN("to=<");
	size_t colon = span_find(l->text, ':');
	struct span id = span_head(l->text, colon), text = span_trim(span_from(l->text, colon + 1));
	struct queued *q;

	if (span_starts(text, reject) || span_starts(text, milter))
		return from_reject(l, span_from(text, span_starts(text, reject) ? reject.n : milter.n), e, why);
	if (span_ends(l->program, span_of("/smtpd")) && span_starts(text, client))
		return from_client(m, id, span_from(text, client.n));
	if (!(q = queued_find(m, id)))
		return 0;
	if (span_starts(text, from) && span_ends(l->program, span_of("/qmgr"))) {
		queued_set(q->sender, sizeof q->sender, span_head(span_from(text, from.n), span_find(span_from(text, from.n), '>')));
		q->sender_known = true;
	}
	return span_starts(text, to) ? from_delivery(l, q, text, e, why) : 0;
}

/* --- The line ------------------------------------------------------------------------------------- */

/* greylagd's own file has no host name: "2026-11-21T10:00:00+0000 greylagd: verdict=...". */
static bool parse(struct maillogline *m, struct span line, struct logline *out)
{
	static const struct span own = SPAN("greylagd: "), verdict = SPAN("verdict=");
	size_t blank = span_find(line, ' ');
	struct span rest = span_from(line, blank + 1);

	if (logline_parse(&m->clock, line, out))
		return true;
	if (!span_starts(rest, own))
		return false;
	char text[100];
	struct buf head = BUF_ON(text);
	buf_addspan(&head, span_head(line, blank));
	buf_adds(&head, " host greylagd: x");
	if (!logline_parse(&m->clock, buf_span(&head), out))
		return false;
	out->program = span_head(rest, own.n - 2);
	out->text = span_from(rest, own.n);
	return span_starts(out->text, verdict) || out->text.n > 0;
}

int maillogline_read(struct maillogline *m, struct span line, struct entry *out, struct buf *why)
{
	struct logline l;

	if (!parse(m, line, &l))
		return buf_fail(why, "neither a line of a journal nor of a log");
	if (span_eq(l.program, span_of("greylagd")))
		return from_greylagd(m, &l, out, why);
	if (m->verdicts)
		return 0;
	if (span_starts(l.program, span_of("postgrey")))
		return from_postgrey(&l, out, why);
	if (span_find(l.program, '/') < l.program.n)
		return from_postfix(m, &l, out, why);
	if (span_eq(l.program, span_of("sendmail")) || span_starts(l.program, span_of("sm-")))
		return logged_sendmail(m, &l, out, why);
	return l.program.n == 0 || span_starts(l.program, span_of("exim")) ? logged_exim(m, &l, out, why) : 0;
}
