/* Where the database is and who we are there: the words of the configuration. */
#ifndef GREYLAG_STORE_MARIADB_WHERE_H
#define GREYLAG_STORE_MARIADB_WHERE_H

#include "base/dbtarget.h"
#include "store/secret.h"
#include "store/store.h"

struct mariadb_where {
	struct dbtarget target;
	char user[65];			/* "": the system's name of who runs this */
	char password_file[512];	/* "": none */
	char password[SECRET_MAX + 1];
	char tls_ca[512];		/* "": no TLS is asked for */
	bool consistent_reads;
};

/* 0, or -1 with a reason. Copies. */
int mariadb_where_read(struct mariadb_where *w, const struct store_options *options, struct buf *why);
/* Reads the password's file anew; without success the former password stays. */
void mariadb_where_password(struct mariadb_where *w);

#endif
