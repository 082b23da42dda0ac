#include "requestlog/entry.h"

#include <stddef.h>

#define ROW(name, field, most) { name, offsetof(struct request, field), most }
/* Sender and recipient have rows of their own in a line: they may be absent or empty. */
const struct entry_attribute entry_attributes[] = {
	ROW("client", client_text, REQUEST_WORD_MAX), ROW("name", client_name, REQUEST_NAME_MAX),
	ROW("reverse", reverse_name, REQUEST_NAME_MAX), ROW("helo", helo, REQUEST_NAME_MAX),
	ROW("instance", instance, REQUEST_WORD_MAX), ROW("queue", queue_id, REQUEST_WORD_MAX),
	ROW("sasl_method", sasl_method, REQUEST_WORD_MAX), ROW("context", policy_context, REQUEST_WORD_MAX),
	ROW("server", server_address, REQUEST_WORD_MAX), ROW("port", server_port, REQUEST_WORD_MAX),
	ROW("recipients", recipient_count, REQUEST_WORD_MAX), ROW("listener", listener, REQUEST_WORD_MAX),
	ROW("country", country, 2),
};
const unsigned entry_attribute_count = sizeof entry_attributes / sizeof *entry_attributes;

const char *const entry_slots[KEY_SLOTS] = {
	[KEY_SLOT_ALLOWED] = "allowed", [KEY_SLOT_ADDRESS] = "address", [KEY_SLOT_TRIPLET] = "triplet",
	[KEY_SLOT_PAIR] = "pair", [KEY_SLOT_ANYBODY] = "anybody", [KEY_SLOT_NETWORK] = "network",
};
_Static_assert(KEY_SLOTS == 6, "each slot has its name");

const char *entry_report_word(enum report r)
{
	switch (r) {
	case REPORT_NONE: return NULL;
	case REPORT_ACCEPTED: return "accepted";
	case REPORT_ABORTED: return "aborted";
	case REPORT_MISBEHAVED: return "misbehaved";
	case REPORT_KNOWN: return "known";
	case REPORT_HAM: return "ham";
	case REPORT_SPAM: return "spam";
	}
	return NULL;
}

/* --- Values ------------------------------------------------------------------------- */

