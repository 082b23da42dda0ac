/* What the parts of the configuration parser share. */
#ifndef GREYLAG_CONFIG_PARSE_H
#define GREYLAG_CONFIG_PARSE_H

#include "config/config.h"
#include "config/lex.h"

struct parse {
	struct config *config;
	struct lex *lex;
	struct diag *diag;
	bool no_files;		/* list files are not read (fuzzing) */
};

/* Reports at a token (index past the last: at the line's end). */
void parse_error(const struct parse *p, unsigned token, const char *text);
void parse_warning(const struct parse *p, unsigned token, const char *text);

/* The token's text, empty past the last. */
struct span parse_word(const struct parse *p, unsigned token);
/* True when the token is this keyword: unquoted, without regard to case. */
bool parse_is(const struct parse *p, unsigned token, const char *keyword);

/* Reports WHAT "WORD", with a keyword that is near it. */
struct suggest;
void parse_unknown(const struct parse *p, unsigned token, const char *what, const struct suggest *near);

/* Each reads one line whose first token is theirs; findings are reported. */
void parse_listen(struct parse *p);	/* config/listen.c */
void parse_rule(struct parse *p);	/* config/rule.c */
void parse_test(struct parse *p);	/* config/ruletest.c */
void ruletest_free(struct config *c);	/* config/ruletest.c */
void parse_set(struct parse *p);	/* config/set.c */
/* Warns about rules that no request can reach. */
void parse_lint_rules(const struct parse *p);	/* config/rulelint.c */
/* True when the line's first word begins a rule. */
bool parse_starts_rule(const struct parse *p);
/* Words that begin a rule: index from 0, NULL after the last. */
const char *parse_rule_word(unsigned index);

#endif
