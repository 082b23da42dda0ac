/* The milter protocol, versions 2 to 6, as bytes: what a greylister needs of it.
 * There is no RFC; the reference is what Sendmail 8.17 and Postfix 3.7 send
 * (mfdef.h of libmilter names the constants). Pure, total on any input. */
#ifndef GREYLAG_DOORS_MILTERPROTO_H
#define GREYLAG_DOORS_MILTERPROTO_H

#include "base/buf.h"

/* Longest packet that is taken, its length field not counted. A body chunk has at
 * most 65,535 bytes; macros and recipients are far below. */
#define MILTER_PACKET_MAX ((size_t)256 * 1024)

enum milter_command {
	MILTER_NEGOTIATE = 'O', MILTER_MACROS = 'D', MILTER_CONNECT = 'C', MILTER_HELO = 'H', MILTER_MAIL = 'M',
	MILTER_RCPT = 'R', MILTER_DATA = 'T', MILTER_HEADER = 'L', MILTER_END_OF_HEADERS = 'N', MILTER_BODY = 'B',
	MILTER_END_OF_MESSAGE = 'E', MILTER_ABORT = 'A', MILTER_QUIT = 'Q', MILTER_QUIT_NEW = 'K', MILTER_UNKNOWN = 'U',
};

enum milter_reply {
	MILTER_CONTINUE = 'c', MILTER_ACCEPT = 'a', MILTER_TEMPFAIL = 't', MILTER_REJECT = 'r', MILTER_REPLYCODE = 'y',
	MILTER_ADD_HEADER = 'h', MILTER_INSERT_HEADER = 'i', MILTER_SKIP = 's',
};

/* What this milter does (SMFIF_), and steps it can do without (SMFIP_). */
enum {
	MILTER_ADDS_HEADERS = 0x1,
	MILTER_SETS_MACROS = 0x100,
	MILTER_NO_BODY = 0x10, MILTER_NO_HEADERS = 0x20, MILTER_NO_END_OF_HEADERS = 0x40,
	MILTER_NO_UNKNOWN = 0x100, MILTER_NO_DATA = 0x200,
	MILTER_NO_REPLY_CONNECT = 0x1000, MILTER_NO_REPLY_HELO = 0x2000, MILTER_NO_REPLY_MAIL = 0x4000,
};

struct milter_packet {
	unsigned char command;
	struct span data;
};

/* Takes the packet at the head of `in`: its length, length field included, 0 when it
 * is not all there yet, -1 when it is empty or longer than MILTER_PACKET_MAX. */
long milter_packet(struct span in, struct milter_packet *out);

struct milter_options {
	uint32_t version, actions, steps;
};

/* Reads the MTA's offer; false when it is too short or of a version below 2. */
bool milter_offer(struct span data, struct milter_options *out);
/* What we take of an offer: never more than is offered. */
void milter_choose(const struct milter_options *offer, struct milter_options *out);

/* The next part of a packet's data, up to its NUL; what has no NUL at its end is taken
 * as it is. False at the end. */
bool milter_string(struct span *data, struct span *out);

/* Data of MILTER_CONNECT. family is '4', '6', 'L' (UNIX) or 'U' (unknown). */
struct milter_connect {
	struct span host, address;
	char family;
};
bool milter_connect(struct span data, struct milter_connect *out);

/* Appending replies. */
void milter_add_choice(struct buf *out, const struct milter_options *choice);
void milter_add(struct buf *out, enum milter_reply reply);
/* A line such as "451 4.7.1 text". '%' is doubled, as MTAs expect. */
void milter_add_reply(struct buf *out, struct span line);
/* A header field, at the top when the MTA can (version 3 and later). */
void milter_add_header(struct buf *out, const struct milter_options *choice, struct span name, struct span value);

#endif
