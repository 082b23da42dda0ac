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

/* Attributes that fill a span of the request. */
static const struct attribute {
	struct span name;
	size_t offset;
	size_t most;
} attributes[] = {
	{ SPAN("client_address"), offsetof(struct request, client_text), REQUEST_WORD_MAX },
	{ SPAN("client_name"), offsetof(struct request, client_name), REQUEST_NAME_MAX },
	{ SPAN("reverse_client_name"), offsetof(struct request, reverse_name), REQUEST_NAME_MAX },
	{ SPAN("helo_name"), offsetof(struct request, helo), REQUEST_NAME_MAX },
	{ SPAN("sender"), offsetof(struct request, sender), REQUEST_ADDRESS_MAX },
	{ SPAN("recipient"), offsetof(struct request, recipient), REQUEST_ADDRESS_MAX },
	{ SPAN("instance"), offsetof(struct request, instance), REQUEST_WORD_MAX },
	{ SPAN("queue_id"), offsetof(struct request, queue_id), REQUEST_WORD_MAX },
	{ SPAN("sasl_username"), offsetof(struct request, sasl_username), REQUEST_WORD_MAX },
	{ SPAN("sasl_method"), offsetof(struct request, sasl_method), REQUEST_WORD_MAX },
	{ SPAN("policy_context"), offsetof(struct request, policy_context), REQUEST_WORD_MAX },
	{ SPAN("server_address"), offsetof(struct request, server_address), REQUEST_WORD_MAX },
	{ SPAN("server_port"), offsetof(struct request, server_port), REQUEST_WORD_MAX },
	{ SPAN("encryption_protocol"), offsetof(struct request, encryption_protocol), REQUEST_WORD_MAX },
	{ SPAN("recipient_count"), offsetof(struct request, recipient_count), REQUEST_WORD_MAX },
};

static void set_attribute(struct request *r, const struct attribute *a, struct span value)
{
	struct span *field = (struct span *)((char *)r + a->offset);

	/* The end of an address says more than its beginning. */
	*field = value.n > a->most ? span_from(value, value.n - a->most) : value;
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

static bool is_name(struct span name, const char *literal, size_t length)
{
	return name.n == length && memcmp(name.p, literal, length) == 0;
}
#define IS(name, literal) is_name(name, literal, sizeof(literal) - 1)

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

/* Attributes that are not simply a span. */
static void set_special(struct request *r, struct span name, struct span value)
{
	if (IS(name, "protocol_state"))
		r->stage = stage_of(value);
	else if (IS(name, "etrn_domain"))
		r->has_etrn_domain = true;
	else if (IS(name, "greylag_report"))
		r->report = report_of(value);
	else if (IS(name, "greylag_once"))
		r->once = IS(value, "1");
}

static inline void set_value(struct request *r, struct span name, struct span value)
{
	for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
		const struct attribute *a = &attributes[i];
		if (a->name.n == name.n && memcmp(a->name.p, name.p, name.n) == 0) {
			set_attribute(r, a, value);
			return;
		}
	}
	set_special(r, name, value);
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
