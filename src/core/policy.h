/* The postmaster's choices that the decision reads, as plain numbers. An
 * immutable snapshot: a reload builds another one. */
#ifndef GREYLAG_CORE_POLICY_H
#define GREYLAG_CORE_POLICY_H

#include "core/reason.h"

enum identity_mode {
	IDENTITY_HOST,		/* registrable domain of the confirmed, non-dynamic name; else network */
	IDENTITY_NETWORK,	/* always the network */
	IDENTITY_ADDRESS,	/* always the exact address */
	IDENTITY_SPF,		/* never a mode: what an identity turned out to be, see enum identity_spf */
};

/* Whether a sender domain that SPF confirms is the identity. */
enum identity_spf {
	IDENTITY_SPF_NO,
	IDENTITY_SPF_FIRST,	/* before the host name */
	IDENTITY_SPF_UNNAMED,	/* when there is no host name to go by */
};

struct greylist {
	int64_t delay_s;	/* a retry passes from first_seen + delay ... */
	int64_t window_s;	/* ... until first_seen + window */
	int64_t keep_s;		/* idle trust ends after this */
};

/* What clients that behave badly bring upon themselves. A count of 0 switches a
 * penalty off. Holds double with each strike, up to 32 times. */
struct penalties {
	uint64_t spare;			/* organisations with so many passed mails are not held */
	enum verdict on_trap;		/* VERDICT_DEFER or VERDICT_REJECT */
	enum verdict on_hammering;	/* the same */
	int64_t trap_hold_s;
	unsigned hasty_attempts;	/* of one mail by one client within PENALTY_HASTY_SPAN_S */
	int64_t hasty_hold_s;
	unsigned hammering_attempts;	/* the same within hammering_span_s */
	int64_t hammering_span_s, hammering_hold_s;
	unsigned hopping_senders;	/* unrelated clients that bring one mail within hopping_span_s */
	int64_t hopping_span_s, hopping_hold_s;
	unsigned unwelcome_rejections;	/* of one client within unwelcome_span_s */
	int64_t unwelcome_span_s, unwelcome_hold_s;
	unsigned unretried_triplets;	/* that wait for a retry since unretried_after_s */
	int64_t unretried_after_s, unretried_delay_s;
	int64_t misbehaved_hold_s;	/* 0: trust is withdrawn, no more */
	int64_t spam_hold_s;
};
#define PENALTY_HASTY_SPAN_S 60
/* Attempts so close together are one: a server with several mails from one person to
 * another cannot be told from one that tries again, nor can several exchangers. */
#define PENALTY_APART_S 5
#define PENALTY_TOGETHER_S 60	/* offences so close together are one */
#define PENALTY_SPARE_AGE_S (7 * 86400)	/* an organisation is spared only when known for so long */

/* Mail that we send. */
struct outbound {
	int64_t keep_s;			/* how long the answer is awaited; 0: not at all */
	int64_t expect_s;		/* how long all mail to who has just sent some passes; 0: not at all */
};

struct policy {
	struct greylist greylist;
	struct penalties penalties;
	struct outbound outbound;
	enum identity_mode identity;
	enum identity_spf identity_spf;
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
	ACTION_TRAP,		/* refuse, and hold the client */
	ACTION_OUTGOING,	/* ours on the way out: pass, and remember whom we write to */
};

struct ruling {
	enum action action;
	bool listed;			/* of a living list, not of the file */
	bool observe;			/* judge it, but let it pass */
	bool first_only;		/* ACTION_TRAP: only on the first attempt of a triplet, else ACTION_DEFER */
	int64_t hold_s;			/* ACTION_TRAP: -1: the policy's */
	int64_t delay_s;		/* -1: the policy's */
	int64_t window_s;		/* -1: the policy's */
	int64_t keep_s;			/* -1: the policy's */
	const char *code;		/* reply code of the rule, or NULL */
	const char *text;		/* reply text of the rule, or NULL */
	const char *file;		/* where the rule stands, for the log and `why`; the list's name when listed */
	unsigned line;
};

#endif
