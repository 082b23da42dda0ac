#include "learn/maillog_format.h"

struct maillog {
	const struct maillog_format *format;
	struct logclock clock;
	struct sessions *sessions;
	void (*event)(void *arg, const struct maillog_event *e);
	void *arg;
};

/* Exim's own log names no program: the others, which have words of their own, come first. */
static const struct maillog_format *const formats[] = {
	&maillog_postfix, &maillog_sendmail, &maillog_opensmtpd, &maillog_qmail, &maillog_exim,
};
#define FORMATS (sizeof formats / sizeof *formats)

const struct maillog_format *maillog_find(const char *name)
{
	for (size_t i = 0; i < FORMATS; i++)
		if (strcmp(formats[i]->name, name) == 0)
			return formats[i];
	return NULL;
}

void maillog_add_names(struct buf *out)
{
	for (size_t i = 0; i < FORMATS; i++) {
		if (i)
			buf_addc(out, ' ');
		buf_adds(out, formats[i]->name);
	}
}

struct maillog *maillog_new(const struct maillog_format *format, int64_t now,
			    void (*event)(void *arg, const struct maillog_event *e), void *arg)
{
	struct maillog *m = calloc(1, sizeof *m);

	if (m)
		m->sessions = sessions_new();
	if (!m || !m->sessions) {
		free(m);
		return NULL;
	}
	m->format = format;
	m->event = event;
	m->arg = arg;
	logclock_init(&m->clock, now);
	return m;
}

void maillog_free(struct maillog **m)
{
	if (*m)
		sessions_free(&(*m)->sessions);
	free(*m);
	*m = NULL;
}

struct sessions *maillog_sessions(struct maillog *m)
{
	return m->sessions;
}

static enum maillog_line tell(struct maillog *m, const struct logline *l, enum maillog_what what, struct peer p)
{
	const struct maillog_event e = { what, l->at, p };

	m->event(m->arg, &e);
	return MAILLOG_READ;
}

enum maillog_line maillog_accepted(struct maillog *m, const struct logline *l, struct peer p)
{
	return tell(m, l, MAILLOG_ACCEPTED, p);
}

enum maillog_line maillog_lost(struct maillog *m, const struct logline *l, struct peer p)
{
	return tell(m, l, MAILLOG_LOST, p);
}

enum maillog_line maillog_lost_text(struct maillog *m, const struct logline *l, struct span text)
{
	struct peer p;

	return peer_read(text, &p) ? maillog_lost(m, l, p) : MAILLOG_BAD;
}

enum maillog_line maillog_line(struct maillog *m, struct span line)
{
	struct logline l;

	if (span_trim(line).n == 0)
		return MAILLOG_OTHER;
	if (!logline_parse(&m->clock, line, &l))
		return MAILLOG_BAD;
	if (m->format)
		return m->format->mine(&l) ? m->format->take(m, &l) : MAILLOG_OTHER;
	for (size_t i = 0; i < FORMATS; i++)
		if (formats[i]->mine(&l))
			return formats[i]->take(m, &l);
	return MAILLOG_OTHER;
}
