/* The Received fields of a mail's header, and one field alone. */
#include "learn/received.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct span part, struct span whole)
{
	if (part.n && (part.p < whole.p || part.p + part.n > whole.p + whole.n))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct netprefix private = { { 4, { 10 } }, 8 };
	static const struct prefixes trusted = { &private, 1 };
	struct span in = span_make((const char *)data, size);
	struct received_hop hop = received_parse(in);

	check_inside(hop.name, in);
	if (received_relay(in, &trusted, &hop) == RECEIVED_FOUND) {
		check_inside(hop.name, in);
		if (hop.client.family == 0 || received_trusted(&trusted, &hop.client))
			abort();
	}
	return 0;
}
