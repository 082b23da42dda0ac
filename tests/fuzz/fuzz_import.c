/* Files of other greylisting systems: the first byte chooses the format. They are read
 * from a file in memory, by their path. */
#include <sys/mman.h>
#include <unistd.h>

#include "import/bdb.h"
#include "import/import.h"

#define NOW 1795255200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(struct import *in, const struct import_row *row)
{
	(void)in;
	if (row->sender.n > IMPORT_ADDRESS_MAX || row->recipient.n > IMPORT_ADDRESS_MAX || row->expires < 0)
		abort();
	if (row->kind == IMPORT_TRUSTED && row->client.addr.family == 0)
		abort();
}

static void skip(struct import *in, const char *reason)
{
	if (!in->file || !reason)
		abort();
}

static void progress(struct import *in, uint64_t bytes)
{
	(void)in;
	(void)bytes;
}

static void pair(void *arg, struct span key, struct span value)
{
	(void)arg;
	if (key.n > BDB_KEY_MAX || value.n > BDB_KEY_MAX)
		abort();
}

static void read_bdb_dump(struct span text)
{
	static char key[BDB_KEY_MAX + 1], value[BDB_KEY_MAX + 1];
	struct bdb_dump d = { .key = BUF_ON(key), .value = BUF_ON(value), .pair = pair };
	struct span line;

	while (span_cut(&text, '\n', &line) && bdb_dump_line(&d, line))
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "milter-greylist", "spamdb", "sqlgrey", "relaydelay", "qmail-spp", "greylag" };
	struct import in = { .row = look, .skipped = skip, .progress = progress, .now = NOW };
	static int fd = -1;
	char path[40], text[1000];
	struct buf why = BUF_ON(text);

	if (size == 0)
		return 0;
	size_t which = data[0] % 7;
	if (which == 6) {
		read_bdb_dump(span_make((const char *)data + 1, size - 1));
		return 0;
	}
	if (fd < 0)
		fd = memfd_create("import", 0);
	if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data + 1, size - 1, 0) != (ssize_t)(size - 1))
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	import_find(names[which])->read(&in, path, &why);
	return 0;
}
