/* Lines of mail logs: the first byte chooses the format, or none. */
#include "learn/maillog.h"

#define NOW 1795255200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(void *arg, const struct maillog_event *e)
{
	(void)arg;
	if (e->peer.client.family == 0 || e->peer.name.n > 253)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "postfix", "sendmail", "exim", "qmail", "opensmtpd" };
	/* Kept from one input to the next: making its table costs more than reading lines. */
	static struct maillog *readers[6];
	struct span in = span_make((const char *)data, size), line;

	if (size == 0)
		return 0;
	size_t which = data[0] % 6;
	if (!readers[which])
		readers[which] = maillog_new(which < 5 ? maillog_find(names[which]) : NULL, NOW, look, NULL);
	if (!readers[which])
		abort();
	in = span_from(in, 1);
	while (span_cut(&in, '\n', &line))
		maillog_line(readers[which], line);
	return 0;
}
