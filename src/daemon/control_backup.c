/* backup: a copy of the store while mail flows. */
#include "daemon/control_command.h"

struct backup {
	struct control_conn *conn;
	struct store_backup op;
	struct buf why;
	char directory[1024];
	char text[600];
};

static void finish(struct backup *b, enum store_status status)
{
	struct control_conn *c = b->conn;
	char text[600];

	snprintf(text, sizeof text, "%s", buf_str(&b->why));
	if (status == STORE_DONE) {
		log_msg(LOG_LEVEL_NOTICE, "backup written to %s", b->directory);
		control_send(c, json_pack("{s:s}", "backup", b->directory));
	}
	free(b);
	if (status == STORE_DONE)
		control_end(c);
	else
		control_error(c, "backup failed: %s", text);
}

static void on_done(struct store_backup *op, enum store_status status)
{
	finish(op->arg, status);
}

void control_backup(struct control_conn *c, const json_t *arguments)
{
	const char *directory = control_text(arguments, "directory");
	struct backup *b = calloc(1, sizeof *b);

	if (!b || !directory || directory[0] != '/' || strlen(directory) >= sizeof b->directory) {
		free(b);
		control_error(c, "backup needs the absolute path of a folder that does not exist yet");
		return;
	}
	b->conn = c;
	b->why = buf_on(b->text, sizeof b->text);
	snprintf(b->directory, sizeof b->directory, "%s", directory);
	b->op = (struct store_backup){ .directory = b->directory, .why = &b->why, .done = on_done, .arg = b };
	enum store_status status = store_backup(control_server(c)->store, &b->op);
	if (status != STORE_PENDING)
		finish(b, status);
}
