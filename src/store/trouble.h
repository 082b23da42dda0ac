/* What is wrong with a store, said once in the log and kept for store_health.
 * Any thread, except where noted. */
#ifndef GREYLAG_STORE_TROUBLE_H
#define GREYLAG_STORE_TROUBLE_H

#include <pthread.h>

#include "base/buf.h"

#define TROUBLE_TEXT 400
#define TROUBLE_READ_S 60	/* a failed read is shown for so long */

struct trouble {
	pthread_mutex_t lock;
	char write[TROUBLE_TEXT];	/* "": writing works */
	char read[TROUBLE_TEXT];
	uint64_t read_ns;		/* 0: never */
	char shown[TROUBLE_TEXT];	/* loop thread: what trouble_health returned */
};

void trouble_init(struct trouble *t);
void trouble_end(struct trouble *t);

/* Writing failed: logged when it worked before or the text is another one. */
void trouble_write(struct trouble *t, const char *folder, const char *text);
/* Writing works again. */
void trouble_over(struct trouble *t, const char *folder);
/* A read failed: logged once in TROUBLE_READ_S. */
void trouble_read(struct trouble *t, const char *folder, const char *text);

/* NULL or a text that stays until the next call. Loop thread only. */
const char *trouble_health(struct trouble *t);

#endif
