#include "daemon/policyproto.h"

#include <stddef.h>

size_t policyproto_frame(struct span in, size_t *scanned)
{
	size_t at = *scanned;

	while (at < in.n) {
		const char *nl = memchr(in.p + at, '\n', in.n - at);
		if (!nl)
			break;
		size_t line = (size_t)(nl - in.p) - at;
		bool empty = line == 0 || (line == 1 && in.p[at] == '\r');
		at += line + 1;
		if (empty)
			return at;
		*scanned = at;
	}
	return 0;
}

static enum stage stage_of(struct span word)
{
	static const struct { struct span word; enum stage stage; } stages[] = {
		{ SPAN("RCPT"), STAGE_RCPT }, { SPAN("DATA"), STAGE_DATA },
		{ SPAN("END-OF-MESSAGE"), STAGE_END_OF_MESSAGE }, { SPAN("CONNECT"), STAGE_CONNECT },
		{ SPAN("HELO"), STAGE_HELO }, { SPAN("EHLO"), STAGE_HELO }, { SPAN("MAIL"), STAGE_MAIL },
	};

	for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
		if (span_eq(word, stages[i].word))
			return stages[i].stage;
	return STAGE_OTHER;
}

static enum report report_of(struct span word)
{
	static const struct { struct span word; enum report report; } reports[] = {
		{ SPAN("accepted"), REPORT_ACCEPTED }, { SPAN("aborted"), REPORT_ABORTED },
		{ SPAN("misbehaved"), REPORT_MISBEHAVED }, { SPAN("known"), REPORT_KNOWN },
		{ SPAN("ham"), REPORT_HAM }, { SPAN("spam"), REPORT_SPAM },
	};

	for (size_t i = 0; i < sizeof reports / sizeof *reports; i++)
		if (span_eq(word, reports[i].word))
			return reports[i].report;
	return REPORT_NONE;
}

static void take_stage(struct request *r, struct span value)
{
	r->stage = stage_of(value);
}

static void take_etrn_domain(struct request *r, struct span value)
{
	(void)value;
	r->has_etrn_domain = true;
}

static void take_report(struct request *r, struct span value)
{
	r->report = report_of(value);
}

static void take_once(struct request *r, struct span value)
{
	r->once = span_eq(value, span_of("1"));
}

struct attribute {
	struct span name;
	size_t offset;			/* of the span of the request that it fills */
	size_t most;			/* bytes of it */
	void (*take)(struct request *r, struct span value);	/* of one that fills none */
};
#define FILLS(name, field, most) { SPAN(name), offsetof(struct request, field), most, NULL }
#define TELLS(name, take) { SPAN(name), 0, 0, take }

/* By the length of the name; the last of each length has none. */
static const struct attribute attributes[][6] = {
	[6] = { FILLS("sender", sender, REQUEST_ADDRESS_MAX) },
	[8] = { FILLS("instance", instance, REQUEST_WORD_MAX), FILLS("queue_id", queue_id, REQUEST_WORD_MAX) },
	[9] = { FILLS("recipient", recipient, REQUEST_ADDRESS_MAX), FILLS("helo_name", helo, REQUEST_NAME_MAX) },
	[11] = { FILLS("client_name", client_name, REQUEST_NAME_MAX), TELLS("etrn_domain", take_etrn_domain),
		 FILLS("sasl_method", sasl_method, REQUEST_WORD_MAX), FILLS("server_port", server_port, REQUEST_WORD_MAX) },
	[12] = { TELLS("greylag_once", take_once) },
	[13] = { FILLS("sasl_username", sasl_username, REQUEST_WORD_MAX) },
	[14] = { TELLS("protocol_state", take_stage), FILLS("client_address", client_text, REQUEST_WORD_MAX),
		 FILLS("policy_context", policy_context, REQUEST_WORD_MAX),
		 FILLS("server_address", server_address, REQUEST_WORD_MAX), TELLS("greylag_report", take_report) },
	[15] = { FILLS("recipient_count", recipient_count, REQUEST_WORD_MAX) },
	[19] = { FILLS("reverse_client_name", reverse_name, REQUEST_NAME_MAX),
		 FILLS("encryption_protocol", encryption_protocol, REQUEST_WORD_MAX) },
};

static void take(struct request *r, const struct attribute *a, struct span value)
{
	if (a->take) {
		a->take(r, value);
		return;
	}
	/* The end of an address says more than its beginning. */
	struct span *field = (struct span *)((char *)r + a->offset);
	*field = value.n > a->most ? span_from(value, value.n - a->most) : value;
}

static inline void set_value(struct request *r, struct span name, struct span value)
{
	if (name.n >= sizeof attributes / sizeof *attributes)
		return;
	size_t last = name.n - 1;	/* which tells most of them apart */
	for (const struct attribute *a = attributes[name.n]; a->name.n; a++) {
		if (a->name.p[last] == name.p[last] && memcmp(a->name.p, name.p, last) == 0) {
			take(r, a, value);
			return;
		}
	}
}

void policyproto_set(struct request *r, struct span name, struct span value)
{
	set_value(r, name, value);
}

static void finish(struct request *r)
{
	if (!netaddr_parse(r->client_text, &r->client))
		r->client.family = 0;
	r->client_name = request_name(r->client_name);
	r->reverse_name = request_name(r->reverse_name);
	r->has_sender = r->sender.p != NULL;
	r->has_recipient = r->recipient.n != 0;
	/* Some doors pass addresses on as they stood in the SMTP command. */
	r->sender = span_unwrap(r->sender, '<', '>');
	r->recipient = span_unwrap(r->recipient, '<', '>');
}

static bool is_name(struct span name, const char *literal, size_t length)
{
	return name.n == length && memcmp(name.p, literal, length) == 0;
}
#define IS(name, literal) is_name(name, literal, sizeof(literal) - 1)

int policyproto_parse(struct span frame, struct request *out, unsigned *junk, struct buf *why)
{
	struct span line, kind = { 0 };

	*out = (struct request){ .stage = STAGE_RCPT };
	*junk = 0;
	while (span_cut(&frame, '\n', &line)) {
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		size_t eq = span_find(line, '=');
		if (eq == line.n) {
			*junk += line.n != 0;
			continue;
		}
		struct span name = span_head(line, eq), value = span_from(line, eq + 1);
		if (IS(name, "request"))
			kind = value;
		else
			set_value(out, name, value);
	}
	if (!IS(kind, "smtpd_access_policy")) {
		buf_clear(why);
		if (!kind.p)
			buf_adds(why, "no attribute \"request\"");
		else
			buf_adds(why, "unknown request=");
		buf_addsafe(why, kind, 60);
		return -1;
	}
	finish(out);
	return 0;
}
