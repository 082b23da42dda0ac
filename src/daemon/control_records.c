/* show and forget: a scan of the store, page by page, with a filter. */
#include "daemon/control_command.h"
#include "daemon/recordfilter.h"

#define PAGE 500

struct job {
	struct control_conn *conn;
	struct recordfilter filter;
	bool forget, dry_run;
	uint64_t matched;
	struct store_scan scan;
	struct store_remove remove;
	struct buf doomed;		/* keys of this page to forget, each ended by '\n' */
	struct record records[PAGE];
	char from[KEY_MAX + 1];
};

static void next_page(void *arg);

static void finish(struct job *j, const char *error)
{
	struct control_conn *c = j->conn;

	if (!error && j->forget)
		control_send(c, json_pack("{s:I, s:b}", "forgotten", (json_int_t)j->matched, "dry_run", j->dry_run));
	buf_free(&j->scan.keys);
	buf_free(&j->doomed);
	free(j);
	if (error)
		control_error(c, "%s", error);
	else
		control_end(c);
}

static const char *state_of(const struct key_parts *parts, const struct record *r, int64_t now)
{
	if (record_expired(r, now))
		return record_pending(r) ? "lapsed" : "expired";
	if (record_pending(r))
		return "waiting";
	return parts->kind == KEY_KIND_ALLOWED ? "allowed" : "known";
}

static json_t *part(struct span escaped)
{
	char text[KEY_MAX + 1];
	struct buf b = BUF_ON(text);

	key_unescape(&b, escaped);
	return control_string(buf_span(&b));
}

static void send_row(struct job *j, const struct key_parts *p, const struct record *r)
{
	int64_t now = clock_wall(control_server(j->conn)->clock);

	json_t *row = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:I, s:I}",
		"kind", p->kind == KEY_KIND_ALLOWED ? "allowed" : "triplet", "state", state_of(p, r, now),
		"identity", part(p->identity), "first_seen", control_time(r->first_seen),
		"last_seen", control_time(r->last_seen), "passed_at", control_time(r->passed_at),
		"expires", control_time(r->expires), "blocked", (json_int_t)r->blocked,
		"passed", (json_int_t)r->passed);
	if (p->kind == KEY_KIND_TRIPLET) {
		json_object_set_new(row, "sender", part(p->sender));
		json_object_set_new(row, "recipient", part(p->recipient));
	}
	control_send(j->conn, row);
}

static void take_page(struct job *j)
{
	struct span rest = buf_span(&j->scan.keys), key;
	struct key_parts parts;

	buf_clear(&j->doomed);
	for (unsigned i = 0; span_cut(&rest, '\n', &key); i++) {
		if (!key_split(key, &parts) || !recordfilter_matches(&j->filter, &parts))
			continue;
		j->matched++;
		if (!j->forget || j->dry_run)
			send_row(j, &parts, &j->records[i]);
		if (!j->forget || j->dry_run)
			continue;
		buf_addspan(&j->doomed, key);
		buf_addc(&j->doomed, '\n');
	}
}

static void on_removed(struct store_remove *op, enum store_status status)
{
	struct job *j = op->arg;

	if (status != STORE_DONE)
		finish(j, "the store could not forget all of them");
	else if (!j->scan.more)
		finish(j, NULL);
	else
		next_page(j);
}

/* True when the next page may be read at once. */
static bool after_page(struct job *j)
{
	take_page(j);
	if (j->doomed.n) {
		j->remove = (struct store_remove){ .keys = buf_span(&j->doomed), .done = on_removed, .arg = j };
		enum store_status status = store_remove(control_server(j->conn)->store, &j->remove);
		if (status == STORE_PENDING)
			return false;
		if (status == STORE_FAILED) {
			finish(j, "the store could not forget all of them");
			return false;
		}
	}
	if (!j->scan.more || control_gone(j->conn)) {
		finish(j, NULL);
		return false;
	}
	if (control_full(j->conn)) {
		control_wait(j->conn, next_page, j);
		return false;
	}
	return true;
}

static void on_page(struct store_scan *op, enum store_status status)
{
	struct job *j = op->arg;

	if (status != STORE_DONE)
		finish(j, "the store could not be read");
	else if (after_page(j))
		next_page(j);
}

static void next_page(void *arg)
{
	struct job *j = arg;
	enum store_status status;

	do {
		if (control_gone(j->conn)) {
			finish(j, NULL);
			return;
		}
		status = store_scan(control_server(j->conn)->store, &j->scan);
		if (status == STORE_PENDING)
			return;
		if (status == STORE_FAILED) {
			finish(j, "the store could not be read");
			return;
		}
	} while (after_page(j));
}

static void start(struct control_conn *c, const json_t *arguments, bool forget)
{
	char text[200];
	struct buf why = BUF_ON(text);
	const char *field = control_text(arguments, "field"), *pattern = control_text(arguments, "pattern");
	struct job *j = calloc(1, sizeof *j);

	if (!j) {
		control_error(c, "out of memory");
		return;
	}
	j->conn = c;
	j->forget = forget;
	j->dry_run = json_is_true(json_object_get(arguments, "dry_run"));
	j->doomed = buf_heap(PAGE * (KEY_MAX + 1));
	j->scan = (struct store_scan){ .from = buf_on(j->from, sizeof j->from), .limit = PAGE, .records = j->records,
				       .keys = buf_heap(PAGE * (KEY_MAX + 1)), .done = on_page, .arg = j };
	if (recordfilter_parse(&j->filter, field ? field : "", pattern ? pattern : "", &why) != 0)
		finish(j, buf_str(&why));
	else if (forget && recordfilter_matches_all(&j->filter) && !json_is_true(json_object_get(arguments, "all")))
		finish(j, "that would forget everything; --all if you mean it");
	else
		next_page(j);
}

void control_show(struct control_conn *c, const json_t *arguments)
{
	start(c, arguments, false);
}

void control_forget(struct control_conn *c, const json_t *arguments)
{
	start(c, arguments, true);
}
