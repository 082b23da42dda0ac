/* What is wrong with the database, said once in the log and kept for store_health.
 * Under the pool's lock. */
#ifndef GREYLAG_STORE_MARIADB_TROUBLE_H
#define GREYLAG_STORE_MARIADB_TROUBLE_H

#include "base/dbtarget.h"

#define MARIADB_TROUBLE_TEXT 500

enum mariadb_trouble_kind { MARIADB_AWAY, MARIADB_WRITING, MARIADB_READING, MARIADB_TROUBLES };

struct mariadb_trouble {
	char texts[MARIADB_TROUBLES][MARIADB_TROUBLE_TEXT];	/* "": none of that kind */
	char shown[MARIADB_TROUBLE_TEXT];			/* what mariadb_trouble_health returned */
};

/* Logged when it is news. */
void mariadb_trouble_note(struct mariadb_trouble *t, enum mariadb_trouble_kind kind, const struct dbtarget_server *server,
			  const char *what, const char *detail);
/* Logs `what`, when there was trouble of that kind. */
void mariadb_trouble_over(struct mariadb_trouble *t, enum mariadb_trouble_kind kind, const struct dbtarget_server *server,
			  const char *what);
/* NULL, or a text that stays until the next call. */
const char *mariadb_trouble_health(struct mariadb_trouble *t, bool serving);

#endif
