/* list_remove from "held": lets go exactly the clients that are named. */
#include "daemon/control_command.h"
#include "lists/listvalue.h"

struct job {
	struct control_scan base;	/* first */
	json_t *arguments;
	size_t at;			/* which of the values */
	bool each, dry_run;
	bool looping, scanning;		/* go_on() is on the stack; a scan has not ended */
	const char *error;		/* of the store */
	struct key key;			/* of the client's record */
	struct record record;		/* as found */
	bool found;
	unsigned removed, absent, refused;
};

static bool go_on(struct job *j);

static void log_change(const struct job *j)
{
	const char *author = control_text(j->arguments, "author");
	char text[200];
	struct buf b = BUF_ON(text);

	buf_addf(&b, "%u removed", j->removed);
	if (author && author[0]) {
		buf_adds(&b, " by ");
		buf_addsafe(&b, span_of(author), LIST_AUTHOR_MAX);
	}
	log_msg(LOG_LEVEL_NOTICE, "lists: held: %s", buf_str(&b));
}

static void end(struct job *j)
{
	struct control_conn *c = j->base.conn;
	const char *error = j->error;

	if (!error)
		control_send(c, json_pack("{s:b, s:i, s:i, s:i}", "dry_run", j->dry_run, "removed", (int)j->removed,
			"absent", (int)j->absent, "refused", (int)j->refused));
	if (j->removed && !j->dry_run)
		log_change(j);
	json_decref(j->arguments);
	free(j);
	if (error)
		control_error(c, "%s", error);
	else
		control_end(c);
}

static const json_t *value_of(const struct job *j)
{
	return json_array_get(json_object_get(j->arguments, "values"), j->at);
}

static void tell(const struct job *j, const char *outcome, const char *why)
{
	const char *value = control_text(value_of(j), "value");
	json_t *row = json_pack("{s:i, s:s, s:s, s:o}", "index", (int)j->at, "outcome", outcome, "kind", "client",
				"value", control_string(span_of(value ? value : "")));

	if (why)
		json_object_set_new(row, "why", json_string(why));
	if (j->found)
		json_object_set_new(row, "until", control_time(j->record.held_until));
	control_send(j->base.conn, row);
}

static bool take_row(struct recordscan *s, struct span key, const struct record *r)
{
	struct job *j = (struct job *)s;

	/* What was scanned for is the start of other addresses' keys too. */
	if (!span_eq(key, key_span(&j->key)) || !record_held(r, j->base.now))
		return false;
	j->found = true;
	j->record = *r;
	return !j->dry_run;
}

static void done(struct recordscan *s, const char *error)
{
	struct job *j = (struct job *)s;

	j->scanning = false;
	j->error = error;
	if (!error) {
		j->removed += j->found;
		j->absent += !j->found;
		if (j->each)
			tell(j, j->found ? "removed" : "absent", NULL);
		j->at++;
	}
	if (!j->looping && go_on(j))
		end(j);
}

/* The key of the next value's record; false with why. */
static bool read_value(struct job *j, struct buf *why)
{
	const char *kind = control_text(value_of(j), "kind"), *value = control_text(value_of(j), "value");
	char text[LIST_VALUE_MAX + 1];
	struct buf normal = BUF_ON(text);

	if (!kind || strcmp(kind, list_kind_word(LIST_CLIENT)) != 0) {
		buf_fail(why, "only clients are held");
		return false;
	}
	return listvalue_read(LIST_CLIENT, span_of(value ? value : ""), &normal, why) == 1 &&
	       key_allowed(&j->key, buf_span(&normal));
}

/* True when nothing is left to do. Scans may end at once: a loop, so that a thousand of
 * them do not pile up on the stack. */
static bool go_on(struct job *j)
{
	size_t count = json_array_size(json_object_get(j->arguments, "values"));
	char text[200];
	struct buf why = BUF_ON(text);

	j->looping = true;
	while (j->at < count && !j->error && !control_gone(j->base.conn)) {
		buf_clear(&why);
		j->found = false;
		if (!read_value(j, &why)) {
			j->refused++;
			tell(j, "refused", buf_str(&why));
			j->at++;
			continue;
		}
		j->base.scan.prefix = key_span(&j->key);
		j->scanning = true;
		recordscan_start(&j->base.scan);
		if (j->scanning) {
			j->looping = false;
			return false;
		}
	}
	return true;
}

void control_let_go(struct control_conn *c, const json_t *arguments)
{
	const json_t *values = json_object_get(arguments, "values");
	struct job *j;

	if (!json_is_array(values) || json_array_size(values) > LIVING_BATCH_MAX) {
		control_error(c, "\"values\" is no array of at most %d", LIVING_BATCH_MAX);
		return;
	}
	j = control_scan_new(c, sizeof *j, take_row, done);
	if (!j)
		return;
	j->arguments = json_deep_copy(arguments);
	j->each = json_is_true(json_object_get(arguments, "each"));
	j->dry_run = json_is_true(json_object_get(arguments, "dry_run"));
	if (go_on(j))
		end(j);
}
