/* Store keys of the living lists: those that people change while mail flows.
 *
 *   l LIST KIND VALUE                   an entry
 *   l LIST KIND VALUE AUTHOR COMMENT    a note on it, sorted right behind it
 *   l !                                 counts the changes, so that others see them
 *
 * Parts are escaped as in core/key.h. An entry's record: first_seen when it was
 * added, last_seen when it was changed, expires its end, passed_at never 0, so that
 * nothing takes it for a triplet that waits. An end moves later within a
 * generation; what moves it earlier, or removes the entry, is a new generation.
 * A note belongs to the entry's generation that its record names. Pure. */
#ifndef GREYLAG_CORE_LISTKEY_H
#define GREYLAG_CORE_LISTKEY_H

#include "core/key.h"

/* What a value is compared with. */
enum list_kind {
	LIST_CLIENT,		/* an address or prefix: the client's address */
	LIST_NAME,		/* a host name: the client's confirmed name */
	LIST_SENDER,		/* a mail address or domain */
	LIST_RECIPIENT,
	LIST_PAIR,		/* RECIPIENT<DOMAIN: the recipient, when the sender's domain or the client's
				 * confirmed name is the domain or below it */
	LIST_DOMAIN,		/* nothing by itself: its networks are kept on the list as clients
				 * (engine/livingdomains.h) */
};
#define LIST_KINDS 6

#define LIST_WORD_MAX 64	/* bytes of a list's name */
#define LIST_VALUE_MAX 512
#define LIST_AUTHOR_MAX 60
#define LIST_COMMENT_MAX 200
#define LIST_NEVER INT64_C(253402300799)	/* 9999-12-31T23:59:59Z: an end that does not come */

#define LISTKEY_PREFIX "l "
#define LISTKEY_COUNTER "l !"

/* "client", "name", "sender", "recipient", "pair", "domain". */
const char *list_kind_word(enum list_kind kind);
bool list_kind_parse(struct span word, enum list_kind *out);
/* Letters, digits, '-' and '_', 1 to LIST_WORD_MAX bytes. */
bool list_word_valid(struct span list);

/* The value is in normal form (lists/listvalue.h) and not empty. False, k->n = 0,
 * when a part is over its maximum. Author and comment may be empty. */
bool listkey_entry(struct key *k, struct span list, enum list_kind kind, struct span value);
bool listkey_note(struct key *k, struct span list, enum list_kind kind, struct span value,
		  struct span author, struct span comment);

struct listkey_parts {
	struct span list;
	enum list_kind kind;
	struct span value;		/* escaped, as are the next two */
	struct span author, comment;	/* both empty in an entry's key; "<>" for an empty one */
};
/* False for a key of another form, the counter's included. */
bool listkey_split(struct span key, struct listkey_parts *out);
/* Appends a value with %XX undone; the null sender stays "<>". */
void listkey_unescape(struct buf *out, struct span value);

#endif
