/* Empty files that are clients: jgreylist has folders of octets, "192/000/002[/001]",
 * qgreylist one folder of files, "192.0.2" or "192.0.2.1". A file's time of change is
 * the first attempt, its time of access the last. */
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "import/import_format.h"

#define DEPTH_MAX 4
#define PATH_BYTES 1200
#define HOLD_S 120		/* JGREYLIST_HOLDTIME */
#define AWL_AGE_S (36 * IMPORT_DAY)

struct walk {
	struct import *in;
	struct buf *why;
	bool tree;		/* octets are folders */
	unsigned octets[DEPTH_MAX];
};

static void give(struct walk *w, unsigned depth, const struct stat *st)
{
	struct import_row row = { .kind = IMPORT_TRUSTED, .first_seen = (int64_t)st->st_mtime, .last_seen = (int64_t)st->st_atime,
				  .passed = 1 };
	struct netaddr a = { .family = 4 };

	for (unsigned i = 0; i < depth; i++)
		a.bytes[i] = (uint8_t)w->octets[i];
	row.client = netaddr_network(&a, 8 * depth);
	row.passed_at = row.last_seen;
	if (row.last_seen - row.first_seen < (w->in->delay_s ? w->in->delay_s : HOLD_S))
		import_skip(w->in, "waits without sender and recipient");
	else if (import_single(&row.client))
		import_give(w->in, &row);
	else
		import_give_network(w->in, &row.client, row.last_seen + AWL_AGE_S, w->tree ? "jgreylist" : "qgreylist");
}

/* How many octets the name has; 0: it is none of theirs. */
static unsigned octets_of(struct walk *w, const char *name, unsigned depth)
{
	struct span rest = span_of(name), part;
	uint64_t value;

	if (span_ends(rest, span_of(".")))
		return 0;
	while (depth < DEPTH_MAX && span_cut(&rest, '.', &part)) {
		if (part.n > 3 || !span_uint(part, 255, &value))
			return 0;
		w->octets[depth++] = (unsigned)value;
	}
	return rest.n ? 0 : depth;
}

static int visit(struct walk *w, const char *path, unsigned depth);

static int visit_entry(struct walk *w, const char *path, const char *name, unsigned depth)
{
	char inner[PATH_BYTES];
	struct stat st;
	unsigned now = octets_of(w, name, depth);

	if (name[0] == '.')
		return 0;
	if (snprintf(inner, sizeof inner, "%s/%s", path, name) >= (int)sizeof inner || lstat(inner, &st) != 0)
		return 0;
	if (S_ISDIR(st.st_mode) && w->tree && now == depth + 1 && now < DEPTH_MAX)
		return visit(w, inner, now);
	w->in->file = inner;
	if (S_ISREG(st.st_mode) && now >= 3)
		give(w, now, &st);
	else
		import_skip(w->in, "no file of a client");
	w->in->file = path;
	return 0;
}

static int visit(struct walk *w, const char *path, unsigned depth)
{
	DIR *d = opendir(path);
	const struct dirent *e;
	int result = 0;

	if (!d)
		return buf_fail(w->why, "%s: %s", path, strerror(errno));
	w->in->file = path;
	while (result == 0 && (e = readdir(d)) != NULL)
		result = visit_entry(w, path, e->d_name, depth);
	closedir(d);
	return result;
}

static int read_tree(struct import *in, const char *folder, struct buf *why)
{
	struct walk w = { .in = in, .why = why, .tree = true };
	int result = visit(&w, folder, 0);

	in->file = folder;
	return result;
}

static int read_flat(struct import *in, const char *folder, struct buf *why)
{
	struct walk w = { .in = in, .why = why };
	int result = visit(&w, folder, 0);

	in->file = folder;
	return result;
}

const struct import_format import_jgreylist = { "jgreylist", "DIR", read_tree };
const struct import_format import_qgreylist = { "qgreylist", "DIR", read_flat };
