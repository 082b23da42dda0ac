#include "store/mariadb_trouble.h"

#include "base/log.h"

static void begin(struct buf *out, const struct dbtarget_server *server, const char *what)
{
	buf_adds(out, "store mariadb ");
	dbtarget_name(out, server);
	buf_addf(out, ": %s", what);
}

void mariadb_trouble_note(struct mariadb_trouble *t, enum mariadb_trouble_kind kind, const struct dbtarget_server *server,
			  const char *what, const char *detail)
{
	char now[MARIADB_TROUBLE_TEXT];
	struct buf text = BUF_ON(now);

	begin(&text, server, what);
	if (detail[0])
		buf_addf(&text, ": %s", detail);
	if (strcmp(buf_str(&text), t->texts[kind]) == 0)
		return;
	log_msg(LOG_LEVEL_ERROR, "%s", now);
	memcpy(t->texts[kind], now, sizeof now);
}

void mariadb_trouble_over(struct mariadb_trouble *t, enum mariadb_trouble_kind kind, const struct dbtarget_server *server,
			  const char *what)
{
	char now[MARIADB_TROUBLE_TEXT];
	struct buf text = BUF_ON(now);

	if (!t->texts[kind][0])
		return;
	begin(&text, server, what);
	log_msg(LOG_LEVEL_NOTICE, "%s", buf_str(&text));
	t->texts[kind][0] = '\0';
}

const char *mariadb_trouble_health(struct mariadb_trouble *t, bool serving)
{
	const char *text = t->texts[MARIADB_WRITING][0] ? t->texts[MARIADB_WRITING] : t->texts[MARIADB_READING];

	if (!serving)
		text = t->texts[MARIADB_AWAY][0] ? t->texts[MARIADB_AWAY] : "store mariadb: not connected yet";
	snprintf(t->shown, sizeof t->shown, "%s", text);
	return t->shown[0] ? t->shown : NULL;
}
