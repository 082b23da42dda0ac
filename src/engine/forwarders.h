/* Single machines that bring mail of many senders: forwarders and secondary exchangers
 * of our own. They are proposed for the allow list: greylisting them a second time
 * helps nobody (RFC 6647 section 4.2), and what they forward says nothing of them.
 * An estimate in fixed memory, by each greylagd for itself. Loop thread. */
#ifndef GREYLAG_ENGINE_FORWARDERS_H
#define GREYLAG_ENGINE_FORWARDERS_H

#include "core/request.h"

#define FORWARDER_DOMAINS 30	/* distinct sender domains that make one */
#define FORWARDER_NAME 80

struct forwarders;

struct forwarder {
	struct netaddr client;
	char name[FORWARDER_NAME];	/* its confirmed name, cut; or "" */
	unsigned domains;		/* of senders, about */
	uint64_t mails;
	int64_t since;
};

/* 1,024 clients, 0.2 MB. NULL when memory is out. */
struct forwarders *forwarders_new(void);
void forwarders_free(struct forwarders **f);

/* Notes a mail that passed because its client, or its triplet, is known. True when it has just
 * become clear that the client is one; a provider with many such machines is none. */
bool forwarders_note(struct forwarders *f, const struct request *r, int64_t now, struct forwarder *out);
/* The candidate number i, from 0; false when there are no more. */
bool forwarders_get(const struct forwarders *f, unsigned i, struct forwarder *out);

#endif
