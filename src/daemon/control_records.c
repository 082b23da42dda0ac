/* show and forget: all records through a filter. */
#include "daemon/control_command.h"
#include "daemon/recordfilter.h"
#include "daemon/recordscan.h"

struct job {
	struct control_scan base;	/* first */
	struct recordfilter filter;
	bool forget, dry_run;
	bool count;			/* of a dry run only the number is wanted */
	int64_t since;			/* show: only what was seen since then */
	uint64_t matched;
};

static struct job *job_of(struct recordscan *s)
{
	return (struct job *)s;
}

static void end(struct recordscan *s, const char *error)
{
	struct job *j = job_of(s);
	struct control_conn *c = j->base.conn;

	if (!error && j->forget)
		control_send(c, json_pack("{s:I, s:b}", "forgotten", (json_int_t)j->matched, "dry_run", j->dry_run));
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
	if (record_held(r, now))
		return "held";
	if (parts->kind == KEY_KIND_WRITTEN)
		return "awaited";
	if (record_pending(r))
		return "waiting";
	return parts->kind == KEY_KIND_ALLOWED ? "allowed" : "known";
}

static const char *kind_of(const struct key_parts *parts)
{
	return parts->kind == KEY_KIND_ALLOWED ? "allowed" : parts->kind == KEY_KIND_WRITTEN ? "correspondent" : "triplet";
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
	json_t *row = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:I, s:I}",
		"kind", kind_of(p), "state", state_of(p, r, j->base.now),
		"identity", part(p->identity), "first_seen", control_time(r->first_seen),
		"last_seen", control_time(r->last_seen), "passed_at", control_time(r->passed_at),
		"expires", control_time(r->expires), "blocked", (json_int_t)r->blocked,
		"passed", (json_int_t)r->passed);
	if (record_held(r, j->base.now))
		json_object_set_new(row, "held_until", control_time(r->held_until));
	if (p->kind != KEY_KIND_ALLOWED) {
		json_object_set_new(row, "sender", part(p->sender));
		json_object_set_new(row, "recipient", part(p->recipient));
	}
	control_send(j->base.conn, row);
}

static bool take_row(struct recordscan *s, struct span key, const struct record *r)
{
	struct job *j = job_of(s);
	struct key_parts parts;

	if (r->last_seen < j->since || !key_split(key, &parts) || !recordfilter_matches(&j->filter, &parts))
		return false;
	j->matched++;
	if (j->forget && !j->dry_run)
		return true;
	if (!j->count)
		send_row(j, &parts, r);
	return false;
}

static void start(struct control_conn *c, const json_t *arguments, bool forget)
{
	char text[200];
	struct buf why = BUF_ON(text);
	const char *field = control_text(arguments, "field"), *pattern = control_text(arguments, "pattern");
	struct job *j = control_scan_new(c, sizeof *j, take_row, end);

	if (!j)
		return;
	j->forget = forget;
	if (!forget)
		j->since = json_integer_value(json_object_get(arguments, "since"));
	j->dry_run = json_is_true(json_object_get(arguments, "dry_run"));
	j->count = forget && json_is_true(json_object_get(arguments, "count"));
	if (recordfilter_parse(&j->filter, field ? field : "", pattern ? pattern : "", &why) != 0)
		end(&j->base.scan, buf_str(&why));
	else if (forget && recordfilter_matches_all(&j->filter) && !json_is_true(json_object_get(arguments, "all")))
		end(&j->base.scan, "that would forget everything; --all if you mean it");
	else
		recordscan_start(&j->base.scan);
}

void control_show(struct control_conn *c, const json_t *arguments)
{
	start(c, arguments, false);
}

void control_forget(struct control_conn *c, const json_t *arguments)
{
	start(c, arguments, true);
}
