#include "doors/osmtpdsession.h"

static size_t bucket(struct span id)
{
	return span_hash(id, 0) % SESSION_BUCKETS;
}

struct session *sessions_find(const struct sessions *t, struct span id)
{
	struct session *s = t->buckets[bucket(id)];

	while (s && !span_eq(buf_span(&s->id), id))
		s = s->next;
	return s;
}

#define TEXT(field) s->field = buf_on(s->storage.field, sizeof s->storage.field)

static void texts_init(struct session *s)
{
	TEXT(id);
	TEXT(name);
	TEXT(client);
	TEXT(server);
	TEXT(server_port);
	TEXT(helo);
	TEXT(tls);
	TEXT(message);
	TEXT(sender);
	TEXT(header);
	TEXT(token);
}

static void set(struct buf *text, struct span value)
{
	buf_clear(text);
	buf_addspan(text, value);
}

struct session *sessions_add(struct sessions *t, struct span id)
{
	struct session *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	texts_init(s);
	set(&s->id, id);
	struct session **b = &t->buckets[bucket(id)];
	s->next = *b;
	*b = s;
	s->older = t->newest;
	if (t->newest)
		t->newest->newer = s;
	else
		t->oldest = s;
	t->newest = s;
	t->count++;
	return s;
}

void sessions_remove(struct sessions *t, struct session *s)
{
	struct session **b = &t->buckets[bucket(buf_span(&s->id))];

	while (*b != s)
		b = &(*b)->next;
	*b = s->next;
	if (s->older)
		s->older->newer = s->newer;
	else
		t->oldest = s->newer;
	if (s->newer)
		s->newer->older = s->older;
	else
		t->newest = s->older;
	t->count--;
	session_clear_header(t, s);
	buf_free(&s->question);
	free(s);
}

static void end_transaction(struct sessions *t, struct session *s)
{
	buf_clear(&s->message);
	buf_clear(&s->sender);
	s->has_sender = false;
	session_clear_header(t, s);
}

static void note_client(struct session *s, const struct osmtpd_line *line)
{
	set(&s->name, line->name);
	set(&s->client, line->client);
	set(&s->server, line->server);
	set(&s->server_port, line->server_port);
	s->confirmed = line->confirmed;
}

static void note_sender(struct session *s, const struct osmtpd_line *line)
{
	if (!line->ok)
		return;
	set(&s->message, line->message);
	set(&s->sender, line->value);
	s->has_sender = true;
}

void session_note(struct sessions *t, struct session *s, const struct osmtpd_line *line)
{
	switch (line->kind) {
	case OSMTPD_CONNECT: note_client(s, line); break;
	case OSMTPD_IDENTIFY: set(&s->helo, line->value); break;
	case OSMTPD_TLS: set(&s->tls, line->value); break;
	case OSMTPD_AUTH: s->authenticated = s->authenticated || line->ok; break;
	case OSMTPD_BEGIN:
	case OSMTPD_END: end_transaction(t, s); break;
	case OSMTPD_MAIL: note_sender(s, line); break;
	case OSMTPD_OTHER:
	case OSMTPD_READY:
	case OSMTPD_DISCONNECT:
	case OSMTPD_ASK_RCPT:
	case OSMTPD_ASK_DATA:
	case OSMTPD_ASK_LINE:
	case OSMTPD_ASK_OTHER: break;
	}
}

void session_set_header(struct sessions *t, struct session *s, struct span header)
{
	if (s->header.n || header.n == 0)
		return;
	buf_addspan(&s->header, header);
	t->headers++;
}

void session_clear_header(struct sessions *t, struct session *s)
{
	if (s->header.n == 0)
		return;
	buf_clear(&s->header);
	t->headers--;
}
