#include <errno.h>
#include <sys/stat.h>

#include "import/import_format.h"
#include "learn/textfile.h"

#define WIDEST_4 16		/* networks that one organisation may have */
#define WIDEST_6 32
#define LINES_A_LOOK 4096	/* lines between two looks at the progress */

static const struct import_format *const formats[] = {
	&import_postgrey, &import_sqlgrey, &import_milter_greylist, &import_spamdb, &import_greylistd, &import_relaydelay,
	&import_qmail_spp, &import_jgreylist, &import_qgreylist, &import_greylag,
};
#define FORMATS (sizeof formats / sizeof *formats)

const struct import_format *import_find(const char *name)
{
	for (size_t i = 0; i < FORMATS; i++)
		if (strcmp(formats[i]->name, name) == 0)
			return formats[i];
	return NULL;
}

void import_add_names(struct buf *out)
{
	for (size_t i = 0; i < FORMATS; i++)
		buf_addf(out, "%s%s %s", i ? ", " : "", formats[i]->name, formats[i]->source);
}

const char *import_kind_word(enum import_kind kind)
{
	switch (kind) {
	case IMPORT_PASSED: return "passed";
	case IMPORT_WAITING: return "waiting";
	case IMPORT_TRUSTED: return "trusted";
	case IMPORT_ENTRY: return "entry";
	case IMPORT_RECORD: return "record";
	}
	return "";
}

/* --- Rows ------------------------------------------------------------------------------- */

void import_skip(struct import *in, const char *reason)
{
	in->skipped(in, reason);
}

bool import_single(const struct netprefix *p)
{
	return p->addr.family && p->bits == netaddr_width(&p->addr);
}

static const char *fault_of(const struct import_row *row)
{
	bool triplet = row->kind == IMPORT_PASSED || row->kind == IMPORT_WAITING;

	if ((triplet || row->kind == IMPORT_TRUSTED) && row->client.addr.family == 0)
		return "no address of a client";
	if (row->kind == IMPORT_TRUSTED && !import_single(&row->client))
		return "a network, not an address";
	if (triplet && row->recipient.n == 0)
		return "no recipient";
	if (row->sender.n > IMPORT_ADDRESS_MAX || row->recipient.n > IMPORT_ADDRESS_MAX)
		return "an address that is too long";
	if (row->first_seen < 0 || row->last_seen < 0 || row->passed_at < 0 || row->expires < 0)
		return "a time that is none";
	return NULL;
}

void import_give(struct import *in, const struct import_row *row)
{
	const char *fault = fault_of(row);
	struct import_row client = *row;

	if (fault) {
		import_skip(in, fault);
		return;
	}
	in->row(in, row);
	if (row->kind != IMPORT_PASSED || !import_single(&row->client))
		return;
	client.kind = IMPORT_TRUSTED;
	client.sender = client.recipient = span_make("", 0);
	in->row(in, &client);
}

void import_give_network(struct import *in, const struct netprefix *net, int64_t expires, const char *comment)
{
	char text[NETADDR_TEXT + 1];
	struct buf value = BUF_ON(text);

	if (net->bits < (net->addr.family == 4 ? WIDEST_4 : WIDEST_6)) {
		import_skip(in, "a network that is too wide");
		return;
	}
	netprefix_add(&value, net);
	import_give(in, &(struct import_row){ .kind = IMPORT_ENTRY, .list = "allow", .value_kind = "client",
		.value = buf_span(&value), .expires = expires, .comment = span_of(comment) });
}

/* --- Lines ------------------------------------------------------------------------------- */

int64_t import_file_time(const struct import *in, const char *path)
{
	struct stat st;

	if (strcmp(path, "-") == 0 || stat(path, &st) != 0 || st.st_mtime > in->now)
		return in->now;
	return (int64_t)st.st_mtime;
}

int import_lines(struct import *in, const char *path, import_line *take, void *arg, struct buf *why)
{
	char text[300];
	struct buf reason = BUF_ON(text);
	struct textfile *f = textfile_open(path, &reason);
	uint64_t told = 0;
	struct span line;
	int more = f ? 1 : -1;

	in->file = path;
	in->line = 0;
	while (more > 0) {
		more = textfile_line(f, &line, &reason);
		if (more > 0) {
			in->line++;
			take(in, arg, line);
		}
		if (more <= 0 || in->line % LINES_A_LOOK == 0) {
			uint64_t at = textfile_offset(f);
			in->progress(in, at > told ? at - told : 0);
			told = at;
		}
	}
	if (more < 0)
		buf_fail(why, "%s: %s", path, buf_str(&reason));
	textfile_close(&f);
	return more;
}

struct span import_address(struct span s)
{
	return span_trim(span_unwrap(span_trim(s), '<', '>'));
}

bool import_int(struct span s, int64_t *out)
{
	bool minus = s.n && s.p[0] == '-';
	uint64_t value;

	if (!span_uint(minus ? span_from(s, 1) : s, INT64_MAX, &value))
		return false;
	*out = minus ? -(int64_t)value : (int64_t)value;
	return true;
}
