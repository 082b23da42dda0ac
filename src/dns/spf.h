/* Sender Policy Framework (RFC 7208): may this client send for this domain? A state
 * machine without I/O: it names what it wants to know of the DNS, and takes the answer.
 *
 *	spf_begin(&s, ...);
 *	while (spf_next(&s) == SPF_ASKS)
 *		spf_take(&s, <answer to s.ask_type, s.ask_name>);
 *
 * Allocates nothing; asks at most SPF_ASKS_MAX questions. Some 30 KB, which point into
 * themselves: it must not be moved between spf_begin and SPF_DONE.
 *
 * A pass says that the domain's owner vouches for the client, not that either is any good: half
 * of all phishing passes. It is an identity, never a reason to pass.
 *
 * Explanations (exp) are not fetched. A limit on time is the caller's (section 4.6.4 asks for one). */
#ifndef GREYLAG_DNS_SPF_H
#define GREYLAG_DNS_SPF_H

#include "dns/answer.h"
#include "dns/spfrecord.h"

#define SPF_TERMS_MAX 10	/* that ask the DNS (section 4.6.4) */
#define SPF_VOIDS_MAX 2		/* of these, that find nothing */
#define SPF_NAMES_MAX 10	/* hosts looked at, of an mx and of the client */
#define SPF_SENDER_MAX 1024
#define SPF_TEXT_MAX 16384	/* of the records of nested includes that are open at once */
/* Records, then each term an mx with all its hosts, then the client's names. */
#define SPF_ASKS_MAX ((1 + SPF_TERMS_MAX) + SPF_TERMS_MAX * (1 + SPF_NAMES_MAX) + (1 + SPF_NAMES_MAX))

enum spf_step { SPF_ASKS, SPF_DONE };

/* What was asked for. */
enum spf_want {
	SPF_WANT_NOTHING,
	SPF_WANT_RECORD,	/* TXT of a frame's domain */
	SPF_WANT_ADDRESS,	/* a: the target's addresses */
	SPF_WANT_EXISTS,
	SPF_WANT_MX,
	SPF_WANT_MX_ADDRESS,
	SPF_WANT_NAMES,		/* the client's names (PTR), for ptr and %{p} */
	SPF_WANT_NAME_ADDRESS,	/* whether a name of the client leads back to it */
};

/* A record that is being read; an include stacks one on another. */
struct spf_frame {
	char domain[DNS_NAME_MAX + 1];
	size_t text;			/* where its record starts in struct spf's text */
	struct span terms;		/* those still to be read */
	struct spf_term term;		/* the one at work */
	struct spf_term redirect;
	bool redirected;		/* it stands for another record */
};

struct spf_names {
	unsigned count, at;
	char name[SPF_NAMES_MAX][DNS_NAME_MAX + 1];
};

struct spf {
	/* SPF_ASKS */
	enum dns_type ask_type;
	char ask_name[DNS_NAME_MAX + 1];

	/* SPF_DONE */
	enum spf_result result;
	bool broad;			/* SPF_PASS by all, exists or a large network: no identity */
	const char *why;		/* SPF_NONE, SPF_TEMPERROR, SPF_PERMERROR: in a few words; else "" */
	/* The directive that decided or was at work, behind the includes that led to it, with blanks
	 * between; empty without one. Others' words, printable ASCII. */
	char mechanism[256];
	char domain[DNS_NAME_MAX + 1];	/* that was checked, lower case; empty when it is no name */

	/* Its own */
	bool done;
	enum spf_want want;
	struct netaddr client;
	char sender_text[SPF_SENDER_MAX + 16];	/* or postmaster@ and a domain */
	struct span sender, local, sender_domain;
	char helo[DNS_NAME_MAX + 1];
	unsigned terms, voids, depth;
	struct spf_frame frames[1 + SPF_TERMS_MAX];
	char target[DNS_NAME_MAX + 1];	/* of the term at work, expanded */
	bool host_void;			/* an mx had a host without address */
	struct spf_names hosts;		/* of the mx at work */
	bool names_known;
	unsigned names_good;		/* bit set: those that lead back to the client */
	struct spf_names names;		/* the client's */
	char text[SPF_TEXT_MAX];
};

/* sender: "" or "<>" for the null sender, which is postmaster@helo (section 2.4). An
 * IPv4-mapped client is an IPv4 one. Nothing is kept of the arguments. */
void spf_begin(struct spf *s, const struct netaddr *client, struct span sender, struct span helo);
/* SPF_ASKS until the question was answered by spf_take. */
enum spf_step spf_next(struct spf *s);
/* The answer to what was asked; ignored when nothing was. */
void spf_take(struct spf *s, const struct dns_answer *a);

/* "none", "neutral", "pass", "fail", "softfail", "temperror", "permerror". */
const char *spf_result_word(enum spf_result result);

#endif
