/* greylistd's line protocol: a command, what it says about a mail, and that
 * mail's way through the decision without a store. */
#include "core/decide.h"
#include "daemon/greylistdproto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const struct greylistd_command *c)
{
	static const struct policy policy = { .greylist = { 60, 172800, 3110400 }, .ipv4_bits = 24, .ipv6_bits = 64 };
	static struct decision d;
	char text[20];
	struct buf out = BUF_ON(text);
	struct facts f;

	facts_begin(&f);
	decision_begin(&d);
	f.have = FACT_RULING | FACT_TRANSACTION | FACT_AROUND | FACT_SPF | FACTS_STORED;
	if (decide(&policy, &c->request, &f, 1800000000, &d) != 0)
		abort();
	greylistdproto_answer(&out, c, greylistdproto_list(d.verdict));
	if (out.n == 0 || out.over)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_head(span_make((const char *)data, size), GREYLISTDPROTO_MAX);
	size_t end = greylistdproto_line(in);
	struct greylistd_command c;
	char text[200];
	struct buf why = BUF_ON(text);

	if (greylistdproto_parse(span_head(in, end), &c, &why) == 0)
		judge(&c);
	else if (why.n == 0 || span_find(buf_span(&why), '\n') < why.n)
		abort();
	return 0;
}
