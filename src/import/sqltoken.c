#include "import/sqltoken.h"

#include "learn/textfile.h"

#define NONE (-1)

int sqltext_open(struct sqltext *s, const char *path)
{
	*s = (struct sqltext){ .line = 1, .escapes = true };
	s->text = buf_on(s->text_bytes, sizeof s->text_bytes);
	s->why = buf_on(s->why_bytes, sizeof s->why_bytes);
	s->file = textfile_open(path, &s->why);
	return s->file ? 0 : -1;
}

void sqltext_close(struct sqltext *s)
{
	textfile_close(&s->file);
}

/* --- Bytes ------------------------------------------------------------------------------ */

static int look(struct sqltext *s)
{
	if (s->part.n == 0 && !s->ended && textfile_part(s->file, &s->part, &s->why) <= 0) {
		s->ended = true;
		s->part.n = 0;
	}
	return s->part.n ? (unsigned char)s->part.p[0] : NONE;
}

static int take(struct sqltext *s)
{
	int c = look(s);

	if (c == NONE)
		return c;
	s->part = span_from(s->part, 1);
	s->line += c == '\n';
	return c;
}

static enum sqltoken end_of(struct sqltext *s)
{
	return s->why.n ? SQLTOKEN_BROKEN : SQLTOKEN_END;
}

static enum sqltoken broken(struct sqltext *s, const char *what)
{
	if (s->why.n == 0)
		buf_fail(&s->why, "line %llu: it ends within %s", (unsigned long long)s->line, what);
	return SQLTOKEN_BROKEN;
}

int sqltext_line(struct sqltext *s, struct buf *line)
{
	int c;

	buf_clear(line);
	while ((c = take(s)) != NONE && c != '\n')
		buf_addc(line, (char)c);
	if (c == NONE && s->why.n)
		return -1;
	return c != NONE || line->n ? 1 : 0;
}

/* --- Comments ---------------------------------------------------------------------------- */

/* Whose dump it is stands in its first comment. */
static void skip_line(struct sqltext *s)
{
	char bytes[200];
	struct buf line = BUF_ON(bytes);

	sqltext_line(s, &line);
	if (strstr(buf_str(&line), "PostgreSQL"))
		s->escapes = false;
}

/* MySQL runs what stands in a comment that begins with an exclamation mark. */
static bool skip_comment(struct sqltext *s)
{
	int c, before = 0;

	if (look(s) == '!') {
		take(s);
		while (look(s) >= '0' && look(s) <= '9')
			take(s);
		return true;
	}
	while ((c = take(s)) != NONE) {
		if (before == '*' && c == '/')
			return true;
		before = c;
	}
	return false;
}

/* --- Tokens ------------------------------------------------------------------------------- */

static char escaped(int c)
{
	static const char from[] = "0nrtbZ", to[] = "\0\n\r\t\b\032";
	const char *at = c > 0 ? strchr(from, c) : NULL;

	return at ? to[at - from] : (char)c;
}

/* Up to the quote that ends it; a doubled one stands for itself. */
static enum sqltoken quoted(struct sqltext *s, int quote, enum sqltoken kind)
{
	int c;

	while ((c = take(s)) != NONE) {
		if (c == '\\' && kind == SQLTOKEN_STRING && s->escapes) {
			if ((c = take(s)) == NONE)
				break;
			buf_addc(&s->text, escaped(c));
			continue;
		}
		if (c == quote && look(s) != quote)
			return kind;
		if (c == quote)
			take(s);
		buf_addc(&s->text, (char)c);
	}
	return broken(s, "a string");
}

static bool in_word(int c)
{
	return c >= 0x80 || c == '_' || c == '$' || c == '.' || c == '-' || c == '+' ||
	       (c > 0 && (ascii_alpha((char)c) || ascii_digit((char)c)));
}

static int hex_value(char c)
{
	return ascii_digit(c) ? c - '0' : ascii_hex(c) ? ascii_lower(c) - 'a' + 10 : 0;
}

/* Bytes as 0xAB (mysqldump --hex-blob) or X'AB'. */
static enum sqltoken unhex(struct sqltext *s, size_t from)
{
	size_t n = 0;

	for (size_t i = from; i + 1 < s->text.n; i += 2)
		s->text.p[n++] = (char)(hex_value(s->text.p[i]) << 4 | hex_value(s->text.p[i + 1]));
	s->text.n = n;
	return SQLTOKEN_STRING;
}

static enum sqltoken word(struct sqltext *s)
{
	struct span w;

	while (in_word(look(s)))
		buf_addc(&s->text, (char)take(s));
	w = buf_span(&s->text);
	if (span_istarts(w, span_of("0x")) && w.n > 2)
		return unhex(s, 2);
	bool hex = span_ieq(w, span_of("X")), string = hex || span_ieq(w, span_of("E")) || span_ieq(w, span_of("_binary"));
	while (string && look(s) == ' ')
		take(s);
	if (!string || look(s) != '\'')
		return SQLTOKEN_WORD;
	take(s);
	buf_clear(&s->text);
	enum sqltoken t = quoted(s, '\'', SQLTOKEN_STRING);
	return hex && t == SQLTOKEN_STRING ? unhex(s, 0) : t;
}

enum sqltoken sqltext_next(struct sqltext *s)
{
	int c;

	buf_clear(&s->text);
	for (;;) {
		c = look(s);
		if (c == NONE)
			return end_of(s);
		if (in_word(c) && c != '-')
			return word(s);
		take(s);
		if (c == '#' || (c == '-' && look(s) == '-')) {
			skip_line(s);
		} else if (c == '/' && look(s) == '*') {
			take(s);
			if (!skip_comment(s))
				return broken(s, "a comment");
		} else if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
			break;
		}
	}
	if (c == '-' && in_word(look(s))) {
		buf_addc(&s->text, '-');
		return word(s);
	}
	if (c == '\'' || c == '"' || c == '`')
		return quoted(s, c, c == '\'' ? SQLTOKEN_STRING : SQLTOKEN_NAME);
	buf_addc(&s->text, (char)c);
	return SQLTOKEN_MARK;
}
