/* What the parts of milter-greylist's conversion share. */
#ifndef GREYLAG_CONVERT_MG_H
#define GREYLAG_CONVERT_MG_H

#include "convert/convert.h"
#include "convert/mglex.h"

#define MG_NAMES_MAX 1000	/* lists, DNS lists and rates */
#define MG_SETS_MAX 64		/* of one list */

enum mg_named { MG_LIST, MG_DNSRBL, MG_RATE, MG_OTHER };

/* What a statement gave a name, for the rules that follow. */
struct mg_name {
	struct span name;
	enum mg_named what;
	const struct mg_type *type;	/* lists: of their values */
	char set[41];			/* lists: of our sets, NAME, NAME-2, ... */
	unsigned sets;
	bool partial;			/* some of its values have no equivalent */
	char *values;			/* others: as our conditions take them; owned */
};

struct mg {
	struct convert *c;
	struct mg_lex lex;
	unsigned next;			/* token that comes next */
	struct mg_name names[MG_NAMES_MAX];
	unsigned name_count;
	bool domain_exact, extended_regex;
	bool said_substring, said_suffix, said_regex, said_country;
	bool quiet, has_delay, has_window, has_keep, has_country;
	struct span ipv4, ipv6;		/* subnetmatch, subnetmatch6 */
};

/* The statement's next token; NULL at its end. mg_take goes past it. */
const struct mg_token *mg_peek(const struct mg *m);
const struct mg_token *mg_take(struct mg *m);
/* Goes past the next token when it is this keyword. */
bool mg_keyword(struct mg *m, const char *word);
bool mg_is(const struct mg_token *t, const char *word);
/* "30", "30s", "5m", "2h", "1d", "1w": seconds, at most ten years. */
bool mg_time(const struct mg_token *t, int64_t *seconds);

/* A value of a clause or list, by the clause's keyword. NULL: none that takes such values. */
struct mg_type {
	const char *word;
	const char *condition;		/* ours */
	/* Appends our value as words, or false with why. */
	bool (*value)(struct mg *m, const struct mg_token *t, struct buf *out, struct buf *why);
};
const struct mg_type *mg_type(struct span word);

const struct mg_name *mg_find(const struct mg *m, enum mg_named what, struct span name);
struct mg_name *mg_name(struct mg *m, enum mg_named what, struct span name);

/* A regular expression of POSIX, basic or extended, as PCRE2 has it; false when it cannot be. */
bool mg_regex(struct buf *out, struct span posix, bool extended);

/* Statements whose keyword has been taken. */
void mg_list(struct mg *m);		/* mglist.c */
void mg_dnsrbl(struct mg *m);		/* mglist.c */
void mg_ratelimit(struct mg *m);	/* mglist.c */
void mg_acl(struct mg *m);		/* mgacl.c: behind racl and acl */
void mg_legacy(struct mg *m, const struct mg_token *keyword);	/* mgacl.c: a clause alone, which allows */

#endif
