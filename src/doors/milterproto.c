#include "doors/milterproto.h"

#define LENGTH_BYTES 4
#define VERSION_LEAST 2
#define VERSION_MOST 6

/* SMFIM_: the stages whose macros we choose. A list replaces the MTA's default, so
 * each names all that we want. Sendmail has {if_addr}, Postfix {daemon_addr}. */
static const struct {
	uint32_t stage;
	const char *macros;
} wanted[] = {
	{ 0, "j _ {daemon_name} {if_addr} {daemon_addr} {daemon_port} {client_name} {client_ptr} {client_resolve} {greylist}" },
	{ 1, "{tls_version} {verify} {cert_subject}" },
	{ 2, "i {auth_type} {auth_authen} {mail_mailer} {mail_host} {mail_addr} {tls_version} {verify} {cert_subject} {greylist}" },
	{ 3, "i {rcpt_mailer} {rcpt_host} {rcpt_addr} {greylist}" },
	{ 4, "i" },
	{ 5, "i" },
};

static uint32_t number(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static void add_number(struct buf *out, size_t n)
{
	char bytes[LENGTH_BYTES] = { (char)(n >> 24 & 0xff), (char)(n >> 16 & 0xff), (char)(n >> 8 & 0xff), (char)(n & 0xff) };

	buf_add(out, bytes, sizeof bytes);
}

long milter_packet(struct span in, struct milter_packet *out)
{
	if (in.n < LENGTH_BYTES)
		return 0;
	size_t length = number(in.p);
	if (length == 0 || length > MILTER_PACKET_MAX)
		return -1;
	if (in.n - LENGTH_BYTES < length)
		return 0;
	out->command = (unsigned char)in.p[LENGTH_BYTES];
	out->data = span_make(in.p + LENGTH_BYTES + 1, length - 1);
	return (long)(LENGTH_BYTES + length);
}

bool milter_offer(struct span data, struct milter_options *out)
{
	if (data.n < 12)
		return false;
	*out = (struct milter_options){ number(data.p), number(data.p + 4), number(data.p + 8) };
	return out->version >= VERSION_LEAST;
}

void milter_choose(const struct milter_options *offer, struct milter_options *out)
{
	static const uint32_t without = MILTER_NO_BODY | MILTER_NO_HEADERS | MILTER_NO_END_OF_HEADERS | MILTER_NO_UNKNOWN |
					MILTER_NO_REPLY_CONNECT | MILTER_NO_REPLY_HELO | MILTER_NO_REPLY_MAIL;

	out->version = offer->version < VERSION_MOST ? offer->version : VERSION_MOST;
	out->actions = offer->actions & (MILTER_ADDS_HEADERS | MILTER_SETS_MACROS);
	out->steps = offer->steps & without;
}

bool milter_string(struct span *data, struct span *out)
{
	if (data->n == 0)
		return false;
	size_t end = span_find(*data, '\0');
	*out = span_head(*data, end);
	*data = span_from(*data, end < data->n ? end + 1 : end);
	return true;
}

bool milter_connect(struct span data, struct milter_connect *out)
{
	*out = (struct milter_connect){ .family = 'U' };
	if (!milter_string(&data, &out->host) || data.n == 0)
		return false;
	out->family = data.p[0];
	if (data.n < 3)
		return true;
	data = span_from(data, 3);	/* family and port */
	out->address = span_make("", 0);
	milter_string(&data, &out->address);
	return true;
}

/* Starts a packet; its length is known only at its end. */
static size_t begin(struct buf *out, char command)
{
	size_t at = out->n;

	add_number(out, 0);
	buf_addc(out, command);
	return at;
}

static void end(struct buf *out, size_t at)
{
	size_t length = out->n - at - LENGTH_BYTES;

	if (out->over)
		return;
	for (unsigned i = 0; i < LENGTH_BYTES; i++)
		out->p[at + i] = (char)(length >> (24 - 8 * i) & 0xff);
}

void milter_add_choice(struct buf *out, const struct milter_options *choice)
{
	size_t at = begin(out, MILTER_NEGOTIATE);

	add_number(out, choice->version);
	add_number(out, choice->actions);
	add_number(out, choice->steps);
	for (size_t i = 0; choice->actions & MILTER_SETS_MACROS && i < sizeof wanted / sizeof *wanted; i++) {
		add_number(out, wanted[i].stage);
		buf_add(out, wanted[i].macros, strlen(wanted[i].macros) + 1);
	}
	end(out, at);
}

void milter_add(struct buf *out, enum milter_reply reply)
{
	end(out, begin(out, (char)reply));
}

void milter_add_reply(struct buf *out, struct span line)
{
	size_t at = begin(out, MILTER_REPLYCODE);

	for (size_t i = 0; i < line.n; i++) {
		buf_addc(out, line.p[i]);
		if (line.p[i] == '%')
			buf_addc(out, '%');
	}
	buf_addc(out, '\0');
	end(out, at);
}

void milter_add_header(struct buf *out, const struct milter_options *choice, struct span name, struct span value)
{
	bool insert = choice->version > 2;
	size_t at = begin(out, insert ? MILTER_INSERT_HEADER : MILTER_ADD_HEADER);

	if (insert)
		add_number(out, 0);
	buf_addspan(out, name);
	buf_addc(out, '\0');
	buf_addspan(out, value);
	buf_addc(out, '\0');
	end(out, at);
}
