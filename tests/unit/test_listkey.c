#include "check.h"

#include "core/listkey.h"

static void readable(void **state)
{
	struct key k;

	(void)state;
	assert_true(listkey_entry(&k, span_of("allow"), LIST_CLIENT, span_of("192.0.2.0/24")));
	assert_span(key_span(&k), "l allow client 192.0.2.0/24");
	assert_true(listkey_entry(&k, span_of("no-sms_2"), LIST_SENDER, span_of("<>")));
	assert_span(key_span(&k), "l no-sms_2 sender <>");
	assert_true(listkey_note(&k, span_of("block"), LIST_RECIPIENT, span_of("a%b@x.example"), span_of("root"),
				 span_of("sold our\naddress")));
	assert_span(key_span(&k), "l block recipient a%25b@x.example root sold%20our%0Aaddress");
	assert_true(listkey_note(&k, span_of("trap"), LIST_NAME, span_of("x.example"), span_of(""), span_of("")));
	assert_span(key_span(&k), "l trap name x.example <> <>");
}

static void what_cannot_be_a_key(void **state)
{
	char text[LIST_VALUE_MAX + 1];
	struct key k;

	(void)state;
	memset(text, '\n', sizeof text);
	struct span value = span_make(text, LIST_VALUE_MAX), longer = span_make(text, sizeof text), x = span_of("x");
	/* The largest parts, each byte escaped, still fit. */
	memset(text, '%', sizeof text);
	assert_true(listkey_note(&k, span_of("x123456789012345678901234567890123456789012345678901234567890123"),
				 LIST_RECIPIENT, value, span_head(value, LIST_AUTHOR_MAX), span_head(value, LIST_COMMENT_MAX)));
	assert_true(k.n > 0 && k.n <= KEY_MAX);
	assert_false(listkey_entry(&k, x, LIST_NAME, longer));
	assert_int_equal(k.n, 0);
	assert_false(listkey_note(&k, x, LIST_NAME, x, span_head(longer, LIST_AUTHOR_MAX + 1), x));
	assert_false(listkey_note(&k, x, LIST_NAME, x, x, span_head(longer, LIST_COMMENT_MAX + 1)));
	static const char *const lists[] = { "", "!", "a b", "a\n", "a.b", "ä", "a%", "\"" };
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		assert_false(list_word_valid(span_of(lists[i])));
		assert_false(listkey_entry(&k, span_of(lists[i]), LIST_NAME, x));
	}
	assert_false(list_word_valid(span_make("a\0b", 3)));
	assert_false(list_word_valid(span_head(longer, LIST_WORD_MAX + 1)));
	assert_false(listkey_entry(&k, x, LIST_NAME, span_of("")));
}

static void splitting_refuses(void **state)
{
	static const char *const keys[] = {
		"", "l", "l ", LISTKEY_COUNTER, "l allow", "l allow ", "l allow client", "l allow client ", "l allow dog x",
		"l allow Client x", "l a.b client x", "l allow client x y", "l allow client x  z", "l allow client x y ",
		"l allow client x y z w", "l allow client x y z ", "n allow client x", "a allow", "t allow client x",
		"lallow client x", "l  client x",
	};
	struct listkey_parts parts;

	(void)state;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (listkey_split(span_of(keys[i]), &parts))
			fail_msg("\"%s\" is no key", keys[i]);
	assert_false(listkey_split(span_make("l a client x\0", 4), &parts));
}

static struct span unescaped(char *text, size_t size, struct span part, bool value)
{
	struct buf b = buf_on(text, size);

	if (value)
		listkey_unescape(&b, part);
	else
		key_unescape(&b, part);
	return span_make(text, b.n);
}

static void splitting_undoes_building(void **state)
{
	uint64_t seed = 11;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char value[30], author[20], comment[40], back[200];
		size_t n[3] = { 1 + check_random(&seed) % (sizeof value - 1), check_random(&seed) % sizeof author,
				check_random(&seed) % sizeof comment };
		for (size_t i = 0; i < sizeof comment; i++) {
			comment[i] = (char)check_random(&seed);
			author[i % sizeof author] = (char)check_random(&seed);
			value[i % sizeof value] = (char)check_random(&seed);
		}
		enum list_kind kind = (enum list_kind)(check_random(&seed) % LIST_KINDS);
		struct key entry, note;
		struct listkey_parts e, p;
		assert_true(listkey_entry(&entry, span_of("some"), kind, span_make(value, n[0])));
		assert_true(listkey_note(&note, span_of("some"), kind, span_make(value, n[0]), span_make(author, n[1]),
					 span_make(comment, n[2])));
		assert_true(listkey_split(key_span(&entry), &e) && listkey_split(key_span(&note), &p));
		assert_true(e.kind == kind && p.kind == kind && e.author.n == 0 && p.author.n > 0);
		assert_true(span_eq(unescaped(back, sizeof back, e.value, true), span_make(value, n[0])));
		assert_true(span_eq(e.value, p.value));
		assert_true(span_eq(unescaped(back, sizeof back, p.author, false), span_make(author, n[1])));
		assert_true(span_eq(unescaped(back, sizeof back, p.comment, false), span_make(comment, n[2])));
		/* A note sorts right behind its entry. */
		assert_true(span_starts(key_span(&note), key_span(&entry)) && note.text[entry.n] == ' ');
	}
}

static void kinds_have_words(void **state)
{
	enum list_kind kind;

	(void)state;
	for (unsigned i = 0; i < LIST_KINDS; i++) {
		assert_true(list_kind_parse(span_of(list_kind_word((enum list_kind)i)), &kind));
		assert_int_equal(kind, i);
	}
	assert_false(list_kind_parse(span_of("CLIENT"), &kind));
	assert_false(list_kind_parse(span_of(""), &kind));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readable),
		cmocka_unit_test(what_cannot_be_a_key),
		cmocka_unit_test(splitting_refuses),
		cmocka_unit_test(splitting_undoes_building),
		cmocka_unit_test(kinds_have_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
