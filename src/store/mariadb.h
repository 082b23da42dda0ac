/* A database of MariaDB, MySQL or a Galera cluster: any number of greylagds share it.
 * Loop thread.
 *
 * Target: as in base/dbtarget.h; user, password file, tls-ca, workers and
 * consistent-reads come with the options. Operations are gathered into jobs
 * (mariadb_job.h), which workers carry out (mariadb_pool.h). */
#ifndef GREYLAG_STORE_MARIADB_H
#define GREYLAG_STORE_MARIADB_H

#include "store/driver.h"

/* Makes the tables or brings them up to date; blocks. 0, or -1 with a reason. */
int mariadb_init(const struct store_options *options, struct buf *why);

#endif
