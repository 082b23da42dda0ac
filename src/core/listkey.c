#include "core/listkey.h"

static const char *const words[LIST_KINDS] = {
	[LIST_CLIENT] = "client", [LIST_NAME] = "name", [LIST_SENDER] = "sender", [LIST_RECIPIENT] = "recipient",
	[LIST_PAIR] = "pair", [LIST_DOMAIN] = "domain",
};

const char *list_kind_word(enum list_kind kind)
{
	return words[kind];
}

bool list_kind_parse(struct span word, enum list_kind *out)
{
	for (unsigned i = 0; i < LIST_KINDS; i++)
		if (span_eq(word, span_of(words[i]))) {
			*out = (enum list_kind)i;
			return true;
		}
	return false;
}

bool list_word_valid(struct span list)
{
	if (list.n == 0 || list.n > LIST_WORD_MAX)
		return false;
	for (size_t i = 0; i < list.n; i++) {
		char c = list.p[i];
		if (!ascii_alpha(c) && !ascii_digit(c) && c != '-' && c != '_')
			return false;
	}
	return true;
}

/* A blank and the part. core/key.h escapes one part behind the kind and a blank. */
static void add_part(struct buf *out, struct span part)
{
	char text[KEY_MAX + 1];
	struct buf escaped = BUF_ON(text);

	buf_addc(out, ' ');
	if (part.n == 0) {
		buf_adds(out, "<>");
		return;
	}
	key_prefix(&escaped, 'l', part);
	buf_addspan(out, span_make(text + 2, escaped.n - 3));
}

static bool build(struct buf *b, struct span list, enum list_kind kind, struct span value)
{
	buf_adds(b, "l ");
	buf_addspan(b, list);
	buf_addc(b, ' ');
	buf_adds(b, words[kind]);
	add_part(b, value);
	return list_word_valid(list) && value.n > 0 && value.n <= LIST_VALUE_MAX;
}

static bool finish(struct key *k, const struct buf *b, bool good)
{
	k->n = good && !b->over ? b->n : 0;
	return k->n > 0;
}

bool listkey_entry(struct key *k, struct span list, enum list_kind kind, struct span value)
{
	struct buf b = buf_on(k->text, sizeof k->text);

	return finish(k, &b, build(&b, span_head(list, LIST_WORD_MAX + 1), kind, span_head(value, LIST_VALUE_MAX + 1)));
}

bool listkey_note(struct key *k, struct span list, enum list_kind kind, struct span value,
		  struct span author, struct span comment)
{
	struct buf b = buf_on(k->text, sizeof k->text);
	bool good = author.n <= LIST_AUTHOR_MAX && comment.n <= LIST_COMMENT_MAX;

	good = build(&b, span_head(list, LIST_WORD_MAX + 1), kind, span_head(value, LIST_VALUE_MAX + 1)) && good;
	add_part(&b, span_head(author, LIST_AUTHOR_MAX + 1));
	add_part(&b, span_head(comment, LIST_COMMENT_MAX + 1));
	return finish(k, &b, good);
}

bool listkey_split(struct span key, struct listkey_parts *out)
{
	struct listkey_parts parts = { 0 };
	struct span kind;

	if (!span_starts(key, span_of(LISTKEY_PREFIX)) || key.p[key.n - 1] == ' ')
		return false;
	key = span_from(key, sizeof LISTKEY_PREFIX - 1);
	if (!span_cut(&key, ' ', &parts.list) || !list_word_valid(parts.list) ||
	    !span_cut(&key, ' ', &kind) || !list_kind_parse(kind, &parts.kind) ||
	    !span_cut(&key, ' ', &parts.value) || parts.value.n == 0)
		return false;
	if (key.n && (!span_cut(&key, ' ', &parts.author) || parts.author.n == 0 ||
		      !span_cut(&key, ' ', &parts.comment) || parts.comment.n == 0))
		return false;
	if (key.n)
		return false;
	*out = parts;
	return true;
}

void listkey_unescape(struct buf *out, struct span value)
{
	if (span_eq(value, span_of("<>")))
		buf_addspan(out, value);
	else
		key_unescape(out, value);
}
