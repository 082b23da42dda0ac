#include <jansson.h>

#include "core/listkey.h"
#include "requestlog/entry.h"

#define TIME_MAX ((int64_t)1 << 40)	/* what a record can hold (core/record.h) */

/* --- Values -------------------------------------------------------------------------- */

static int hex_digit(char c)
{
	return ascii_digit(c) ? c - '0' : ascii_lower(c) - 'a' + 10;
}

static bool keep(struct entry *e, const char *bytes, size_t n, struct span *out)
{
	if (n > sizeof e->bytes - e->used)
		return false;
	memcpy(e->bytes + e->used, bytes, n);
	*out = span_make(e->bytes + e->used, n);
	e->used += n;
	return true;
}

static bool keep_hex(struct entry *e, const json_t *value, struct span *out)
{
	const json_t *text = json_object_get(value, "hex");
	struct span hex = span_make(json_string_value(text), json_string_length(text));
	char byte;

	if (!text || !json_is_string(text) || hex.n % 2 || hex.n / 2 > sizeof e->bytes - e->used)
		return false;
	*out = span_make(e->bytes + e->used, hex.n / 2);
	for (size_t i = 0; i < hex.n; i += 2) {
		if (!ascii_hex(hex.p[i]) || !ascii_hex(hex.p[i + 1]))
			return false;
		byte = (char)(hex_digit(hex.p[i]) << 4 | hex_digit(hex.p[i + 1]));
		e->bytes[e->used++] = byte;
	}
	return true;
}

/* True when it is absent, too; of a value over its maximum the end is kept, as in a request. */
static bool read_text(struct entry *e, const json_t *row, const char *name, size_t most, struct span *out)
{
	const json_t *value = json_object_get(row, name);

	*out = span_make(NULL, 0);
	if (!value)
		return true;
	if (json_is_object(value) ? !keep_hex(e, value, out) :
	    !json_is_string(value) || !keep(e, json_string_value(value), json_string_length(value), out))
		return false;
	if (out->n > most)
		*out = span_from(*out, out->n - most);
	return true;
}

static bool read_number(const json_t *value, int64_t most, int64_t *out)
{
	json_int_t n = json_integer_value(value);

	if (!json_is_integer(value) || n < 0 || n > most)
		return false;
	*out = n;
	return true;
}

/* The index of the word among `count` that word() gives; count when it is none of them. */
static unsigned word_index(const json_t *value, unsigned count, const char *(*word)(unsigned i))
{
	const char *text = json_string_value(value);

	for (unsigned i = 0; text && i < count; i++)
		if (word(i) && strcmp(text, word(i)) == 0)
			return i;
	return count;
}

static const char *verdict_at(unsigned i) { return verdict_word((enum verdict)i); }
static const char *reason_at(unsigned i) { return reason_word((enum reason)i); }
static const char *stage_at(unsigned i) { return stage_word((enum stage)i); }
static const char *report_at(unsigned i) { return entry_report_word((enum report)i); }
static const char *spf_at(unsigned i) { return spf_result_word((enum spf_result)i); }

/* --- The parts of a line ---------------------------------------------------------------- */

static bool read_request(struct entry *e, const json_t *row)
{
	struct request *r = &e->request;
	const json_t *stage = json_object_get(row, "stage"), *report = json_object_get(row, "report");

	for (unsigned i = 0; i < entry_attribute_count; i++)
		if (!read_text(e, row, entry_attributes[i].name, entry_attributes[i].most,
			       (struct span *)((char *)r + entry_attributes[i].offset)))
			return false;
	if (!read_text(e, row, "sender", REQUEST_ADDRESS_MAX, &r->sender) ||
	    !read_text(e, row, "recipient", REQUEST_ADDRESS_MAX, &r->recipient) ||
	    !read_text(e, row, "sasl_username", REQUEST_WORD_MAX, &r->sasl_username) ||
	    !read_text(e, row, "tls", REQUEST_WORD_MAX, &r->encryption_protocol))
		return false;
	r->stage = stage ? (enum stage)word_index(stage, STAGE_OTHER, stage_at) : STAGE_RCPT;
	unsigned told = word_index(report, REPORT_SPAM + 1, report_at);
	r->report = told <= REPORT_SPAM ? (enum report)told : REPORT_NONE;
	r->has_sender = r->sender.p != NULL;
	r->has_recipient = r->recipient.n != 0;
	if (!netaddr_parse(r->client_text, &r->client))
		r->client.family = 0;
	return r->client_text.p != NULL && (!report || r->report != REPORT_NONE);
}

static bool read_verdict(struct entry *e, const json_t *row)
{
	const json_t *would = json_object_get(row, "would"), *wait = json_object_get(row, "wait");
	unsigned verdict = word_index(json_object_get(row, "verdict"), VERDICT_COUNT, verdict_at);
	unsigned other = would ? word_index(would, VERDICT_COUNT, verdict_at) : verdict;

	/* A newer greylagd may know reasons that we do not. */
	e->reason = (enum reason)word_index(json_object_get(row, "reason"), REASON_COUNT, reason_at);
	e->verdict = (enum verdict)verdict;
	e->would = (enum verdict)other;
	return verdict < VERDICT_COUNT && other < VERDICT_COUNT && (!wait || read_number(wait, TIME_MAX, &e->wait_s));
}

