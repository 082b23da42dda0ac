/* milter-greylist's configuration: whatever it holds, what comes out is a greylag.conf
 * that is taken, and what is said is text that a terminal survives. */
#include "config/config.h"
#include "convert/convert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void say(void *arg, const char *text)
{
	(void)arg;
	for (; *text; text++)
		if (ascii_control(*text))
			abort();
}

static void ignore(struct diag *d, enum diag_severity severity, const char *file, unsigned line, unsigned column, const char *text)
{
	(void)d; (void)severity; (void)file; (void)line; (void)column; (void)text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct convert c = { .say = say, .root = "" };
	struct buf out = buf_heap((size_t)64 * 1024 * 1024);
	struct diag diag = { .report = ignore };

	convert_begin(&c);
	convert_milter_greylist_text(&c, "fuzz", span_make((const char *)data, size));
	convert_end(&c, &out);
	struct config *config = config_parse_with(buf_span(&out), "again", true, &diag);
	if (!config)
		abort();
	config_free(&config);
	buf_free(&out);
	return 0;
}
