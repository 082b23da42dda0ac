/* The policy decoder, and what every request goes through before it is judged:
 * identity, normalising, keys, a decision without store, the log line, the reply. */
#include "core/decide.h"
#include "core/hostname.h"
#include "daemon/policyproto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const struct request *r)
{
	static const struct policy policy = { .greylist = { 60, 172800, 3110400 }, .ipv4_bits = 24, .ipv6_bits = 64,
					      .outbound = { 3110400, 900 } };
	static struct decision d;
	struct facts f;

	facts_begin(&f);
	decision_begin(&d);
	f.have = FACT_RULING | FACT_TRANSACTION | FACT_AROUND | FACT_SPF | FACTS_STORED;
	if (decide(&policy, r, &f, 1800000000, &d) != 0)
		abort();
	struct key_parts parts;
	if (decision_key(&d, KEY_SLOT_TRIPLET).n && !key_split(decision_key(&d, KEY_SLOT_TRIPLET), &parts))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make((const char *)data, size);
	char text[300];
	struct buf why = BUF_ON(text);
	size_t scanned = 0, frame;

	while ((frame = policyproto_frame(in, &scanned)) != 0) {
		struct request r;
		unsigned junk;
		if (policyproto_parse(span_head(in, frame), &r, &junk, &why) == 0) {
			if (hostname_valid(r.client_name))
				r.client_dynamic = hostname_dynamic(r.client_name, &r.client);
			judge(&r);
		}
		in = span_from(in, frame);
		scanned = 0;
	}
	return 0;
}
