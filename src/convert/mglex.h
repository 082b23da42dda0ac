/* Statements of milter-greylist's greylist.conf (greylist.conf(5), 4.6): a line, which
 * a backslash continues (what follows it on its line is a comment). */
#ifndef GREYLAG_CONVERT_MGLEX_H
#define GREYLAG_CONVERT_MGLEX_H

#include "base/buf.h"

#define MG_TOKENS_MAX 20000

enum mg_kind {
	MG_WORD,	/* a keyword, name, address, operator, '{', '}' */
	MG_STRING,	/* "...", without the quotes, escapes as they are */
	MG_REGEX,	/* /.../, without the slashes */
};

struct mg_token {
	enum mg_kind kind;
	struct span text;
};

struct mg_lex {
	struct span rest;
	unsigned line;			/* of what comes next */
	/* The statement: */
	struct mg_token *tokens;	/* MG_TOKENS_MAX */
	unsigned count;
	unsigned at;			/* its first line */
	struct span source;
	const char *problem;		/* NULL, or why it cannot be read */
};

/* False when memory is out. The text must live as long. */
bool mglex_start(struct mg_lex *l, struct span text);
void mglex_end(struct mg_lex *l);
/* False at the end. */
bool mglex_next(struct mg_lex *l);

#endif