static bool read_answer(struct entry *e, const json_t *row)
{
	struct entry_answer *a = &e->answers[e->answer_count];
	const json_t *kind = json_array_get(row, 0), *text = json_array_get(row, 1), *said = json_array_get(row, 2);

	if (!json_is_string(kind) || !json_is_string(text) || !said || e->answer_count == LOOKUPS_MAX ||
	    !keep(e, json_string_value(kind), json_string_length(kind), &a->kind) ||
	    !keep(e, json_string_value(text), json_string_length(text), &a->text))
		return false;
	a->open = json_is_null(said);
	a->bits = json_is_true(said) ? LOOKUP_YES : 0;
	e->answer_count++;
	return a->open || json_is_boolean(said);
}

static bool read_answers(struct entry *e, const json_t *row)
{
	const json_t *answers = json_object_get(row, "answers"), *spf = json_object_get(row, "spf");

	for (size_t i = 0; i < json_array_size(answers); i++)
		if (!read_answer(e, json_array_get(answers, i)))
			return false;
	unsigned result = word_index(spf, SPF_PERMERROR + 1, spf_at);
	e->spf_known = result <= SPF_PERMERROR;
	e->spf = e->spf_known ? (enum spf_result)result : SPF_NONE;
	e->spf_broad = json_is_true(json_object_get(row, "spf_broad"));
	return !spf || e->spf_known;
}

static bool read_record(const json_t *row, struct record *out)
{
	int64_t n[10];

	if (json_array_size(row) != sizeof n / sizeof *n)
		return false;
	for (size_t i = 0; i < sizeof n / sizeof *n; i++)
		if (!read_number(json_array_get(row, i), (int64_t)1 << 48, &n[i]))
			return false;
	*out = (struct record){ .generation = (uint32_t)n[0], .first_seen = n[1], .last_seen = n[2], .passed_at = n[3],
				.expires = n[4], .blocked = (uint64_t)n[5], .passed = (uint64_t)n[6], .held_until = n[7],
				.held_for = (uint8_t)n[8], .strikes = (uint32_t)n[9] };
	return n[0] <= UINT32_MAX && n[8] < HOLD_COUNT && n[9] <= UINT16_MAX;
}

static bool read_records(struct entry *e, const json_t *row)
{
	const json_t *records = json_object_get(row, "records");

	for (unsigned slot = 0; slot < KEY_SLOTS; slot++) {
		const json_t *record = json_object_get(records, entry_slots[slot]);
		struct fact_record *f = &e->recalled.records[slot];
		f->found = record != NULL;
		if (record && !read_record(record, &f->record))
			return false;
	}
	return true;
}

static bool read_recalled(struct entry *e, const json_t *row)
{
	static const struct { const char *word; enum action action; } lists[] = {
		{ "allow", ACTION_ALLOW }, { "block", ACTION_BLOCK }, { "trap", ACTION_TRAP } };
	const char *list = json_string_value(json_object_get(row, "list"));

	for (size_t i = 0; list && i < sizeof lists / sizeof *lists; i++)
		if (strcmp(list, lists[i].word) == 0) {
			e->recalled.listed = true;
			e->recalled.list = lists[i].action;
		}
	e->recalled.amnesty = json_is_true(json_object_get(row, "amnesty"));
	e->recalled.expected = json_is_true(json_object_get(row, "expected"));
	return read_records(e, row);
}

/* --- The line ------------------------------------------------------------------------------ */

static int read_row(struct entry *e, const json_t *row, struct buf *why)
{
	int64_t version;

	if (!json_is_object(row) || !read_number(json_object_get(row, "v"), INT32_MAX, &version))
		return buf_fail(why, "no line of a journal");
	if (version != ENTRY_VERSION)
		return buf_fail(why, "written by another version of greylagd");
	if (!read_number(json_object_get(row, "time"), TIME_MAX, &e->at) || e->at == 0)
		return buf_fail(why, "no time");
	if (!read_request(e, row))
		return buf_fail(why, "no request");
	if (!read_verdict(e, row))
		return buf_fail(why, "no verdict");
	if (!read_answers(e, row) || !read_recalled(e, row))
		return buf_fail(why, "what was found out cannot be read");
	return 0;
}

bool entry_read(struct entry *out, struct span line, struct buf *why)
{
	json_error_t error;
	json_t *row = line.n ? json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, &error) : NULL;

	memset(out, 0, offsetof(struct entry, bytes));
	if (!row)
		return buf_fail(why, line.n ? "cut short, or no JSON" : "empty") == 0;
	int status = read_row(out, row, why);
	json_decref(row);
	return status == 0;
}