/* Length of the UTF-8 sequence at i (RFC 3629), 0: it is none. */
static size_t utf8_at(struct span s, size_t i)
{
	const unsigned char *p = (const unsigned char *)s.p + i;
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;

	if (n == 0 || n > s.n - i)
		return 0;
	for (size_t k = 1; k < n; k++)
		if ((p[k] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
	    (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

static bool is_text(struct span s)
{
	for (size_t i = 0, n; i < s.n; i += n) {
		n = utf8_at(s, i);
		if (n == 0 || ascii_control(s.p[i]))
			return false;
	}
	return true;
}

static void add_hex(struct buf *out, struct span s)
{
	static const char digits[] = "0123456789abcdef";

	buf_adds(out, "{\"hex\":\"");
	for (size_t i = 0; i < s.n; i++) {
		buf_addc(out, digits[(unsigned char)s.p[i] >> 4]);
		buf_addc(out, digits[(unsigned char)s.p[i] & 15]);
	}
	buf_adds(out, "\"}");
}

static void add_text(struct buf *out, struct span s)
{
	if (!is_text(s)) {
		add_hex(out, s);
		return;
	}
	buf_addc(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_addc(out, '\\');
		buf_addc(out, s.p[i]);
	}
	buf_addc(out, '"');
}

static void add_name(struct buf *out, const char *name)
{
	buf_adds(out, ",\"");
	buf_adds(out, name);
	buf_adds(out, "\":");
}

static void add_field(struct buf *out, const char *name, struct span value)
{
	add_name(out, name);
	add_text(out, value);
}

static void add_number(struct buf *out, const char *name, int64_t value)
{
	add_name(out, name);
	buf_addi(out, value);
}

static void add_true(struct buf *out, const char *name, bool value)
{
	if (!value)
		return;
	add_name(out, name);
	buf_adds(out, "true");
}

/* --- The request -------------------------------------------------------------------- */

static void add_address(struct buf *out, const char *name, const struct privacy *privacy, struct span address,
			struct span recipient, bool sender)
{
	char text[REQUEST_ADDRESS_MAX + 100];
	struct buf hidden = BUF_ON(text);

	privacy_address(privacy, &hidden, address, recipient, sender);
	add_field(out, name, buf_span(&hidden));
}

static void add_request(struct buf *out, const struct request *r, const struct privacy *privacy)
{
	char text[REQUEST_WORD_MAX + 1];
	struct buf user = BUF_ON(text);

	for (unsigned i = 0; i < entry_attribute_count; i++) {
		const struct span *field = (const struct span *)((const char *)r + entry_attributes[i].offset);
		if (field->n)
			add_field(out, entry_attributes[i].name, *field);
	}
	/* At DATA the engine may have put in the recipient of an earlier stage. */
	if (r->has_sender)
		add_address(out, "sender", privacy, r->sender, r->recipient, true);
	if (r->has_recipient)
		add_address(out, "recipient", privacy, r->recipient, r->recipient, false);
	if (r->sasl_username.n) {
		privacy_word(privacy, &user, r->sasl_username);
		add_field(out, "sasl_username", buf_span(&user));
	}
	if (r->encryption_protocol.p)
		add_field(out, "tls", r->encryption_protocol);
	if (r->stage != STAGE_RCPT)
		add_field(out, "stage", span_of(stage_word(r->stage)));
	if (r->report != REPORT_NONE)
		add_field(out, "report", span_of(entry_report_word(r->report)));
}

/* --- What was found out ---------------------------------------------------------------- */

static void add_answer(struct buf *out, const struct lookup *l, const struct lookup_answers *a, bool *first)
{
	buf_adds(out, *first ? ",\"answers\":[[" : ",[");
	*first = false;
	add_text(out, span_of(lookup_kind_word(l->kind)));
	buf_addc(out, ',');
	add_text(out, span_of(l->text));
	buf_addc(out, ',');
	if (a->open & (uint64_t)1 << l->index)
		buf_adds(out, "null");
	else
		buf_adds(out, a->bits[l->index] & LOOKUP_YES ? "true" : "false");
	buf_addc(out, ']');
}

/* Rates are counted anew by a replay. */
static void add_answers(struct buf *out, const struct inquiry *q)
{
	const struct ruleset *rules = inquiry_config(q)->rules;
	const struct lookup_answers *a = &q->found.answers;
	const struct lookup *l;
	bool first = true;

	for (unsigned i = 0; rules && a->known && (l = ruleset_lookup(rules, i)) != NULL; i++)
		if (a->known & (uint64_t)1 << i && l->kind != LOOKUP_RATE && l->kind != LOOKUP_SPF)
			add_answer(out, l, a, &first);
	if (!first)
		buf_addc(out, ']');
	if (!q->found.spf_known)
		return;
	add_field(out, "spf", span_of(spf_result_word(q->found.spf)));
	add_true(out, "spf_broad", q->found.spf_broad);
}

static void add_record(struct buf *out, const char *name, const struct record *r)
{
	const uint64_t numbers[] = { r->generation, (uint64_t)r->first_seen, (uint64_t)r->last_seen, (uint64_t)r->passed_at,
				     (uint64_t)r->expires, r->blocked, r->passed, (uint64_t)r->held_until, r->held_for, r->strikes };

	buf_addc(out, '"');
	buf_adds(out, name);
	buf_adds(out, "\":");
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		buf_addc(out, i ? ',' : '[');
		buf_addu(out, numbers[i]);
	}
	buf_addc(out, ']');
}

static void add_records(struct buf *out, const struct facts *f)
{
	bool first = true;

	for (enum key_slot slot = 0; slot < KEY_SLOTS; slot++) {
		if (!(f->have & fact_stored(slot)) || !f->records[slot].found)
			continue;
		buf_adds(out, first ? ",\"records\":{" : ",");
		first = false;
		add_record(out, entry_slots[slot], &f->records[slot].record);
	}
	if (!first)
		buf_addc(out, '}');
}

static void add_verdict(struct buf *out, const struct decision *d)
{
	add_field(out, "verdict", span_of(verdict_word(d->verdict)));
	if (d->would != d->verdict)
		add_field(out, "would", span_of(verdict_word(d->would)));
	add_field(out, "reason", span_of(reason_word(d->reason)));
	if (d->would == VERDICT_DEFER)
		add_number(out, "wait", d->wait_s);
	if (d->ruled && d->ruling.listed)
		add_field(out, "list", span_of(d->ruling.file));
	else if (d->ruled)
		add_number(out, "rule", d->ruling.line);
}

void entry_add(struct buf *out, const struct inquiry *q, const struct privacy *privacy)
{
	const struct fact_around *around = &q->facts.around;
	bool looked = q->facts.have & FACT_AROUND;

	buf_addf(out, "{\"v\":%d", ENTRY_VERSION);
	add_number(out, "time", q->now);
	add_verdict(out, &q->decision);
	add_request(out, &q->request, privacy);
	add_true(out, "amnesty", looked && around->amnesty);
	add_true(out, "expected", looked && around->expected);
	add_answers(out, q);
	add_records(out, &q->facts);
	buf_adds(out, "}\n");
}
