/* An SMTP session that passes through: bytes of the client's and of the server's in,
 * bytes for each out, questions to greylagd in between. Knows no sockets. All that is
 * passed is passed as it came; what is not is a RCPT, DATA or BDAT that is refused, and
 * the header of a retry that was in time. One command is with the server at a time:
 * pipelined ones wait here, so that a refusal stands in its right place and a RCPT is
 * asked about only when the commands before it have their replies. */
#ifndef GREYLAG_DOORS_SMTPRELAY_H
#define GREYLAG_DOORS_SMTPRELAY_H

#include "client/answer.h"
#include "doors/options.h"

#define SMTPRELAY_LINE 4096	/* of a command; what is longer is judged by its head */
#define SMTPRELAY_OUT 16384	/* what waits for one side at most */

enum smtprelay_mode {
	RELAY_LINE,		/* the client's next command */
	RELAY_QUESTION,		/* the command in `line` waits for greylagd's answer */
	RELAY_TAIL,		/* the rest of a long line */
	RELAY_CHUNK,		/* the octets after BDAT (RFC 3030) */
	RELAY_REPLY,		/* the server's turn */
	RELAY_CONTENT,		/* after 354, up to its CR LF "." CR LF */
	RELAY_ASIDE,		/* passes everything, to the end of the session */
};

enum smtprelay_verb {
	VERB_GREETING, VERB_HELO, VERB_MAIL, VERB_RCPT, VERB_DATA, VERB_CONTENT, VERB_BDAT, VERB_RSET,
	VERB_STARTTLS, VERB_AUTH, VERB_OTHER,
};

struct smtprelay_question {
	const char *stage;		/* "RCPT" or "DATA" */
	struct span helo, sender, recipient;
	unsigned transaction;		/* counts MAILs */
};

struct smtprelay {
	struct buf to_server, to_client;	/* for the caller to send, then buf_drop */
	/* The rest is smtprelay.c's own. */
	const struct door_options *options;
	bool add_header;
	enum smtprelay_mode mode;
	enum smtprelay_verb verb;	/* of the command in `line` */
	struct span argument;		/* its, in `line` */
	uint64_t chunk;			/* octets of RELAY_CHUNK that are to come */
	unsigned transaction, recipients;
	bool long_line;			/* `line` is only the head of it */
	bool drop;			/* TAIL or CHUNK of a command that was refused */
	bool opaque;			/* the next line is part of an AUTH dialogue */
	bool aside_next;		/* steps aside after what is dropped */
	bool in_mail, judged, chunking;
	unsigned reply_n;		/* bytes of the server's line so far, up to what reply holds */
	unsigned char content;		/* where in the content; smtprelay.c */
	bool after_crlf, lone_dot;
	struct buf line, helo, sender, header, header_next;
	char reply[16];
	char line_bytes[SMTPRELAY_LINE + 1], helo_bytes[512], sender_bytes[SMTPRELAY_LINE + 1];
	char header_bytes[512], header_next_bytes[512];
	char server_bytes[SMTPRELAY_OUT + 1], client_bytes[SMTPRELAY_OUT + 1];
};

/* add_header: put the header of a good retry at the top of the message. It holds
 * pointers to itself: not to be copied. */
void smtprelay_init(struct smtprelay *r, const struct door_options *options, bool add_header);
/* How much of `in` was taken: less than all when something has to happen first. */
size_t smtprelay_from_client(struct smtprelay *r, struct span in);
size_t smtprelay_from_server(struct smtprelay *r, struct span in);
/* The client has ended and all it sent was taken: a command without its end is passed. */
void smtprelay_client_ended(struct smtprelay *r);
/* The server has accepted STARTTLS. */
bool smtprelay_in_tls(const struct smtprelay *r);
/* True when there is a question; its spans are valid until it is answered. */
bool smtprelay_asks(const struct smtprelay *r, struct smtprelay_question *q);
/* Only after smtprelay_asks. */
void smtprelay_answered(struct smtprelay *r, const struct answer *a);

#endif
