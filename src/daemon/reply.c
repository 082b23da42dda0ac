#include "daemon/reply.h"

#include <time.h>

#include "version.h"

/* With the MTA's code in front of it a reply line stays below the 512 octets of
 * RFC 5321 section 4.5.3.1.5; longer texts are cut. */
#define REPLY_TEXT_MAX 460

/* Anything but printable ASCII becomes '?': the text goes into an SMTP reply
 * as it is, and recipient domains come from strangers. */
static void add_plain(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_addc(out, s.p[i] >= 0x20 && s.p[i] < 0x7f ? s.p[i] : '?');
}

void reply_text(struct buf *out, const char *text, const struct inquiry *q)
{
	const struct settings *settings = &inquiry_config(q)->settings;

	for (; *text; text++) {
		if (*text != '%' || !text[1]) {
			buf_addc(out, *text);
			continue;
		}
		switch (*++text) {
		case 's': buf_addi(out, q->decision.wait_s); break;
		case 'r': add_plain(out, span_head(address_domain(q->request.recipient), 255)); break;
		case 'w': buf_adds(out, reason_word(q->decision.reason)); break;
		case 'u': buf_adds(out, settings->reply_help_url); break;
		default: buf_addc(out, *text); break;
		}
	}
}

static void add_action(struct buf *out, const struct inquiry *q, const char *action,
		       const char *enhanced, const char *text)
{
	buf_adds(out, action);
	buf_addc(out, ' ');
	/* A client that sends no etrn_domain is no Postfix of our days and may
	 * take the enhanced code for part of the text. */
	if (enhanced && q->request.has_etrn_domain) {
		buf_adds(out, enhanced);
		buf_addc(out, ' ');
	}
	char line[REPLY_TEXT_MAX + 1];
	struct buf b = BUF_ON(line);
	reply_text(&b, text, q);
	buf_addspan(out, buf_span(&b));
}

/* What a rule gives instead of the settings. Its code is for what it does itself: a block
 * rule's does not fit a deferral. */
static const char *own_code(const struct decision *d, enum verdict v, const char *setting)
{
	bool rejects = d->ruling.action == ACTION_BLOCK || d->ruling.action == ACTION_TRAP;

	return d->ruled && d->ruling.code && rejects == (v == VERDICT_REJECT) ? d->ruling.code : setting;
}

static void add_defer(struct buf *out, const struct inquiry *q)
{
	const struct settings *s = &inquiry_config(q)->settings;
	const struct decision *d = &q->decision;
	const char *own = d->ruled ? d->ruling.text : NULL;
	bool coded = strcmp(s->reply_enhanced_code, "none") != 0 && !own;

	add_action(out, q, own_code(d, VERDICT_DEFER, s->reply_defer), coded ? s->reply_enhanced_code : NULL,
		   own ? own : s->reply_text);
}

static void add_reject(struct buf *out, const struct inquiry *q)
{
	const struct settings *s = &inquiry_config(q)->settings;
	const struct decision *d = &q->decision;
	const char *own = d->ruled ? d->ruling.text : NULL;

	add_action(out, q, own_code(d, VERDICT_REJECT, s->reply_block), NULL, own ? own : s->reply_block_text);
}

/* Our own mail gets no header, and an earlier recipient's stands for those that follow it. */
static bool tells_why(enum reason r)
{
	enum reason_kind kind = reason_kind(r);

	return (kind == REASON_KIND_MAIL || kind == REASON_KIND_TROUBLE) && r != REASON_OUTGOING &&
	       r != REASON_AUTHENTICATED && r != REASON_TRANSACTION;
}

/* PREPEND is no answer at end of message (SMTPD_POLICY_README). */
static bool wants_header(const struct inquiry *q)
{
	const struct settings *s = &inquiry_config(q)->settings;
	enum reason r = q->decision.reason;

	if (q->request.stage == STAGE_END_OF_MESSAGE || s->reply_header == REPLY_HEADER_NO)
		return false;
	return r == REASON_RETRIED || (s->reply_header == REPLY_HEADER_ALL && tells_why(r));
}

static void add_header(struct buf *out, const struct inquiry *q, const char *hostname)
{
	char date[64];
	time_t now = (time_t)q->now;
	struct tm tm;

	if (!localtime_r(&now, &tm) || !strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S %z", &tm))
		date[0] = '\0';
	buf_adds(out, "PREPEND X-Greylist: ");
	if (q->decision.reason == REASON_RETRIED) {
		buf_adds(out, "delayed ");
		buf_addi(out, q->decision.delayed_s);
		buf_adds(out, " seconds");
	} else {
		buf_adds(out, "not delayed (");
		buf_adds(out, reason_word(q->decision.reason));
		buf_addc(out, ')');
	}
	buf_adds(out, " by greylag-" GREYLAG_VERSION " at ");
	buf_adds(out, hostname);
	buf_adds(out, "; ");
	buf_adds(out, date);
}

void reply_add(struct buf *out, const struct inquiry *q, const char *hostname)
{
	buf_adds(out, "action=");
	switch (q->decision.verdict) {
	case VERDICT_PASS:
	case VERDICT_OBSERVE:
		if (wants_header(q))
			add_header(out, q, hostname);
		else
			buf_adds(out, "DUNNO");
		break;
	case VERDICT_DEFER:
		add_defer(out, q);
		break;
	case VERDICT_REJECT:
		add_reject(out, q);
		break;
	}
	buf_adds(out, "\n\n");
}
