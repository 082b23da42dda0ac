#include "learn/greylog_inside.h"

#define SETS 1024
#define WAYS 8

struct greylog {
	struct logclock clock;
	void (*event)(void *arg, const struct greylog_event *e);
	void *arg;
	uint64_t turn;
	struct greymail mails[SETS][WAYS];
};

struct greylog *greylog_new(int64_t now, void (*event)(void *arg, const struct greylog_event *e), void *arg)
{
	struct greylog *g = calloc(1, sizeof *g);

	if (!g)
		return NULL;
	g->event = event;
	g->arg = arg;
	logclock_init(&g->clock, now);
	return g;
}

void greylog_free(struct greylog **g)
{
	free(*g);
	*g = NULL;
}

/* --- Mails that are not through yet --------------------------------------------------------- */

static struct greymail *look(struct greylog *g, char kind, struct span id, bool make)
{
	char text[GREYMAIL_KEY_MAX + 1];
	struct buf key = BUF_ON(text);

	buf_addc(&key, kind);
	buf_addspan(&key, id);
	if (id.n == 0 || key.over || span_find(id, '\0') < id.n)
		return NULL;
	struct greymail *set = g->mails[span_hash(buf_span(&key), 0) % SETS], *oldest = set;
	for (unsigned i = 0; i < WAYS; i++) {
		if (strcmp(set[i].key, text) == 0)
			return &set[i];
		if (set[i].used < oldest->used)
			oldest = &set[i];
	}
	if (!make)
		return NULL;
	*oldest = (struct greymail){ .used = ++g->turn };
	memcpy(oldest->key, text, sizeof text);
	return oldest;
}

struct greymail *greylog_mail(struct greylog *g, char kind, struct span key, bool anew)
{
	struct greymail *m = look(g, kind, key, true);

	if (m && anew) {
		char kept[sizeof m->key];
		memcpy(kept, m->key, sizeof kept);
		*m = (struct greymail){ 0 };
		memcpy(m->key, kept, sizeof kept);
	}
	if (m)
		m->used = ++g->turn;
	return m;
}

struct greymail *greylog_find(struct greylog *g, char kind, struct span key)
{
	return look(g, kind, key, false);
}

void greymail_set_peer(struct greymail *m, const struct peer *p)
{
	struct buf name = BUF_ON(m->name);

	m->client = p->client;
	m->name[0] = '\0';
	buf_addspan(&name, p->name);
	m->has_peer = true;
}

void greymail_set_sender(struct greymail *m, struct span sender)
{
	struct buf b = BUF_ON(m->sender);

	m->sender[0] = '\0';
	buf_addspan(&b, sender);
	m->has_sender = true;
}

/* --- What formats share ------------------------------------------------------------------------ */

void greylog_tell(struct greylog *g, const struct greylog_event *e)
{
	g->event(g->arg, e);
}

void greylog_tell_mail(struct greylog *g, const struct greymail *m, bool deferred, struct span recipient)
{
	const struct greylog_event e = {
		.deferred = deferred, .at = m->at, .peer = { m->client, span_of(m->name) },
		.sender = span_of(m->sender), .recipient = recipient,
	};

	if (m->has_peer && m->has_sender && recipient.n)
		g->event(g->arg, &e);
}

bool greylog_greylisted(struct span text)
{
	static const struct span words[] = { SPAN("greylist"), SPAN("graylist"), SPAN("grey list"), SPAN("grey_list") };

	for (; text.n; text = span_from(text, 1))
		for (size_t i = 0; ascii_lower(text.p[0]) == 'g' && i < sizeof words / sizeof *words; i++)
			if (span_istarts(text, words[i]))
				return true;
	return false;
}

static bool up_to(struct span rest, char close, struct span *out)
{
	size_t end = span_find(rest, close);

	*out = span_head(rest, end);
	return end < rest.n;
}

bool greylog_between(struct span s, const char *open, char close, struct span *out)
{
	struct span rest;

	return peer_after(s, open, &rest) && up_to(rest, close, out);
}

bool greylog_between_last(struct span s, const char *open, char close, struct span *out)
{
	struct span rest;

	return peer_after_last(s, open, &rest) && up_to(rest, close, out);
}

/* --- Lines ---------------------------------------------------------------------------------------- */

/* The name of the log's program, or of its first part; Exim's own log and some of qmail's name none. */
static const struct { struct span program; greylog_take *take; } formats[] = {
	{ SPAN("postfix"), greylog_postfix }, { SPAN("sendmail"), greylog_sendmail }, { SPAN("sm-"), greylog_sendmail },
	{ SPAN("exim"), greylog_exim }, { SPAN("postgrey"), greylog_postgrey }, { SPAN("sqlgrey"), greylog_sqlgrey },
	{ SPAN("milter-greylist"), greylog_milter }, { SPAN("greylagd"), greylog_greylagd },
	{ SPAN("qmail"), greylog_qmail }, { SPAN("jgreylist"), greylog_qmail }, { SPAN("smtp"), greylog_qmail },
};

/* A file that greylagd writes itself names no host: "2026-11-21T09:00:07+0000 greylagd: verdict=...".
 * With a blank for the T its time is read as in other files without a host. */
static bool own_file(struct greylog *g, struct span line, struct logline *l)
{
	size_t blank = span_find(line, ' ');
	char text[40];
	struct buf date = BUF_ON(text);

	if (blank < 11 || !span_starts(span_from(line, blank), span_of(" greylagd: verdict=")))
		return false;
	buf_addspan(&date, span_head(line, blank));
	text[10] = ' ';
	if (date.over || !logline_parse(&g->clock, buf_span(&date), l))
		return false;
	l->text = span_from(line, blank);
	return true;
}

bool greylog_time(struct greylog *g, struct span line, int64_t *at)
{
	struct logline l;

	if (!own_file(g, line, &l) && !logline_parse(&g->clock, line, &l))
		return false;
	*at = l.at;
	return true;
}

enum maillog_line greylog_line(struct greylog *g, struct span line)
{
	struct logline l;

	if (span_trim(line).n == 0)
		return MAILLOG_OTHER;
	if (own_file(g, line, &l))
		return greylog_greylagd(g, &l);
	if (!logline_parse(&g->clock, line, &l))
		return MAILLOG_BAD;
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (span_starts(l.program, formats[i].program))
			return formats[i].take(g, &l);
	if (span_find(l.program, '/') < l.program.n)
		return greylog_postfix(g, &l);
	if (l.program.n)
		return MAILLOG_OTHER;
	/* Files of multilog(8), and Exim's. */
	return greylog_qmail(g, &l) == MAILLOG_READ ? MAILLOG_READ : greylog_exim(g, &l);
}
