#include "client/question.h"

void question_begin(struct buf *b, const char *stage)
{
	buf_clear(b);
	buf_adds(b, "request=smtpd_access_policy\nprotocol_state=");
	buf_adds(b, stage);
	buf_adds(b, "\nprotocol_name=ESMTP\n");
}

static void add_value(struct buf *b, struct span value)
{
	for (size_t i = 0; i < value.n; i++)
		buf_addc(b, value.p[i] == '\n' || value.p[i] == '\0' ? '?' : value.p[i]);
}

void question_tell(struct buf *b, const char *name, struct span value)
{
	buf_adds(b, name);
	buf_addc(b, '=');
	add_value(b, value);
	buf_addc(b, '\n');
}

void question_add(struct buf *b, const char *name, struct span value)
{
	if (value.n)
		question_tell(b, name, value);
}

/* RFC 5321 section 4.1.2: Quoted-string. */
static void add_unquoted(struct buf *b, struct span local)
{
	for (size_t i = 1; i + 1 < local.n; i++) {
		if (local.p[i] == '\\' && i + 2 < local.n)
			i++;
		add_value(b, span_make(local.p + i, 1));
	}
}

void question_address(struct buf *b, const char *name, struct span argument)
{
	argument = span_unwrap(argument, '<', '>');
	size_t at = span_rfind(argument, '@');
	struct span local = span_head(argument, at);

	buf_adds(b, name);
	buf_addc(b, '=');
	if (local.n >= 2 && local.p[0] == '"' && local.p[local.n - 1] == '"') {
		add_unquoted(b, local);
		argument = span_from(argument, at);
	}
	add_value(b, argument);
	buf_addc(b, '\n');
}

void question_end(struct buf *b)
{
	buf_addc(b, '\n');
}
