#include "lists/lookup.h"

#include "base/value.h"
#include "core/listkey.h"

const char *lookup_kind_word(enum lookup_kind kind)
{
	switch (kind) {
	case LOOKUP_DNSBL: return "dnsbl";
	case LOOKUP_DNSWL: return "dnswl";
	case LOOKUP_RHSBL: return "rhsbl";
	case LOOKUP_SPF: return "spf";
	case LOOKUP_RATE: return "rate";
	case LOOKUP_LISTED: return "listed";
	}
	return "?";
}

static int read_spf(struct lookup *l, struct span value, struct buf *why)
{
	for (enum spf_result i = SPF_NONE; i <= SPF_PERMERROR; i++)
		if (span_ieq(value, span_of(spf_result_word(i)))) {
			l->bits = 1u << i;
			return 0;
		}
	return buf_fail(why, "must be pass, fail, softfail, neutral, none, temperror or permerror");
}

static int read_rate(struct lookup *l, struct span text, struct buf *why)
{
	size_t slash = span_find(text, '/');
	uint64_t ms;

	if (slash == text.n || !span_uint(span_head(text, slash), 1000000, &l->most))
		return buf_fail(why, "a rate is a number and a time, such as 100/10m");
	if (value_duration_ms(span_from(text, slash + 1), &ms, why) != 0)
		return -1;
	l->window_s = ms / 1000;
	if (l->window_s == 0 || l->window_s > 86400)
		return buf_fail(why, "the time of a rate goes from 1s to 24h");
	return 0;
}

int lookup_parse(struct lookup *out, enum lookup_kind kind, struct span value, struct buf *why)
{
	struct span text = kind == LOOKUP_SPF ? span_of("spf") : value;
	int status = 0;

	*out = (struct lookup){ .kind = kind, .bits = LOOKUP_YES, .text = strndup(text.p, text.n) };
	if (!out->text)
		return buf_fail(why, "out of memory");
	switch (kind) {
	case LOOKUP_DNSBL:
	case LOOKUP_DNSWL:
	case LOOKUP_RHSBL:
		status = dnslist_parse(value, &out->filter, why);
		break;
	case LOOKUP_SPF:
		status = read_spf(out, value, why);
		break;
	case LOOKUP_RATE:
		status = read_rate(out, value, why);
		break;
	case LOOKUP_LISTED:
		if (!list_word_valid(value))
			status = buf_fail(why, "the name of a list has letters, digits, '-' and '_', at most 64");
		break;
	}
	if (status != 0)
		lookup_free(out);
	return status;
}

void lookup_free(struct lookup *l)
{
	free(l->text);
	l->text = NULL;
}

/* A rate counts the requests that ask for it, so two rules have two counters. */
bool lookup_same(const struct lookup *a, const struct lookup *b)
{
	return a->kind == b->kind && a->kind != LOOKUP_RATE && span_ieq(span_of(a->text), span_of(b->text));
}
