/* why: what would be decided now, and on what evidence; changes nothing. */
#include "daemon/control_command.h"
#include "daemon/policyproto.h"
#include "daemon/reply.h"

struct why {
	struct control_conn *conn;
	struct inquiry *inquiry;
	json_t *arguments;		/* the request's texts borrow from it */
};

static json_t *evidence_of(const char *what, struct span key, const struct fact_record *f, int64_t now)
{
	const struct record *r = &f->record;

	if (key.n == 0)
		return json_null();
	if (!f->found)
		return json_pack("{s:s, s:o, s:b}", "what", what, "key", control_string(key), "found", 0);
	return json_pack("{s:s, s:o, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I}", "what", what,
		"key", control_string(key), "found", 1, "expired", record_expired(r, now),
		"first_seen", control_time(r->first_seen), "last_seen", control_time(r->last_seen),
		"passed_at", control_time(r->passed_at), "expires", control_time(r->expires),
		"held_until", control_time(r->held_until), "strikes", (json_int_t)r->strikes,
		"blocked", (json_int_t)r->blocked, "passed", (json_int_t)r->passed);
}

static json_t *evidence(const struct inquiry *q)
{
	static const char *const slots[KEY_SLOTS] = { "identity", "address", "triplet", "correspondent", "expected", "network" };
	const struct decision *d = &q->decision;
	json_t *rows = json_array();

	if (!d->subject)
		return rows;
	for (enum key_slot slot = 0; slot < KEY_SLOTS; slot++)
		json_array_append_new(rows, evidence_of(slots[slot], decision_key(d, slot), &q->facts.records[slot], q->now));
	return rows;
}

static const char *answer_text(const struct lookup *l, const struct lookups_found *found)
{
	uint64_t bit = (uint64_t)1 << l->index;

	if (!(found->answers.known & bit) || found->answers.open & bit)
		return "no answer";
	if (l->kind == LOOKUP_SPF)
		return spf_result_word(found->spf);
	bool yes = found->answers.bits[l->index] & LOOKUP_YES;
	return l->kind == LOOKUP_RATE ? (yes ? "exceeded" : "not exceeded") : yes ? "listed" : "not listed";
}

/* What the rules asked; not what they did not have to ask. */
static json_t *lookups(const struct inquiry *q)
{
	const struct ruleset *rules = inquiry_config(q)->rules;
	const struct lookup *l;
	json_t *rows = json_array();

	for (unsigned i = 0; rules && (l = ruleset_lookup(rules, i)) != NULL; i++)
		if (q->found.answers.final || q->found.answers.known & (uint64_t)1 << i)
			json_array_append_new(rows, json_pack("{s:s, s:s, s:s}", "kind", lookup_kind_word(l->kind),
				"what", l->text, "answer", answer_text(l, &q->found)));
	return rows;
}

static json_t *answer_of(const struct inquiry *q, const char *hostname)
{
	const struct decision *d = &q->decision;
	char text[REPLY_MAX];
	struct buf reply = BUF_ON(text);

	reply_add(&reply, q, hostname);
	json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "verdict", verdict_word(d->verdict),
		"would", verdict_word(d->would), "reason", reason_word(d->reason), "meaning", reason_meaning(d->reason),
		"reply", control_string(span_trim(buf_span(&reply))), "evidence", evidence(q),
		"lookups", lookups(q));
	if (d->subject) {
		json_object_set_new(row, "identity", control_string(identity_span(&d->identity)));
		json_object_set_new(row, "identity_kind", json_string(identity_word(d->identity.kind)));
	}
	if (q->request.client_dynamic)
		json_object_set_new(row, "dynamic", json_true());
	if (d->ruled) {
		json_object_set_new(row, "rule_file", json_string(d->ruling.file));
		json_object_set_new(row, "rule_line", json_integer(d->ruling.line));
		if (d->ruling.listed)
			json_object_set_new(row, "entry", control_string(span_of(q->hit.value)));
	}
	if (d->would == VERDICT_DEFER) {
		json_object_set_new(row, "wait_s", json_integer(d->wait_s));
		json_object_set_new(row, "passes_at", control_time(q->now + d->wait_s));
	}
	return row;
}

static void on_answer(struct inquiry *q)
{
	struct why *w = q->arg;
	struct control_conn *c = w->conn;

	control_send(c, answer_of(q, control_server(c)->hostname));
	engine_release(&w->inquiry);
	json_decref(w->arguments);
	free(w);
	control_end(c);
}

static struct span argument(const json_t *arguments, const char *name)
{
	return span_unwrap(span_of(control_text(arguments, name)), '<', '>');
}

static void fill(struct request *r, const json_t *a)
{
	const char *stage = control_text(a, "stage");
	const json_t *with;
	size_t i;

	r->stage = STAGE_RCPT;
	for (int s = STAGE_RCPT; stage && s <= STAGE_OTHER; s++)
		if (span_ieq(span_of(stage), span_of(stage_word((enum stage)s))))
			r->stage = (enum stage)s;
	r->client_text = argument(a, "client");
	netaddr_parse(r->client_text, &r->client);
	r->client_name = argument(a, "name");
	r->helo = argument(a, "helo");
	r->sender = argument(a, "sender");
	r->recipient = argument(a, "recipient");
	r->sasl_username = argument(a, "sasl");
	r->has_sender = r->has_recipient = r->has_etrn_domain = true;
	json_array_foreach(json_object_get(a, "with"), i, with) {
		struct span value = span_make(json_string_value(with), json_string_length(with)), name;
		if (span_cut(&value, '=', &name))
			policyproto_set(r, name, value);
	}
	r->report = REPORT_NONE;
}

void control_why(struct control_conn *c, const json_t *arguments)
{
	struct why *w;

	if (!control_text(arguments, "client") || !control_text(arguments, "sender") ||
	    !control_text(arguments, "recipient")) {
		control_error(c, "why needs client, sender and recipient");
		return;
	}
	w = calloc(1, sizeof *w);
	if (w)
		w->inquiry = engine_inquiry(control_server(c)->engine);
	if (!w || !w->inquiry) {
		free(w);
		control_error(c, "out of memory");
		return;
	}
	w->conn = c;
	w->arguments = json_deep_copy(arguments);
	w->inquiry->dry = true;
	fill(&w->inquiry->request, w->arguments);
	engine_ask(w->inquiry, on_answer, w);
}
