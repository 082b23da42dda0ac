/* Exim's configuration: whatever it holds, and files that include each other, is read, and
 * macros expand to something finite. The input is three files, each up to a NUL. */
#include "doctor/eximconf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* "/1", "/2", "/3" */
static bool read_part(void *arg, const char *path, struct buf *text)
{
	const struct span *parts = arg;

	if (path[0] != '/' || path[1] < '1' || path[1] > '3' || path[2])
		return false;
	*text = buf_heap(1 << 20);
	buf_addspan(text, parts[path[1] - '1']);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_make((const char *)data, size), parts[3] = { { "", 0 }, { "", 0 }, { "", 0 } };
	char text[300];
	struct buf b = BUF_ON(text);

	for (size_t i = 0; i < 3; i++)
		span_cut(&rest, '\0', &parts[i]);
	struct eximconf *c = eximconf_new("/1", read_part, parts);
	if (!c)
		return 0;
	eximconf_macro(c, "GREYLAG_SOCKET", "", &b);
	for (int i = -1; i < (int)c->acl_count; i++) {
		const struct exim_statement *s = eximconf_asks(c, i);
		if (s && (i < 0 || s->acl != (unsigned)i || s->file >= c->file_count))
			abort();
	}
	eximconf_free(&c);
	return 0;
}
