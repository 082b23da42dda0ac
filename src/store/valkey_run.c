#include "store/valkey_run.h"

struct valkey_run_node {
	uint32_t levels;
	uint32_t key_n;
	struct valkey_run_node *next[];		/* `levels` of them; the key's bytes follow */
};

/* Where the pointer to the next node stands, on each level: in a node, or a head. */
typedef struct valkey_run_node **links[VALKEY_RUN_LEVELS];

int valkey_run_compare(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n ? memcmp(a.p, b.p, n) : 0;

	return order ? order : (a.n > b.n) - (a.n < b.n);
}

struct span valkey_run_key(const struct valkey_run_node *n)
{
	return span_make((const char *)(n->next + n->levels), n->key_n);
}

const struct valkey_run_node *valkey_run_first(const struct valkey_run *r)
{
	return r->heads[0];
}

const struct valkey_run_node *valkey_run_next(const struct valkey_run_node *n)
{
	return n->next[0];
}

static size_t node_size(uint32_t levels, size_t key_n)
{
	return sizeof(struct valkey_run_node) + levels * sizeof(struct valkey_run_node *) + key_n;
}

/* The links that lead to the first key >= key; *before: the node in front of it. */
static void seek(struct valkey_run *r, struct span key, links at, struct valkey_run_node **before)
{
	struct valkey_run_node **row = r->heads;

	*before = NULL;
	for (unsigned level = VALKEY_RUN_LEVELS; level-- > 0; ) {
		while (row[level] && valkey_run_compare(valkey_run_key(row[level]), key) < 0) {
			*before = row[level];
			row = row[level]->next;
		}
		at[level] = &row[level];
	}
}

static uint32_t random_levels(struct valkey_run *r)
{
	uint32_t levels = 1;

	r->random = r->random * 6364136223846793005u + 1442695040888963407u;
	for (uint64_t bits = r->random >> 20; levels < VALKEY_RUN_LEVELS && (bits & 3) == 0; bits >>= 2)
		levels++;
	return levels;
}

static void drop_last(struct valkey_run *r)
{
	struct valkey_run_node *n = r->last, *before;
	links at;

	seek(r, valkey_run_key(n), at, &before);
	for (uint32_t level = 0; level < n->levels; level++)
		*at[level] = NULL;
	r->bytes -= node_size(n->levels, n->key_n);
	r->last = before;
	r->cut = true;
	free(n);
}

bool valkey_run_add(struct valkey_run *r, struct span key)
{
	struct valkey_run_node *before, *n;
	uint32_t level = 0;
	links at;

	if (r->cut && r->last && valkey_run_compare(key, valkey_run_key(r->last)) > 0)
		return true;
	seek(r, key, at, &before);
	if (*at[0] && span_eq(valkey_run_key(*at[0]), key))
		return true;
	uint32_t levels = random_levels(r);
	n = calloc(1, node_size(levels, key.n));
	if (!n)
		return false;
	n->levels = levels;
	n->key_n = (uint32_t)key.n;
	memcpy(n->next + levels, key.p, key.n);
	do {
		n->next[level] = *at[level];
		*at[level] = n;
	} while (++level < levels);
	if (!n->next[0])
		r->last = n;
	r->bytes += node_size(levels, key.n);
	while (r->bytes > VALKEY_RUN_BYTES)
		drop_last(r);
	return true;
}

void valkey_run_drop_first(struct valkey_run *r)
{
	struct valkey_run_node *n = r->heads[0];
	uint32_t level = 0;

	if (!n)
		return;
	do
		r->heads[level] = n->next[level];
	while (++level < n->levels);
	r->bytes -= node_size(n->levels, n->key_n);
	if (r->last == n)
		r->last = NULL;
	free(n);
}

void valkey_run_clear(struct valkey_run *r)
{
	while (r->heads[0])
		valkey_run_drop_first(r);
	r->cut = false;
}
