/* import: records that greylag(1) has read elsewhere, and such of our own.
 *
 * A batch is read, compared with what is there, and written in whole steps, so that
 * importing the same again changes nothing: counters rise to the imported value, they
 * are not added to. */
#include "core/listkey.h"
#include "core/mailaddr.h"
#include "daemon/control_command.h"
#include "daemon/importrow.h"
#include "store/copy.h"

#define IN_FLIGHT_MAX 32	/* of a batch: requests of mail servers come in between */

enum outcome {
	ADDED,
	CHANGED,
	PRESENT,		/* the store knows as much, or newer */
	OVER,			/* expired */
	HELD,			/* trust for a client that is held */
	REFUSED,
	FAILED,
};
#define OUTCOMES 7

static const char *const outcome_words[OUTCOMES] = { "added", "changed", "present", "over", "held", "refused", "failed" };

struct item {
	struct job *job;
	struct importrow row;
	enum outcome outcome;
	bool write;
	struct record delta;
	struct store_get get;
	struct store_merge merge;
};

struct job {
	struct control_conn *conn;
	int64_t now;
	unsigned count, next, in_flight;
	bool writing, dry;
	bool pumping;			/* pump() is on the stack: operations may end at once */
	bool entries;			/* of living lists are among what was written */
	struct item *items;
};

static struct store *store_of(const struct job *j)
{
	return control_server(j->conn)->store;
}

/* --- The answer --------------------------------------------------------------------------- */

static void end(struct job *j)
{
	struct control_conn *c = j->conn;
	unsigned counts[OUTCOMES] = { 0 };
	json_t *sum = json_object();

	for (unsigned i = 0; i < j->count; i++) {
		counts[j->items[i].outcome]++;
		if (j->items[i].outcome == REFUSED)
			control_send(c, json_pack("{s:i, s:s}", "index", (int)i, "why", j->items[i].row.why));
	}
	for (unsigned i = 0; i < OUTCOMES; i++)
		json_object_set_new(sum, outcome_words[i], json_integer(counts[i]));
	control_send(c, sum);
	if (j->entries)
		livinglists_reread(control_server(c)->living);
	free(j->items);
	free(j);
	control_end(c);
}

/* --- What is to be written ------------------------------------------------------------------ */

/* An older row of the same batch knows the same key: one delta says what both do. */
static bool fold(struct job *j, unsigned index)
{
	struct item *item = &j->items[index];

	for (unsigned i = 0; i < index; i++) {
		struct item *before = &j->items[i];
		struct record delta;
		if (before->outcome == REFUSED || !span_eq(key_span(&before->row.key), key_span(&item->row.key)))
			continue;
		if (before->row.record.generation == item->row.record.generation &&
		    store_copy_delta(&before->row.record, &item->row.record, &delta))
			record_merge(&before->row.record, &delta);
		return before->row.record.generation == item->row.record.generation;
	}
	return false;
}

/* Imported as other systems have it: it begins where the store's lapsed record ended.
 * What has happened here since then knows better. */
static enum outcome place(const struct job *j, struct item *item, const struct record *have)
{
	struct record *want = &item->row.record;
	bool live = !record_expired(have, j->now);

	want->generation = have->generation + (live ? 0 : 1);
	if (live && record_held(have, j->now) && item->row.trust)
		return HELD;
	if (live && item->row.trust && record_pending(have) && have->first_seen >= want->last_seen)
		return PRESENT;
	/* A known one does not wait, and an attempt that was counted here counts once. */
	if (live && record_pending(want) && !record_pending(have))
		return PRESENT;
	return ADDED;
}

static void decide_item(const struct job *j, struct item *item)
{
	bool found = item->get.found[0];
	const struct record *have = &item->get.records[0];
	struct record *want = &item->row.record;

	item->delta = *want;
	if (record_expired(want, j->now)) {
		item->outcome = OVER;
		return;
	}
	item->outcome = ADDED;
	if (found && !item->row.own)
		item->outcome = place(j, item, have);
	if (item->outcome != ADDED)
		return;
	item->delta = *want;
	if (found && !store_copy_delta(have, want, &item->delta))
		item->outcome = PRESENT;
	else if (found && !record_expired(have, j->now))
		item->outcome = CHANGED;
	item->write = item->outcome != PRESENT;
}

