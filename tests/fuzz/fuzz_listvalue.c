/* Values of the living lists: a normal form is its own normal form, its key gives it
 * back, and a name or address is found under itself. The same bytes as a stored key. */
#include "lists/listvalue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(void *arg, struct span value)
{
	return span_eq(*(struct span *)arg, value);
}

static void check_key(enum list_kind kind, struct span value)
{
	char text[LIST_VALUE_MAX + 1];
	struct buf back = BUF_ON(text);
	struct listkey_parts parts;
	struct key k;

	if (!listkey_entry(&k, span_of("x"), kind, value) || !listkey_split(key_span(&k), &parts))
		abort();
	listkey_unescape(&back, parts.value);
	if (parts.kind != kind || parts.author.n || !span_eq(buf_span(&back), value))
		abort();
}

static void check_value(enum list_kind kind, struct span text)
{
	char one[LIST_VALUE_MAX + 1], two[LIST_VALUE_MAX + 1], problem[200];
	struct buf normal = BUF_ON(one), again = BUF_ON(two), why = BUF_ON(problem);
	int good = listvalue_read(kind, text, &normal, &why);

	for (size_t i = 0; i < why.n; i++)
		if (ascii_control(why.p[i]))
			abort();
	if (good != 1) {
		if (good < 0 || why.n == 0 || normal.n)
			abort();
		return;
	}
	struct span value = buf_span(&normal);
	if (normal.over || listvalue_read(kind, value, &again, &why) != 1 || !span_eq(buf_span(&again), value))
		abort();
	check_key(kind, value);
	if (kind == LIST_NAME && value.p[0] != '.' && !listvalue_of_name(span_from(value, value.p[0] == '='), same, &value))
		abort();
	size_t at = span_rfind(value, '@');
	if (kind == LIST_SENDER && at > 0 && at + 1 < value.n && !listvalue_of_address(value, same, &value))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_make((const char *)data, size);
	char unescaped[KEY_MAX + 1];
	struct buf b = BUF_ON(unescaped);
	struct listkey_parts parts;

	for (unsigned kind = 0; kind < LIST_KINDS; kind++)
		check_value((enum list_kind)kind, text);
	if (size <= KEY_MAX && listkey_split(text, &parts))
		listkey_unescape(&b, parts.value);
	return 0;
}
