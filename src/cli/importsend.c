#include <time.h>

#include "cli/importsend.h"

#include "cli/output.h"
#include "core/listkey.h"

#define BATCH 500
#define BATCH_BYTES ((size_t)150 * 1024)	/* the daemon reads lines of 256 KiB */
#define LIST_BATCH 1000

struct importsend_entry {
	const char *list, *kind;
	int64_t until;
	char *value, *comment;		/* JSON can hold both */
};

/* --- Rows --------------------------------------------------------------------------------- */

static bool set_text(json_t *o, const char *name, struct span s)
{
	return json_object_set_new(o, name, json_stringn(s.n ? s.p : "", s.n)) == 0;
}

static void set_number(json_t *o, const char *name, int64_t n)
{
	if (n)
		json_object_set_new(o, name, json_integer(n));
}

static bool add_words(json_t *o, const struct import_row *row)
{
	char text[NETADDR_TEXT + 1];
	struct buf client = BUF_ON(text);

	switch (row->kind) {
	case IMPORT_RECORD:
		return set_text(o, "key", row->key);
	case IMPORT_ENTRY:
		return json_object_set_new(o, "list", json_string(row->list)) == 0 &&
		       json_object_set_new(o, "kind", json_string(row->value_kind)) == 0 &&
		       set_text(o, "value", row->value) && set_text(o, "comment", row->comment);
	case IMPORT_PASSED:
	case IMPORT_WAITING:
	case IMPORT_TRUSTED:
		break;
	}
	netprefix_add(&client, &row->client);
	if (!set_text(o, "client", buf_span(&client)))
		return false;
	return row->kind == IMPORT_TRUSTED || (set_text(o, "sender", row->sender) && set_text(o, "recipient", row->recipient));
}

json_t *importsend_row(const struct import_row *row)
{
	json_t *o = json_pack("{s:s}", "what", import_kind_word(row->kind));

	if (!o || !add_words(o, row)) {
		json_decref(o);
		return NULL;
	}
	set_number(o, "first_seen", row->first_seen);
	set_number(o, "last_seen", row->last_seen);
	set_number(o, "passed_at", row->passed_at);
	set_number(o, "expires", row->expires);
	set_number(o, "blocked", (int64_t)row->blocked);
	set_number(o, "passed", (int64_t)row->passed);
	set_number(o, "generation", row->generation);
	set_number(o, "held_until", row->held_until);
	set_number(o, "held_for", row->held_for);
	set_number(o, "strikes", row->strikes);
	return o;
}

/* --- Batches ------------------------------------------------------------------------------ */

static void take_counts(struct importsend *s, const json_t *row)
{
	s->sum.added += (uint64_t)(output_number(row, "added"));
	s->sum.changed += (uint64_t)(output_number(row, "changed") + output_number(row, "extended") + output_number(row, "shortened"));
	s->sum.present += (uint64_t)output_number(row, "present");
	s->sum.over += (uint64_t)output_number(row, "over");
	s->sum.held += (uint64_t)output_number(row, "held");
	s->sum.refused += (uint64_t)output_number(row, "refused");
	s->sum.failed += (uint64_t)output_number(row, "failed");
}

/* Sends a command and drops it. */
static int send_command(struct importsend *s, json_t *request)
{
	json_t *row;
	int more, status = request ? client_send(s->client, request) : STATUS_TEMPORARY;

	json_decref(request);
	if (status != STATUS_OK)
		return status;
	while ((more = client_row(s->client, &row)) == 1) {
		const char *why = output_text(row, "why");
		if (why[0])
			s->refused(s->arg, why);
		else
			take_counts(s, row);
		json_decref(row);
	}
	return more == 0 ? STATUS_OK : STATUS_TEMPORARY;
}

static int flush(struct importsend *s)
{
	json_t *rows = s->rows;

	s->rows = NULL;
	s->bytes = 0;
	return rows ? send_command(s, json_pack("{s:s, s:o}", "cmd", "import", "rows", rows)) : STATUS_OK;
}

