/* export: all records and lists as they are stored, but for what has expired. */
#include "core/listkey.h"
#include "daemon/control_command.h"
#include "daemon/importrow.h"

struct job {
	struct control_scan base;	/* first */
};

static bool take_row(struct recordscan *s, struct span key, const struct record *r)
{
	struct job *j = (struct job *)s;
	char text[3 * KEY_MAX + 1];
	struct buf b = BUF_ON(text);
	struct listkey_parts entry;
	struct key_parts parts;

	if (record_expired(r, j->base.now) || (!key_split(key, &parts) && !listkey_split(key, &entry)))
		return false;
	importrow_add_key(&b, key);
	control_send(j->base.conn, json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "key", buf_str(&b),
		"generation", (json_int_t)r->generation, "first_seen", (json_int_t)r->first_seen,
		"last_seen", (json_int_t)r->last_seen, "passed_at", (json_int_t)r->passed_at,
		"expires", (json_int_t)r->expires, "blocked", (json_int_t)r->blocked, "passed", (json_int_t)r->passed,
		"held_until", (json_int_t)r->held_until, "held_for", (json_int_t)r->held_for,
		"strikes", (json_int_t)r->strikes));
	return false;
}

static void end(struct recordscan *s, const char *error)
{
	struct control_conn *c = ((struct job *)s)->base.conn;

	free(s);
	if (error)
		control_error(c, "%s", error);
	else
		control_end(c);
}

void control_export(struct control_conn *c, const json_t *arguments)
{
	struct job *j = control_scan_new(c, sizeof *j, take_row, end);

	(void)arguments;
	if (!j)
		return;
	recordscan_start(&j->base.scan);
}