static void decide_all(struct job *j)
{
	for (unsigned i = 0; i < j->count; i++) {
		struct item *item = &j->items[i];
		if (item->outcome == ADDED)
			decide_item(j, item);
		j->entries |= item->write && item->row.entry;
	}
}

/* --- Reading and writing ---------------------------------------------------------------------- */

static void pump(struct job *j);

static void after(struct item *item, enum store_status status)
{
	if (status != STORE_DONE) {
		item->outcome = FAILED;
		item->write = false;
	}
	item->job->in_flight--;
	if (!item->job->pumping)
		pump(item->job);
}

static void on_got(struct store_get *op, enum store_status status) { after(op->arg, status); }
static void on_merged(struct store_merge *op, enum store_status status) { after(op->arg, status); }

static void issue(struct job *j, struct item *item)
{
	enum store_status status;

	j->in_flight++;
	if (!j->writing) {
		item->get = (struct store_get){ .count = 1, .keys = { key_span(&item->row.key) }, .done = on_got, .arg = item };
		status = store_get(store_of(j), &item->get);
	} else {
		bool fresh = item->outcome == ADDED;
		item->merge = (struct store_merge){ .count = 1, .done = on_merged, .arg = item };
		item->merge.deltas[0] = (struct store_delta){ .key = key_span(&item->row.key), .delta = item->delta, .fresh = fresh };
		/* Others that share the store see by this count that lists have changed. */
		if (item->row.entry)
			item->merge.deltas[item->merge.count++] = (struct store_delta){ .key = span_of(LISTKEY_COUNTER), .delta = {
				.first_seen = j->now, .last_seen = j->now, .passed_at = j->now, .expires = LIST_NEVER, .blocked = 1 } };
		status = store_merge(store_of(j), &item->merge);
	}
	if (status != STORE_PENDING)
		after(item, status);
}

static bool concerned(const struct job *j, const struct item *item)
{
	return j->writing ? item->write : item->outcome == ADDED;
}

/* Keeps some operations on their way; after the last of a phase the next begins. */
static void pump(struct job *j)
{
	j->pumping = true;
	for (;;) {
		while (j->next < j->count && j->in_flight < IN_FLIGHT_MAX) {
			struct item *item = &j->items[j->next++];
			if (concerned(j, item))
				issue(j, item);
		}
		if (j->in_flight || j->next < j->count || j->writing || control_gone(j->conn))
			break;
		decide_all(j);
		j->writing = true;
		j->next = j->dry ? j->count : 0;
	}
	j->pumping = false;
	if (j->in_flight == 0)
		end(j);
}

/* --- Rows ------------------------------------------------------------------------------------- */

static void read_rows(struct job *j, const json_t *rows)
{
	struct server *s = control_server(j->conn);
	const struct policy *policy = &engine_config(s->engine)->policy;

	for (unsigned i = 0; i < j->count; i++) {
		struct item *item = &j->items[i];
		item->job = j;
		if (!importrow_read(&item->row, json_array_get(rows, i), policy, j->now))
			item->outcome = REFUSED;
		else if (fold(j, i))
			item->outcome = PRESENT;
	}
}

void control_import(struct control_conn *c, const json_t *arguments)
{
	const json_t *rows = json_object_get(arguments, "rows");
	size_t count = json_array_size(rows);
	struct job *j = NULL;

	if (!json_is_array(rows) || count > CONTROL_IMPORT_MAX) {
		control_error(c, "import needs an array \"rows\" of at most %d", CONTROL_IMPORT_MAX);
		return;
	}
	j = calloc(1, sizeof *j);
	if (j)
		j->items = calloc(count + 1, sizeof *j->items);
	if (!j || !j->items) {
		free(j);
		control_error(c, "out of memory");
		return;
	}
	j->conn = c;
	j->now = clock_wall(control_server(c)->clock);
	j->count = (unsigned)count;
	j->dry = json_is_true(json_object_get(arguments, "dry_run"));
	read_rows(j, rows);
	pump(j);
}
