#include "store/rocksdb_merge.h"

#include "base/log.h"
#include "store/driver.h"

/* The C API copies a merge's result at once, so one place a thread is enough
 * and nothing needs to be freed. */
static _Thread_local unsigned char result[RECORD_SIZE];

bool rocksdb_merge_decode(struct rocksdb_merge *m, struct span value, struct record *out)
{
	if (record_decode(value, out))
		return true;
	if (__atomic_fetch_add(&m->odd, 1, __ATOMIC_RELAXED) == 0)
		log_msg(LOG_LEVEL_WARNING, "store: a record of %zu bytes is of another version or "
			"damaged; it and its like count as absent", value.n);
	return false;
}

static void merge_operand(struct rocksdb_merge *m, struct record *into, const char *p, size_t n)
{
	struct record delta;

	if (rocksdb_merge_decode(m, span_make(p, n), &delta))
		record_merge(into, &delta);
}

/* Must not fail, or every compaction over this key would: what cannot be read
 * counts as absent. */
static char *full_merge(void *state, const char *key, size_t key_n, const char *base, size_t base_n,
			const char *const *operands, const size_t *operands_n, int count,
			unsigned char *success, size_t *result_n)
{
	struct rocksdb_merge *m = state;
	struct record sum = { 0 };

	(void)key;
	(void)key_n;
	if (base)
		merge_operand(m, &sum, base, base_n);
	for (int i = 0; i < count; i++)
		merge_operand(m, &sum, operands[i], operands_n[i]);
	record_encode(&sum, result);
	*success = 1;
	*result_n = sizeof result;
	return (char *)result;
}

/* May fail: RocksDB keeps the operands as they are then, so those of a newer
 * version survive a downgrade until the full merge. */
static char *partial_merge(void *state, const char *key, size_t key_n,
			   const char *const *operands, const size_t *operands_n, int count,
			   unsigned char *success, size_t *result_n)
{
	struct record sum = { 0 }, delta;

	(void)state;
	(void)key;
	(void)key_n;
	*success = 0;
	*result_n = 0;
	for (int i = 0; i < count; i++) {
		if (!record_decode(span_make(operands[i], operands_n[i]), &delta))
			return (char *)result;
		record_merge(&sum, &delta);
	}
	record_encode(&sum, result);
	*success = 1;
	*result_n = sizeof result;
	return (char *)result;
}

static void keep_result(void *state, const char *value, size_t n)
{
	(void)state;
	(void)value;
	(void)n;
}

static void keep_state(void *state)
{
	(void)state;
}

static const char *operator_name(void *state)
{
	(void)state;
	return "greylag.record";
}

static unsigned char drop(void *state, int level, const char *key, size_t key_n, const char *value,
			  size_t value_n, char **new_value, size_t *new_value_n, unsigned char *changed)
{
	const struct rocksdb_merge *m = state;
	struct record r;

	(void)level;
	(void)key;
	(void)key_n;
	(void)new_value;
	(void)new_value_n;
	*changed = 0;
	if (__atomic_load_n(&m->untrusted, __ATOMIC_RELAXED))
		return 0;
	return record_decode(span_make(value, value_n), &r) &&
	       record_expired(&r, clock_wall(m->clock) - STORE_GRACE_S);
}

rocksdb_mergeoperator_t *rocksdb_merge_operator(struct rocksdb_merge *m)
{
	return rocksdb_mergeoperator_create(m, keep_state, full_merge, partial_merge, keep_result,
					    operator_name);
}

rocksdb_compactionfilter_t *rocksdb_merge_filter(struct rocksdb_merge *m)
{
	return rocksdb_compactionfilter_create(m, keep_state, drop, operator_name);
}
