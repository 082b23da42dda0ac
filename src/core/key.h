/* Store keys: readable text, so that people can list them.
 *
 *   a IDENTITY                      a client that proved itself
 *   t IDENTITY SENDER RECIPIENT     a triplet
 *   w SENDER RECIPIENT              a correspondent whom our RECIPIENT wrote to;
 *                                   sender * : whoever writes to RECIPIENT is expected
 *
 * Keys of kinds 'h' (core/historykey.h), 'l' (core/listkey.h) and 'm' (engine/amnesty.h) are
 * others' matter.
 *
 * The parts are separated by one space; bytes up to 0x20, 0x7f and '%' within
 * a part are written as %XX, an empty part (null sender) as "<>". Of an
 * address over 1,040 bytes the first 1,000 and "%~" with a hash are kept. */
#ifndef GREYLAG_CORE_KEY_H
#define GREYLAG_CORE_KEY_H

#include "base/buf.h"

#define KEY_MAX 2400
#define KEY_KIND_ALLOWED 'a'
#define KEY_KIND_TRIPLET 't'
#define KEY_KIND_WRITTEN 'w'
#define KEY_ANYBODY "*"			/* as the sender of a KEY_KIND_WRITTEN */

struct key {
	size_t n;		/* 0: not built, or over KEY_MAX */
	char text[KEY_MAX + 1];
};

static inline struct span key_span(const struct key *k)
{
	return span_make(k->text, k->n);
}

/* False, k->n = 0, when the key would be longer than KEY_MAX. */
bool key_allowed(struct key *k, struct span identity);
bool key_written(struct key *k, struct span sender, struct span recipient);
bool key_triplet(struct key *k, struct span identity, struct span sender, struct span recipient);

/* The parts of a key as stored, still escaped. A key with other contents than
 * described above gives false. sender and recipient are empty for KEY_KIND_ALLOWED,
 * identity for KEY_KIND_WRITTEN. */
struct key_parts {
	char kind;
	struct span identity;
	struct span sender;
	struct span recipient;
};
bool key_split(struct span key, struct key_parts *out);

/* Appends one part with %XX undone; "<>" becomes nothing. */
void key_unescape(struct buf *out, struct span part);
/* Appends the start that all keys of this kind and identity share, its final
 * space included. With an empty identity: all keys of the kind. */
void key_prefix(struct buf *out, char kind, struct span identity);

#endif
