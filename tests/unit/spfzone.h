/* A DNS in memory for the SPF tests. */
#ifndef GREYLAG_TESTS_SPFZONE_H
#define GREYLAG_TESTS_SPFZONE_H

#include "check.h"

#include "dns/answer.h"

enum { SPFZONE_FAILED = 100, SPFZONE_TIMEOUT };	/* instead of a type: every question fails */

struct spfzone_row {
	const char *name;
	int type;		/* enum dns_type, or one of the above */
	const char *value;
};

#define SPFZONE_RECORDS 20

struct spfzone_answer {
	struct dns_answer answer;
	struct dns_record records[SPFZONE_RECORDS];
};

/* Adds what rows (ended by a NULL name) have for the question; a begun answer says there is none. */
static inline void spfzone_add(struct spfzone_answer *a, const struct spfzone_row *rows, enum dns_type type,
			       const char *name)
{
	for (; rows->name; rows++) {
		if (!span_ieq(span_of(rows->name), span_of(name)))
			continue;
		a->answer.exists = true;
		if (rows->type == SPFZONE_FAILED || rows->type == SPFZONE_TIMEOUT)
			a->answer.status = rows->type == SPFZONE_FAILED ? DNS_FAILED : DNS_TIMEOUT;
		if (rows->type != (int)type)
			continue;
		struct dns_record *r = &a->records[a->answer.count++];
		assert_true(a->answer.count <= SPFZONE_RECORDS);
		*r = (struct dns_record){ .text = span_of(rows->value) };
		if (type == DNS_A || type == DNS_AAAA)
			assert_true(netaddr_parse(r->text, &r->address));
		a->answer.status = DNS_FOUND;
	}
	a->answer.records = a->records;
}

static inline void spfzone_begin(struct spfzone_answer *a)
{
	*a = (struct spfzone_answer){ .answer = { .status = DNS_NONE, .ttl_s = 300 } };
}

#endif
