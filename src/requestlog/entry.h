/* A line of the journal of requests (greylag.conf(5), "journal"): one JSON object with
 * the request, what was decided, and what had been found out by then that cannot be
 * asked again: answers of the DNS, living lists, records.
 *
 *   {"v":1,"time":1795255200,"verdict":"defer","reason":"new","wait":60,
 *    "client":"192.0.2.1","name":"mx.example.org","sender":"a@example.org",...}
 *
 * A value that is no UTF-8, or holds control bytes, is {"hex":"00ff"} instead of a text. */
#ifndef GREYLAG_REQUESTLOG_ENTRY_H
#define GREYLAG_REQUESTLOG_ENTRY_H

#include "engine/engine.h"
#include "requestlog/privacy.h"

#define ENTRY_VERSION 1
#define ENTRY_LINE_MAX ((size_t)16 * 1024)	/* of a line; what does not fit is not written */

/* The answer to one condition of a rule that looked something up. */
struct entry_answer {
	struct span kind, text;		/* "dnsbl", "zen.example"; no text for SPF */
	bool open;			/* there was no answer */
	uint8_t bits;			/* as in struct lookup_answers */
};

struct entry {
	int64_t at;			/* seconds since 1970 */
	struct request request;		/* its spans borrow from `bytes`, or from what was read */
	enum verdict verdict, would;
	enum reason reason;		/* REASON_COUNT: not known */
	int64_t wait_s;
	bool spf_known, spf_broad;
	enum spf_result spf;
	struct recalled recalled;	/* `since` is not set */
	unsigned answer_count;
	struct entry_answer answers[LOOKUPS_MAX];
	size_t used;
	char bytes[ENTRY_LINE_MAX];
};

/* Appends the line, its newline included; out->over when it is too long. Allocates
 * nothing. The rules are those of the inquiry's configuration. */
void entry_add(struct buf *out, const struct inquiry *q, const struct privacy *privacy);

/* Reads a line. False with why when it is none, is cut short, or has no time or client. */
bool entry_read(struct entry *out, struct span line, struct buf *why);

/* The request's attributes that are texts: name in a line, and place in struct request. */
struct entry_attribute {
	const char *name;
	size_t offset;
	size_t most;
};
extern const struct entry_attribute entry_attributes[];
extern const unsigned entry_attribute_count;
/* "allowed", "address", ...: the record of each key slot in a line. */
extern const char *const entry_slots[KEY_SLOTS];
/* The word of a report, NULL for REPORT_NONE. */
const char *entry_report_word(enum report r);

#endif
