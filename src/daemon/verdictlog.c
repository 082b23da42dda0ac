#include "daemon/verdictlog.h"

/* `key` is " KEY=". Names hold no blanks when they are sound; a value that does is quoted. */
static void add_value(struct buf *out, const char *key, struct span value, size_t most)
{
	if (value.n == 0)
		return;
	bool quote = span_find(value, ' ') < value.n;
	buf_adds(out, key);
	if (quote)
		buf_addc(out, '"');
	buf_addsafe(out, value, most);
	if (quote)
		buf_addc(out, '"');
}

static void add_address(struct buf *out, const char *key, struct span value)
{
	buf_adds(out, key);
	buf_addsafe(out, value, VERDICTLOG_ADDRESS);
	buf_addc(out, '>');
}

static void add_number(struct buf *out, const char *key, int64_t value)
{
	buf_adds(out, key);
	buf_addi(out, value);
}

/* "FILE:LINE", or "LIST:ENTRY" of a living list. */
static void add_rule(struct buf *out, const struct inquiry *q)
{
	const struct ruling *rule = &q->decision.ruling;

	add_value(out, " rule=", span_of(rule->file), VERDICTLOG_NAME);
	buf_addc(out, ':');
	if (rule->listed)
		buf_addsafe(out, span_of(q->hit.value), VERDICTLOG_NAME);
	else
		buf_addu(out, rule->line);
}

static void add_verdict(struct buf *out, const struct inquiry *q)
{
	const struct decision *d = &q->decision;

	buf_adds(out, "verdict=");
	buf_adds(out, verdict_word(d->verdict));
	if (d->verdict == VERDICT_OBSERVE) {
		buf_adds(out, " would=");
		buf_adds(out, verdict_word(d->would));
	}
	buf_adds(out, " reason=");
	buf_adds(out, reason_word(d->reason));
	if (d->would == VERDICT_DEFER)
		add_number(out, " wait=", d->wait_s);
	if (d->reason == REASON_RETRIED)
		add_number(out, " delayed=", d->delayed_s);
	if (d->ruled)
		add_rule(out, q);
}

void verdictlog_add(struct buf *out, const struct inquiry *q)
{
	const struct request *r = &q->request;
	const struct decision *d = &q->decision;

	add_verdict(out, q);
	add_value(out, " client=", r->client_text, NETADDR_TEXT);
	add_value(out, " name=", r->client_name, VERDICTLOG_NAME);
	if (d->subject)
		add_value(out, " identity=", identity_span(&d->identity), VERDICTLOG_NAME);
	add_value(out, " helo=", r->helo, VERDICTLOG_NAME);
	if (r->has_sender)
		add_address(out, " from=<", r->sender);
	if (r->recipient.n)
		add_address(out, " to=<", r->recipient);
	if (r->stage != STAGE_RCPT)
		add_value(out, " stage=", span_of(stage_word(r->stage)), VERDICTLOG_NAME);
	add_value(out, " queue=", r->queue_id, VERDICTLOG_NAME);
}

static enum log_level level_of(const struct inquiry *q)
{
	return reason_kind(q->decision.reason) == REASON_KIND_TROUBLE ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO;
}

void verdictlog_report(const struct inquiry *q, const struct config *config)
{
	char text[1400];
	struct buf line = buf_on(text, sizeof text);
	enum log_level level = level_of(q);

	if (!log_wants(level))
		return;
	/* A first pass says how long mail was delayed, which is always worth a line. */
	if (!config->settings.log_passes && q->decision.verdict == VERDICT_PASS &&
	    q->decision.reason != REASON_RETRIED && level == LOG_LEVEL_INFO)
		return;
	verdictlog_add(&line, q);
	log_line(level, buf_span(&line));
}
