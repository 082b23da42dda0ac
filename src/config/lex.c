#include "config/lex.h"

void lex_start(struct lex *l, struct span text, const char *file, struct diag *diag)
{
	static const struct span mark = SPAN("\xef\xbb\xbf");

	l->file = file;
	l->diag = diag;
	l->rest = span_starts(text, mark) ? span_from(text, mark.n) : text;
	l->line = 0;
	l->count = 0;
}

static int fail(struct lex *l, size_t column, const char *problem)
{
	diag_at(l->diag, DIAG_ERROR, l->file, l->line, (unsigned)column, "%s", problem);
	return -1;
}

/* Length of the word at the head of s, its text appended to l->text. */
static size_t take_word(struct lex *l, struct span s)
{
	size_t n = 0;

	while (n < s.n && !ascii_blank(s.p[n]))
		n++;
	buf_add(&l->text, s.p, n);
	return n;
}

/* The same for a quoted token; 0 when its end is missing. */
static size_t take_quoted(struct lex *l, struct span s)
{
	size_t i = 1;

	for (; i < s.n && s.p[i] != '"'; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n && (s.p[i + 1] == '"' || s.p[i + 1] == '\\'))
			i++;
		buf_addc(&l->text, s.p[i]);
	}
	return i < s.n ? i + 1 : 0;
}

static int take_token(struct lex *l, struct span line, size_t *at)
{
	struct span s = span_from(line, *at);
	size_t from = l->text.n;
	bool quoted = s.p[0] == '"';

	if (l->count == LEX_TOKENS_MAX)
		return fail(l, *at + 1, "too many words; put the values into a file");
	size_t n = quoted ? take_quoted(l, s) : take_word(l, s);
	if (n == 0)
		return fail(l, *at + 1, "the closing quote is missing");
	if (l->text.over)
		return fail(l, *at + 1, "line too long; put the values into a file");
	if (quoted && n < s.n && !ascii_blank(s.p[n]))
		return fail(l, *at + n + 1, "a blank is missing after the closing quote");
	l->tokens[l->count++] = (struct token){
		.text = span_make(l->text.p + from, l->text.n - from), .line = l->line,
		.column = (unsigned)(*at + 1), .quoted = quoted };
	*at += n;
	return 0;
}

/* *more: the line goes on in the next. */
static int take_physical(struct lex *l, struct span line, bool *more)
{
	*more = line.n && line.p[line.n - 1] == '\\';
	if (*more)
		line.n--;
	for (size_t i = 0; i < line.n; i++)
		if (ascii_control(line.p[i]) && line.p[i] != '\t')
			return fail(l, i + 1, "control byte in the line");
	for (size_t at = 0; at < line.n;) {
		if (ascii_blank(line.p[at])) {
			at++;
			continue;
		}
		if (line.p[at] == '#') {
			*more = false;
			break;
		}
		if (take_token(l, line, &at) != 0)
			return -1;
	}
	return 0;
}

int lex_line(struct lex *l)
{
	struct span line;
	bool more = false;
	int status = 0;

	l->count = 0;
	l->text = buf_on(l->storage, sizeof l->storage);
	while (span_cut(&l->rest, '\n', &line)) {
		l->line++;
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (take_physical(l, line, &more) != 0)
			status = -1;
		if (more)
			continue;
		if (status != 0)
			return -1;
		if (l->count)
			return 1;
	}
	return status ? -1 : l->count ? 1 : 0;
}
