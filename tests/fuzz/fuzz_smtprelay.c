/* The relay of greylag-qmail. The input is a run of records: a byte of flags, a length,
 * so many bytes. Flags: 1 the bytes are the server's; 2 and 4 how questions are
 * answered; 8 nobody takes what is to be sent. What is not refused has to come out as
 * it went in, whatever the splits. */
#include "doors/smtprelay.h"

#define SIDE_MAX (256 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One direction: what went in, and how far it was taken and came out. */
struct side {
	struct buf in;
	size_t taken, out;
};

static struct smtprelay relay;
static struct side client, server;
static bool changed;

static void drain(struct side *s, struct buf *out, bool may_change)
{
	if (out->over)
		abort();
	if (!may_change && (s->out + out->n > s->taken || (out->n && memcmp(s->in.p + s->out, out->p, out->n) != 0)))
		abort();
	s->out += out->n;
	buf_clear(out);
}

static void answer(unsigned kind)
{
	struct answer a = { .kind = (enum answer_kind)kind, .text = "X-Greylist: delayed" };
	struct smtprelay_question q;

	if (!smtprelay_asks(&relay, &q))
		return;
	if (q.sender.n + q.recipient.n > 2 * (size_t)SMTPRELAY_LINE || q.helo.n > SMTPRELAY_LINE)
		abort();
	changed = changed || kind != ANSWER_PASS;
	smtprelay_answered(&relay, &a);
	if (smtprelay_asks(&relay, &q))
		abort();
}

static void pump(unsigned flags)
{
	size_t n = 1;

	while (n) {
		n = smtprelay_from_client(&relay, span_from(buf_span(&client.in), client.taken));
		client.taken += n;
		size_t m = smtprelay_from_server(&relay, span_from(buf_span(&server.in), server.taken));
		server.taken += m;
		n += m;
		if (client.taken > client.in.n || server.taken > server.in.n)
			abort();
		answer((flags >> 1) & 3);
		if (flags & 8)
			continue;
		drain(&client, &relay.to_server, changed);
		drain(&server, &relay.to_client, changed);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct door_options options = { .code = "451", .enhanced = "4.7.1" };
	struct span in = span_make((const char *)data, size);

	client = server = (struct side){ .in = buf_heap(SIDE_MAX) };
	changed = false;
	smtprelay_init(&relay, &options, size % 2);
	while (in.n >= 2) {
		unsigned flags = (unsigned char)in.p[0], n = (unsigned char)in.p[1];
		struct span bytes = span_head(span_from(in, 2), n);
		buf_addspan(flags & 1 ? &server.in : &client.in, bytes);
		pump(flags);
		in = span_from(in, 2 + (size_t)n);
	}
	pump(0);
	if (client.taken == client.in.n)
		smtprelay_client_ended(&relay);
	pump(0);
	/* Nothing is lost but what a refusal takes, and what waits for its turn. */
	if (!changed && server.out != server.in.n)
		abort();
	if (!changed && relay.mode == RELAY_ASIDE && client.out != client.in.n)
		abort();
	buf_free(&client.in);
	buf_free(&server.in);
	return 0;
}
