/* One question from a door. The spans borrow from the bytes the request was
 * read from and stay valid until its answer has been given. */
#ifndef GREYLAG_CORE_REQUEST_H
#define GREYLAG_CORE_REQUEST_H

#include "base/netaddr.h"

#define REQUEST_ADDRESS_MAX 1024	/* VERP and SRS exceed RFC 5321's 256 */
#define REQUEST_NAME_MAX 255		/* host names and HELO, RFC 1035 section 2.3.4 */
#define REQUEST_WORD_MAX 255		/* instance, queue id, login and the like */

/* protocol_state of the policy protocol (SMTPD_POLICY_README). */
enum stage {
	STAGE_RCPT,
	STAGE_DATA,
	STAGE_END_OF_MESSAGE,
	STAGE_CONNECT,
	STAGE_HELO,		/* HELO or EHLO */
	STAGE_MAIL,
	STAGE_OTHER,		/* VRFY, ETRN, or a word we do not know */
};

/* greylag_report: what a door has to tell instead of a question. */
enum report {
	REPORT_NONE,
	REPORT_ACCEPTED,	/* the transaction's mail reached its end and was kept */
	REPORT_ABORTED,		/* it did not */
	REPORT_MISBEHAVED,	/* the client talks before the greeting, hangs up in it, ... */
	REPORT_KNOWN,		/* an earlier log says that the client's mail was accepted */
	REPORT_HAM,		/* somebody says that the client sent good mail */
	REPORT_SPAM,		/* somebody says that the client sent spam */
};

struct request {
	enum stage stage;	/* STAGE_RCPT when the attribute is missing */
	enum report report;
	struct netaddr client;	/* family 0: missing or unusable, client_text has what came */
	struct span client_text;
	struct span client_name;	/* forward-confirmed; empty when there is none ("unknown") */
	struct span reverse_name;	/* PTR, not confirmed; empty when unknown */
	struct span helo;
	struct span sender;	/* as sent, without <>; empty is the null sender */
	struct span recipient;
	struct span instance;	/* transaction id; empty when the door has none */
	struct span queue_id;
	struct span sasl_username;	/* this or sasl_method not empty: authenticated */
	struct span sasl_method;
	struct span policy_context;
	struct span server_address;
	struct span server_port;
	struct span encryption_protocol;	/* "TLSv1.3"; empty without TLS, p NULL when the door does not say */
	struct span listener;		/* where it was asked: a path, or address:port */
	struct span recipient_count;	/* as text; Postfix says 0 before DATA */
	bool has_sender;
	bool has_recipient;
	bool has_etrn_domain;	/* Postfix 2.3 and later: understands "4.2.0 text" */
	bool once;		/* greylag_once=1: close after the answer */

	/* Filled in by the engine before rules and decision see the request: */
	struct span country;		/* two letters; empty when unknown or not looked up */
	struct span client_org;	/* registrable domain of client_name, lower case; empty when none */
	bool client_dynamic;	/* client_name looks like a dial-up or pool address */
	/* The local time, only when a rule looks at it: */
	bool has_minute, has_weekday;
	uint16_t local_minute;	/* since midnight */
	uint8_t local_weekday;	/* from Monday, which is 0 */
};

/* "RCPT", "DATA", ... for the log. */
const char *stage_word(enum stage s);

static inline bool request_null_sender(const struct request *r)
{
	return r->sender.n == 0;
}

/* A host name as a request has it: empty for "unknown", which Postfix says where it
 * has none. */
struct span request_name(struct span name);

/* The part after the last '@'; empty when there is none. */
struct span address_domain(struct span address);
/* The part before the last '@', or all. */
struct span address_local(struct span address);

#endif
