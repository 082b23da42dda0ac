/* Does a job on a connection. Blocks; on a worker's thread. */
#ifndef GREYLAG_STORE_MARIADB_RUN_H
#define GREYLAG_STORE_MARIADB_RUN_H

#include "store/mariadb_job.h"
#include "store/mariadb_link.h"

/* Memory for the parameters of one statement; each worker has one. */
struct mariadb_scratch;
struct mariadb_scratch *mariadb_scratch_new(void);
void mariadb_scratch_free(struct mariadb_scratch **s);

/* MARIADB_FINE with the results in the job; otherwise text in why. A statement that
 * others were in the way of is tried again, as long as somebody waits for it. */
enum mariadb_fault mariadb_run(struct mariadb_link *l, struct mariadb_scratch *s, struct mariadb_job *j, struct buf *why);

#endif
