/* Reads a DNS message: what a server answered to one question (RFC 1035 section 4,
 * RFC 2308). Pure; the message is untrusted. c-ares could do it, but drops the TTL of
 * most types, allocates, and hands out names in an escaped spelling. */
#ifndef GREYLAG_DNS_DNSPARSE_H
#define GREYLAG_DNS_DNSPARSE_H

#include "base/buf.h"
#include "dns/answer.h"

/* A message of 64 KB holds more; what is beyond is left out. */
#define DNSPARSE_RECORDS 256

/* Where an answer is put together; some 80 KB. answer.records and their texts point
 * into it: it must not be moved while they are used. */
struct dnsparse {
	struct dns_answer answer;
	struct dns_record records[DNSPARSE_RECORDS];
	struct buf text;
	char storage[66000];
};

/* TYPE in a question (RFC 1035 section 3.2.2, RFC 3596). */
unsigned dnsparse_type(enum dns_type type);

/* The answer to the question for name (lower case, no final dot), in p->answer. Aliases
 * (CNAME) are followed as far as the message has them. A record whose name could not be asked
 * for (a dot or a NUL byte inside a label) is left out. ttl_s is that of the message:
 * of the records and aliases used, or of the SOA record for DNS_NONE (RFC 2308 section 5),
 * 0 without one. DNS_FAILED: an error code, cut short, a referral, or makes no sense. */
void dnsparse_message(struct dnsparse *p, struct span message, enum dns_type type, struct span name);

/* Name in text, asked as it is: lower case, no final dot, into out of DNS_NAME_MAX + 1 bytes.
 * 0, or -1 when no name is so: over 253 bytes, a label of over 63 or of none, a NUL byte. */
int dnsparse_name(struct span text, char *out);

#endif
