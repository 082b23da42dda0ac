/* Who is sending, as stable as can be trusted (DESIGN section 3; RFC 6647 sections
 * 5.5 and 7). */
#ifndef GREYLAG_CORE_IDENTITY_H
#define GREYLAG_CORE_IDENTITY_H

#include "core/policy.h"
#include "core/request.h"

#define IDENTITY_TEXT (REQUEST_NAME_MAX + 1)

struct identity {
	enum identity_mode kind;	/* which of them it turned out to be */
	size_t n;
	char text[IDENTITY_TEXT];	/* "example.org", "192.0.2.0/24" or "192.0.2.1" */
};

static inline struct span identity_span(const struct identity *id)
{
	return span_make(id->text, id->n);
}

/* The identity under this policy. Needs client, client_org and client_dynamic;
 * client.family must not be 0. spf_org: the registrable domain that SPF confirms, or empty. */
void identity_of(const struct policy *p, const struct request *r, struct span spf_org, struct identity *out);
/* True for one that can be trusted as a whole: a named organisation. */
bool identity_is_organisation(const struct identity *id);
/* The client's network under this policy, or its address where that is the policy's. */
void identity_network(const struct policy *p, const struct request *r, struct identity *out);
/* "host", "network", "address" or "spf". */
const char *identity_word(enum identity_mode kind);
/* The exact address as an identity. */
void identity_address(const struct request *r, struct identity *out);

#endif
