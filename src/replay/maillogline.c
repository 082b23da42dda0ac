#include "replay/maillogline.h"

#include <stddef.h>

#include "learn/greylog.h"
#include "learn/logline.h"
#include "requestlog/entrycopy.h"

#define WAITING 256		/* requests of one line; what is beyond is lost */

struct maillogline {
	struct logclock clock;
	struct greylog *greylog;
	bool verdicts;			/* the log has verdict lines of greylagd */
	unsigned first, count;		/* of those that were read and not taken */
	struct entry_copy *waiting[WAITING];
	struct entry scratch;
};

/* --- Building a request ------------------------------------------------------------------- */

static void begin(struct entry *e, int64_t at, enum verdict verdict)
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

/* With \xHH undone, as buf_addsafe makes it. */
static void put(struct entry *e, struct span *field, struct span value, size_t most)
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

static int end(struct entry *e, struct buf *why)
{
	struct request *r = &e->request;

	r->client_name = request_name(r->client_name);
	r->has_sender = r->sender.p != NULL;
	r->has_recipient = r->recipient.n != 0;
	return netaddr_parse(r->client_text, &r->client) ? 1 : buf_fail(why, "a request without a client");
}

/* --- Verdict lines of greylagd ------------------------------------------------------------------- */

/* What stands between `key` and the next `stop`, or the end. */
static bool value_of(struct span text, const char *key, const char *stop, struct span *out)
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

	if (!value_of(text, key, stop, &value))
		return;
	/* What has blanks stands in quotes. */
	if (value.n && value.p[0] == '"') {
		value = span_make(value.p + 1, (size_t)(text.p + text.n - value.p) - 1);
		value = span_head(value, span_find(value, '"'));
	}
	put(e, field, value, most);
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

	if (!value_of(text, " stage=", " ", &word))
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
	if (!value_of(text, "verdict=", " ", &word) || !verdict_of(word, &verdict))
		return buf_fail(why, "an unknown verdict");
	begin(e, l->at, verdict);
	if (value_of(text, " reason=", " ", &word))
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
	return end(e, why);
}

/* --- Other greylistings, and mail servers ----------------------------------------------------------- */

static void on_event(void *arg, const struct greylog_event *event)
{
	struct maillogline *m = arg;
	struct entry *e = &m->scratch;
	char address[NETADDR_TEXT], text[100];
	struct buf client = BUF_ON(address), why = BUF_ON(text);

	if (m->verdicts || m->count == WAITING || event->recipient.n == 0)
		return;
	begin(e, event->at, event->deferred ? VERDICT_DEFER : VERDICT_PASS);
	netaddr_add(&client, &event->peer.client);
	put(e, &e->request.client_text, buf_span(&client), REQUEST_WORD_MAX);
	put(e, &e->request.client_name, event->peer.name, REQUEST_NAME_MAX);
	put(e, &e->request.sender, event->sender, REQUEST_ADDRESS_MAX);
	put(e, &e->request.recipient, event->recipient, REQUEST_ADDRESS_MAX);
	if (end(e, &why) == 1 && (m->waiting[(m->first + m->count) % WAITING] = entry_copy(e)) != NULL)
		m->count++;
}

struct maillogline *maillogline_new(int64_t now)
{
	struct maillogline *m = calloc(1, sizeof *m);

	if (!m)
		return NULL;
	logclock_init(&m->clock, now);
	m->greylog = greylog_new(now, on_event, m);
	if (!m->greylog)
		maillogline_free(&m);
	return m;
}

bool maillogline_next(struct maillogline *m, struct entry *out)
{
	if (m->count == 0)
		return false;
	entry_restore(out, m->waiting[m->first]);
	free(m->waiting[m->first]);
	m->first = (m->first + 1) % WAITING;
	m->count--;
	return true;
}

void maillogline_free(struct maillogline **m)
{
	if (!*m)
		return;
	for (; (*m)->count; (*m)->count--, (*m)->first = ((*m)->first + 1) % WAITING)
		free((*m)->waiting[(*m)->first]);
	greylog_free(&(*m)->greylog);
	free(*m);
	*m = NULL;
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
	if (!m->verdicts)
		greylog_line(m->greylog, line);
	return maillogline_next(m, out) ? 1 : 0;
}
