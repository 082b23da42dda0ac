/* Lines of any log, as they may be mangled or forged. */
#include "learn/greylog.h"

static void touch(void *arg, const struct greylog_event *e)
{
	uint64_t *sum = arg;

	*sum += span_hash(e->peer.name, 0) + span_hash(e->sender, 0) + span_hash(e->recipient, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_make((const char *)data, size), line;
	static struct greylog *g;
	static uint64_t sum;

	if (!g)
		g = greylog_new(1795262400, touch, &sum);
	while (g && span_cut(&rest, '\n', &line))
		greylog_line(g, line);
	return 0;
}
