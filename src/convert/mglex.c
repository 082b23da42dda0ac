#include "convert/mglex.h"

bool mglex_start(struct mg_lex *l, struct span text)
{
	*l = (struct mg_lex){ .rest = text, .line = 1 };
	l->tokens = calloc(MG_TOKENS_MAX, sizeof *l->tokens);
	return l->tokens != NULL;
}

void mglex_end(struct mg_lex *l)
{
	free(l->tokens);
	l->tokens = NULL;
}

static bool is_blank(char c)
{
	return ascii_blank(c) || c == '\r';
}

static void add(struct mg_lex *l, enum mg_kind kind, struct span text)
{
	if (l->count == MG_TOKENS_MAX)
		l->problem = "too many words";
	else
		l->tokens[l->count++] = (struct mg_token){ kind, text };
}

/* Length of what is between two marks at the head of s, a mark behind a backslash being
 * part of it; s.n when its end is missing in the line. */
static size_t between(struct span s, char mark)
{
	for (size_t i = 1; i < s.n && s.p[i] != '\n'; i++) {
		if (s.p[i] == mark)
			return i - 1;
		if (s.p[i] == '\\' && i + 1 < s.n && s.p[i + 1] == mark)
			i++;
	}
	return s.n;
}

/* "/24" is no regular expression. */
static bool is_prefix_length(struct span s)
{
	size_t n = 1;

	while (n < s.n && ascii_digit(s.p[n]))
		n++;
	return n > 1 && (n == s.n || is_blank(s.p[n]) || s.p[n] == '\n' || s.p[n] == '\\' || s.p[n] == '}' || s.p[n] == '#');
}

static size_t take_marked(struct mg_lex *l, struct span s, enum mg_kind kind)
{
	size_t n = between(s, s.p[0]);

	if (n == s.n) {
		l->problem = "the end of a string or regular expression is missing";
		return span_find(s, '\n');
	}
	add(l, kind, span_make(s.p + 1, n));
	return n + 2;
}

static size_t take_word(struct mg_lex *l, struct span s)
{
	size_t n = 1;

	if (s.p[0] != '{' && s.p[0] != '}' && s.p[0] != ',')
		while (n < s.n && !is_blank(s.p[n]) && s.p[n] != '\n' && s.p[n] != '"' && s.p[n] != '}' && s.p[n] != ',' &&
		       !(s.p[n] == '\\' && n + 1 < s.n && (s.p[n + 1] == '\n' || is_blank(s.p[n + 1]))))
			n++;
	add(l, MG_WORD, span_make(s.p, n));
	return n;
}

static size_t take_token(struct mg_lex *l, struct span s)
{
	if (s.p[0] == '"')
		return take_marked(l, s, MG_STRING);
	/* A division sign stands alone. */
	if (s.p[0] == '/' && s.n > 1 && !is_blank(s.p[1]) && s.p[1] != '\n' && !is_prefix_length(s))
		return take_marked(l, s, MG_REGEX);
	return take_word(l, s);
}

bool mglex_next(struct mg_lex *l)
{
	struct span from = l->rest;
	unsigned braces = 0;

	l->count = 0;
	l->problem = NULL;
	l->at = l->line;
	while (l->rest.n) {
		char c = l->rest.p[0];
		size_t n = 1;
		if (c == '\n') {
			l->line++;
			l->rest = span_from(l->rest, 1);
			/* Nobody means a list to end before its brace. */
			if (l->count && !braces)
				break;
			if (!l->count) {
				from = l->rest;
				l->at = l->line;
			}
			continue;
		}
		if (c == '\\') {
			n = span_find(l->rest, '\n') + 1;
			l->line++;
		} else if (c == '#') {
			n = span_find(l->rest, '\n');
		} else if (!is_blank(c)) {
			n = take_token(l, l->rest);
			braces += c == '{';
			braces -= c == '}' && braces;
		}
		l->rest = span_from(l->rest, n);
	}
	l->source = span_trim(span_head(from, (size_t)(l->rest.p - from.p)));
	return l->count || l->problem;
}
