/* The postmaster's choices that the decision reads, as plain numbers. An
 * immutable snapshot: a reload builds another one. */
#ifndef GREYLAG_CORE_POLICY_H
#define GREYLAG_CORE_POLICY_H

#include "core/reason.h"

enum identity_mode {
	IDENTITY_HOST,		/* registrable domain of the confirmed, non-dynamic name; else network */
	IDENTITY_NETWORK,	/* always the network */
	IDENTITY_ADDRESS,	/* always the exact address */
};

struct greylist {
	int64_t delay_s;	/* a retry passes from first_seen + delay ... */
	int64_t window_s;	/* ... until first_seen + window */
	int64_t keep_s;		/* idle trust ends after this */
};

struct policy {
	struct greylist greylist;
	enum identity_mode identity;
	unsigned ipv4_bits;
	unsigned ipv6_bits;
	bool trust_delivery;		/* trust a client when a door reports that its mail was kept */
	bool observe;			/* decide and log, but let everything pass */
	enum verdict on_store_failure;	/* VERDICT_PASS or VERDICT_DEFER */
	enum verdict on_malformed;	/* the same */
};

/* What a rule says about a request. */
enum action {
	ACTION_ALLOW,		/* pass, no record */
	ACTION_BLOCK,		/* reject */
	ACTION_DEFER,		/* greylist, with the rule's own times where it gives them */
};

struct ruling {
	enum action action;
	bool observe;			/* judge it, but let it pass */
	int64_t delay_s;		/* -1: the policy's */
	int64_t window_s;		/* -1: the policy's */
	int64_t keep_s;			/* -1: the policy's */
	const char *text;		/* reply text of the rule, or NULL */
	const char *file;		/* where the rule stands, for the log and `why` */
	unsigned line;
};

#endif
