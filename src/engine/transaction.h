/* One verdict per transaction (RFC 6647 section 5.1): what was decided for a
 * transaction's first judged recipient, remembered for the others. A fixed
 * table; when a set of slots is full the oldest entry goes. Loop thread only. */
#ifndef GREYLAG_ENGINE_TRANSACTION_H
#define GREYLAG_ENGINE_TRANSACTION_H

#include "core/decide.h"

/* How long a transaction is remembered: RFC 5321 section 4.5.3.2 gives each step
 * at most 10 minutes. */
#define TRANSACTION_KEEP_S 1800
/* Longest recipient kept for a null sender; longer ones are not remembered. */
#define TRANSACTION_RECIPIENT_MAX 320

struct transactions;

/* NULL when there is no memory. About 3 MB for 8,192 entries. */
struct transactions *transactions_new(void);
void transactions_free(struct transactions **t);

/* Looks the request's transaction up; requests without instance have none.
 * *out->found says whether a verdict is remembered. *recipient becomes the
 * first recipient of a null sender's transaction, or empty; it borrows from
 * the table until the next call. */
void transactions_find(const struct transactions *t, const struct request *r, int64_t now,
		       struct fact_transaction *out, struct span *recipient);
/* Remembers a verdict. */
void transactions_put(struct transactions *t, const struct request *r, int64_t now,
		      const struct fact_transaction *verdict);
/* Remembers the recipient of a null sender, for DATA; the first one stays. */
void transactions_put_recipient(struct transactions *t, const struct request *r, int64_t now);

#endif
