/* Lines of greylag.conf cut into tokens. */
#ifndef GREYLAG_CONFIG_LEX_H
#define GREYLAG_CONFIG_LEX_H

#include "config/diag.h"

#define LEX_TOKENS_MAX 512
#define LEX_TEXT_MAX ((size_t)64 * 1024)

struct token {
	struct span text;	/* without quotes, escapes undone */
	unsigned line, column;	/* where it starts, from 1 */
	bool quoted;		/* never a keyword */
};

/* One logical line: physical lines that end in a backslash are joined, unless
 * it stands in a comment. Words are separated by blanks; "..." holds blanks, with
 * \" and \\ inside; '#' at the start of a token begins a comment. A byte order
 * mark at the start of the text is passed over. */
struct lex {
	const char *file;
	struct diag *diag;
	struct span rest;
	unsigned line;		/* number of the physical line read last */
	struct token tokens[LEX_TOKENS_MAX];
	unsigned count;
	struct buf text;	/* over storage: what the tokens' texts point into */
	char storage[LEX_TEXT_MAX];
};

void lex_start(struct lex *l, struct span text, const char *file, struct diag *diag);
/* Reads the next logical line that has tokens: 1, 0 at the end, -1 when the
 * line was faulty (reported; go on with the next). */
int lex_line(struct lex *l);

#endif
