/* A line that smtpd(8) of OpenSMTPD sends to a filter, smtpd-filters(7), protocol
 * 0.5 to 0.7. Pure and total: any bytes give a line of some kind. */
#ifndef GREYLAG_DOORS_OSMTPDPROTO_H
#define GREYLAG_DOORS_OSMTPDPROTO_H

#include "base/span.h"

/* SMTP lines have up to 64 KiB, to which data-line adds its own fields. */
#define OSMTPD_LINE_MAX ((size_t)96 * 1024)
/* Session, message and token have 8 to 16 hexadecimal digits. */
#define OSMTPD_ID_MAX 32

enum osmtpd_kind {
	OSMTPD_OTHER,			/* nothing for us */
	OSMTPD_READY,			/* the configuration is told: register now */
	OSMTPD_CONNECT,			/* name, confirmed, client, server */
	OSMTPD_IDENTIFY,		/* value: the argument of HELO */
	OSMTPD_TLS,			/* value: the protocol's version */
	OSMTPD_AUTH,			/* value: the user; ok */
	OSMTPD_BEGIN,			/* message */
	OSMTPD_MAIL,			/* message, ok, value: the sender */
	OSMTPD_END,			/* reset, rolled back or committed; message */
	OSMTPD_DISCONNECT,
	OSMTPD_ASK_RCPT,		/* token, value: the recipient */
	OSMTPD_ASK_DATA,		/* token */
	OSMTPD_ASK_LINE,		/* token, value: a line of the message */
	OSMTPD_ASK_OTHER,		/* token: a phase that we never asked for */
};

/* Spans point into the line; those that the kind does not have are empty. */
struct osmtpd_line {
	enum osmtpd_kind kind;
	unsigned minor;			/* of the protocol version, 0.minor */
	struct span session, token, message;
	struct span value;
	struct span name;		/* of the client, empty when it has none */
	bool confirmed;			/* the name leads back to the address */
	struct span client, server;	/* addresses, without brackets or port */
	struct span server_port;
	bool ok;
};

/* line is without its line feed. */
void osmtpd_parse(struct span line, struct osmtpd_line *out);

#endif