/* --- Entries ------------------------------------------------------------------------------- */

static bool keep_entry(struct importsend *s, const struct import_row *row)
{
	struct span comment = span_head(row->comment, LIST_COMMENT_MAX);
	struct importsend_entry e = { .list = row->list, .kind = row->value_kind, .until = row->expires ? row->expires : LIST_NEVER };

	if (s->count == s->room) {
		size_t room = s->room ? s->room * 2 : 256;
		struct importsend_entry *entries = room <= IMPORTSEND_ENTRIES_MAX ? realloc(s->entries, room * sizeof e) : NULL;
		if (!entries)
			return false;
		s->entries = entries;
		s->room = room;
	}
	e.value = strndup(row->value.p, row->value.n);
	e.comment = strndup(comment.n ? comment.p : "", comment.n);
	if (!e.value || !e.comment) {
		free(e.value);
		free(e.comment);
		return false;
	}
	s->entries[s->count++] = e;
	return true;
}

static int by_end(const void *a, const void *b)
{
	const struct importsend_entry *x = a, *y = b;
	int lists = strcmp(x->list, y->list);

	if (lists)
		return lists;
	return x->until < y->until ? -1 : x->until > y->until ? 1 : strcmp(x->value, y->value);
}

static bool together(const struct importsend_entry *a, const struct importsend_entry *b)
{
	return strcmp(a->list, b->list) == 0 && a->until == b->until;
}

static json_t *entry_row(const struct importsend_entry *e)
{
	json_t *row = json_pack("{s:s, s:s}", "kind", e->kind, "value", e->value);

	if (row && e->comment[0])
		json_object_set_new(row, "comment", json_string(e->comment));
	return row;
}

static int send_entries(struct importsend *s, int64_t now)
{
	int status = STATUS_OK;
	size_t at = 0, n;

	if (s->count)
		qsort(s->entries, s->count, sizeof *s->entries, by_end);
	for (; at < s->count && status == STATUS_OK; at = n) {
		const struct importsend_entry *first = &s->entries[at];
		json_t *values = json_array();
		size_t bytes = 0;
		for (n = at; n < s->count && n < at + LIST_BATCH && bytes < BATCH_BYTES && together(first, &s->entries[n]); n++) {
			json_array_append_new(values, entry_row(&s->entries[n]));
			bytes += 60 + 2 * (strlen(s->entries[n].value) + strlen(s->entries[n].comment));
		}
		if (first->until <= now) {
			s->sum.over += n - at;
			json_decref(values);
			continue;
		}
		status = send_command(s, json_pack("{s:s, s:s, s:I, s:b, s:s, s:o}", "cmd", "list_add", "list", first->list,
			"until", (json_int_t)first->until, "each", 0, "author", s->source, "values", values));
	}
	return status;
}

/* --- For the command ------------------------------------------------------------------------ */

int importsend_add(struct importsend *s, const struct import_row *row, bool *taken)
{
	json_t *o = importsend_row(row);

	*taken = o != NULL;
	if (!o)
		return STATUS_OK;
	if (row->kind == IMPORT_ENTRY) {
		*taken = keep_entry(s, row);
		json_decref(o);
		return STATUS_OK;
	}
	if (!s->rows)
		s->rows = json_array();
	json_array_append_new(s->rows, o);
	/* As much as JSON may make of it. */
	s->bytes += 250 + 2 * (row->sender.n + row->recipient.n + row->key.n);
	return json_array_size(s->rows) >= BATCH || s->bytes > BATCH_BYTES ? flush(s) : STATUS_OK;
}

int importsend_end(struct importsend *s)
{
	int status = flush(s);

	return status == STATUS_OK ? send_entries(s, (int64_t)time(NULL)) : status;
}

void importsend_free(struct importsend *s)
{
	json_decref(s->rows);
	for (size_t i = 0; i < s->count; i++) {
		free(s->entries[i].value);
		free(s->entries[i].comment);
	}
	free(s->entries);
	*s = (struct importsend){ 0 };
}
