/* What the DNS answered to one question (RFC 1035, RFC 2308). Plain data, shared by
 * the resolver that fills it in and by what reads it. */
#ifndef GREYLAG_DNS_ANSWER_H
#define GREYLAG_DNS_ANSWER_H

#include "base/netaddr.h"

#define DNS_NAME_MAX 253

enum dns_type { DNS_A, DNS_AAAA, DNS_MX, DNS_PTR, DNS_TXT };

enum dns_status {
	DNS_FOUND,		/* one record of the type at least */
	DNS_NONE,		/* the name does not exist, or has none of this type */
	DNS_FAILED,		/* SERVFAIL, REFUSED, an answer that makes no sense, no memory */
	DNS_TIMEOUT,		/* nobody answered */
};

struct dns_record {
	struct netaddr address;		/* A, AAAA */
	unsigned preference;		/* MX */
	struct span text;		/* MX, PTR: a name without final dot; TXT: its strings put together */
};

/* Records and texts belong to the resolver and stay only while `done` runs. */
struct dns_answer {
	enum dns_status status;
	bool exists;			/* DNS_NONE: the name has records of other types (NODATA) */
	uint32_t ttl_s;			/* of the answer, the shortest of its records, less its age */
	unsigned count;
	const struct dns_record *records;
};

#endif
