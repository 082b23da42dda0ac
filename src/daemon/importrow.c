#include "daemon/importrow.h"

#include "core/decide.h"
#include "core/listkey.h"
#include "names/names.h"

static bool refuse(struct importrow *r, const char *why)
{
	r->why = why;
	return false;
}

static struct span text_of(const json_t *row, const char *name)
{
	const json_t *text = json_object_get(row, name);

	return span_make(json_is_string(text) ? json_string_value(text) : "", json_string_length(text));
}

/* Numbers that are missing, or none, are 0. */
static int64_t number(const json_t *row, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(row, name));

	return n > 0 ? (int64_t)n : 0;
}

static int64_t time_of(const json_t *row, const char *name)
{
	int64_t t = number(row, name);

	return t < LIST_NEVER ? t : LIST_NEVER;
}

static int64_t past(int64_t t, int64_t now)
{
	return t < now ? t : now;
}

static void read_record(struct record *r, const json_t *row)
{
	*r = (struct record){
		.generation = (uint32_t)(number(row, "generation") & UINT32_MAX),
		.first_seen = time_of(row, "first_seen"), .last_seen = time_of(row, "last_seen"),
		.passed_at = time_of(row, "passed_at"), .expires = time_of(row, "expires"),
		.blocked = (uint64_t)number(row, "blocked"), .passed = (uint64_t)number(row, "passed"),
		.held_until = time_of(row, "held_until"),
		.held_for = (uint8_t)(number(row, "held_for") < HOLD_COUNT ? number(row, "held_for") : HOLD_NONE),
		.strikes = (uint32_t)(number(row, "strikes") & UINT16_MAX),
	};
}

/* --- Our own keys --------------------------------------------------------------------------- */

static int nibble(char c)
{
	return ascii_digit(c) ? c - '0' : ascii_hex(c) ? ascii_lower(c) - 'a' + 10 : -1;
}

void importrow_add_key(struct buf *out, struct span key)
{
	for (size_t i = 0; i < key.n; i++) {
		if ((unsigned char)key.p[i] < 0x80)
			buf_addc(out, key.p[i]);
		else
			buf_addf(out, "%%%02X", (unsigned)(unsigned char)key.p[i]);
	}
}

static void undo(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		int high = text.p[i] == '%' && i + 2 < text.n ? nibble(text.p[i + 1]) : -1;
		int low = high >= 8 ? nibble(text.p[i + 2]) : -1;
		if (low < 0) {
			buf_addc(out, text.p[i]);
			continue;
		}
		buf_addc(out, (char)(high << 4 | low));
		i += 2;
	}
}

static bool has_control(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (ascii_control(s.p[i]))
			return true;
	return false;
}

static bool read_own(struct importrow *r, const json_t *row)
{
	struct buf b = buf_on(r->key.text, sizeof r->key.text);
	struct listkey_parts entry;
	struct key_parts parts;

	undo(&b, text_of(row, "key"));
	r->key.n = b.over ? 0 : b.n;
	struct span key = key_span(&r->key);
	r->entry = listkey_split(key, &entry);
	if (has_control(key) || (!r->entry && !key_split(key, &parts)))
		return refuse(r, "not a key of greylag's");
	r->own = true;
	return true;
}

/* --- Others' ---------------------------------------------------------------------------------- */

/* An organisation is not known by an address; its mail finds the network's record
 * (KEY_SLOT_NETWORK). */
static bool read_client(struct importrow *r, const struct netprefix *p, const struct policy *policy, struct identity *out)
{
	struct request request = { .client = p->addr };
	bool single = p->bits == netaddr_width(&p->addr);
	unsigned bits = p->addr.family == 4 ? policy->ipv4_bits : policy->ipv6_bits;

	if (r->trust || policy->identity == IDENTITY_ADDRESS)
		bits = netaddr_width(&p->addr);
	if (p->bits < bits)
		return refuse(r, "a network that is wider than clients are told apart here");
	if (r->trust && single)
		identity_address(&request, out);
	else
		identity_network(policy, &request, out);
	return true;
}

static bool triplet_key(struct importrow *r, const json_t *row, struct span identity)
{
	char from[REQUEST_ADDRESS_MAX + 1], to[REQUEST_ADDRESS_MAX + 1];
	struct buf sender = BUF_ON(from), recipient = BUF_ON(to);
	struct request request = { .sender = text_of(row, "sender"), .recipient = text_of(row, "recipient") };

	if (request.recipient.n == 0 || request.recipient.n > REQUEST_ADDRESS_MAX || request.sender.n > REQUEST_ADDRESS_MAX)
		return refuse(r, "no recipient, or an address that is too long");
	if (names_ascii(&sender, request.sender) && !sender.over)
		request.sender = buf_span(&sender);
	if (names_ascii(&recipient, request.recipient) && !recipient.over)
		request.recipient = buf_span(&recipient);
	return decision_triplet(&r->key, &request, identity) || refuse(r, "addresses that are too long");
}

static void complete(struct record *r, bool waiting, const struct policy *policy, int64_t now)
{
	if (r->last_seen == 0)
		r->last_seen = r->passed_at ? r->passed_at : r->first_seen;
	if (r->first_seen == 0)
		r->first_seen = r->passed_at ? r->passed_at : r->last_seen;
	r->first_seen = past(r->first_seen, now);
	r->last_seen = past(r->last_seen, now);
	r->generation = 0;
	r->held_until = 0;
	r->held_for = 0;
	r->strikes = 0;
	if (waiting)
		r->passed_at = 0;
	else
		r->passed_at = past(r->passed_at ? r->passed_at : r->last_seen, now);
	if (r->expires == 0)
		r->expires = waiting ? r->first_seen + policy->greylist.window_s : r->last_seen + policy->greylist.keep_s;
}

bool importrow_read(struct importrow *r, const json_t *row, const struct policy *policy, int64_t now)
{
	struct span what = text_of(row, "what");
	bool waiting = span_eq(what, span_of("waiting"));
	struct identity identity;
	struct netprefix client;

	*r = (struct importrow){ .trust = span_eq(what, span_of("trusted")) };
	read_record(&r->record, row);
	if (span_eq(what, span_of("record")))
		return read_own(r, row);
	if (!waiting && !r->trust && !span_eq(what, span_of("passed")))
		return refuse(r, "\"what\" must be passed, waiting, trusted or record");
	if (!netprefix_parse(text_of(row, "client"), &client))
		return refuse(r, "\"client\" must be an address or a network");
	if (!read_client(r, &client, policy, &identity))
		return false;
	complete(&r->record, waiting, policy, now);
	if (r->record.first_seen == 0)
		return refuse(r, "no time");
	if (!r->trust)
		return triplet_key(r, row, identity_span(&identity));
	return key_allowed(&r->key, identity_span(&identity));
}
