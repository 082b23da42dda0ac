/* convert: another greylisting service's configuration, as greylag.conf. */
#include "cli/command.h"
#include "convert/convert.h"

#define OUT_MAX ((size_t)64 * 1024 * 1024)

static const struct convert_peer *find(const char *name)
{
	for (unsigned i = 0; convert_peer(i); i++)
		if (strcmp(convert_peer(i)->name, name) == 0)
			return convert_peer(i);
	return NULL;
}

static void say(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "%s\n", text);
}

int cmd_convert(struct client *c, const struct arguments *a)
{
	const struct convert_peer *peer = find(a->words[0]);
	struct convert convert = { .say = say, .root = a->root ? a->root : "" };
	struct buf out = buf_heap(OUT_MAX);
	char text[700];
	struct buf why = BUF_ON(text);

	(void)c;
	if (!peer) {
		fprintf(stderr, "greylag: nothing is known of %.60s; there are:", a->words[0]);
		for (unsigned i = 0; convert_peer(i); i++)
			fprintf(stderr, " %s", convert_peer(i)->name);
		fputc('\n', stderr);
		return STATUS_USAGE;
	}
	char path[1100], *file = path;
	snprintf(path, sizeof path, "%s%s", convert.root, peer->file);
	int status = STATUS_UNAVAILABLE;
	bool given = a->count > 1;
	if (convert_run(peer, &convert, given ? a->words + 1 : &file, given ? a->count - 1 : 1, &out, &why) != 0)
		fprintf(stderr, "greylag: %s\n", buf_str(&why));
	else if (fputs(buf_str(&out), stdout) >= 0)
		status = convert.missing ? STATUS_NO : STATUS_OK;
	buf_free(&out);
	return status;
}
