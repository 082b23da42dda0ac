/* Keys in order, within a bound of memory: when there are more, the greatest go.
 * A skip list, so that no step takes long. Loop thread. */
#ifndef GREYLAG_STORE_VALKEY_RUN_H
#define GREYLAG_STORE_VALKEY_RUN_H

#include "base/span.h"

#define VALKEY_RUN_LEVELS 16
#define VALKEY_RUN_BYTES ((size_t)8 << 20)

struct valkey_run_node;

struct valkey_run {
	struct valkey_run_node *heads[VALKEY_RUN_LEVELS];
	struct valkey_run_node *last;
	size_t bytes;
	uint64_t random;
	bool cut;		/* keys greater than the last were left out */
};

void valkey_run_clear(struct valkey_run *r);
/* A key that is there already is not added again. False: no memory. */
bool valkey_run_add(struct valkey_run *r, struct span key);
/* The least key, and the one after a node; NULL at the end. */
const struct valkey_run_node *valkey_run_first(const struct valkey_run *r);
const struct valkey_run_node *valkey_run_next(const struct valkey_run_node *n);
struct span valkey_run_key(const struct valkey_run_node *n);
void valkey_run_drop_first(struct valkey_run *r);

/* Bytewise, the shorter first: the order of scans. */
int valkey_run_compare(struct span a, struct span b);

#endif
