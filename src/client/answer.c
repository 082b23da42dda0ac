#include "client/answer.h"

size_t answer_frame(struct span in)
{
	for (size_t i = 1; i < in.n; i++)
		if (in.p[i] == '\n' && in.p[i - 1] == '\n')
			return i + 1;
	return 0;
}

static bool is_code(struct span s)
{
	return s.n == 3 && (s.p[0] == '4' || s.p[0] == '5') && ascii_digit(s.p[1]) && ascii_digit(s.p[2]);
}

static bool is_enhanced(struct span s)
{
	struct span rest = s, part;
	uint64_t n;
	unsigned parts = 0;

	while (span_cut(&rest, '.', &part) && span_uint(part, 999, &n))
		parts++;
	return parts == 3 && s.n <= 9 && s.p[s.n - 1] != '.' && (s.p[0] == '4' || s.p[0] == '5');
}

static void take_text(struct answer *out, struct span text)
{
	struct buf b = BUF_ON(out->text);

	for (size_t i = 0; i < text.n; i++)
		buf_addc(&b, text.p[i] >= 0x20 && text.p[i] < 0x7f ? text.p[i] : '?');
}

static struct span next_word(struct span *rest)
{
	struct span word;

	*rest = span_trim(*rest);
	size_t n = span_find(*rest, ' ');
	word = span_head(*rest, n);
	*rest = span_trim(span_from(*rest, n));
	return word;
}

static void copy(char *out, struct span s)
{
	memcpy(out, s.p, s.n);
	out[s.n] = '\0';
}

static enum answer_kind kind_of(struct span action)
{
	static const struct { struct span word; enum answer_kind kind; } words[] = {
		{ SPAN("DEFER_IF_PERMIT"), ANSWER_DEFER }, { SPAN("DEFER"), ANSWER_DEFER },
		{ SPAN("DEFER_IF_REJECT"), ANSWER_PASS }, { SPAN("REJECT"), ANSWER_REJECT },
		{ SPAN("PREPEND"), ANSWER_HEADER },
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (span_ieq(action, words[i].word))
			return words[i].kind;
	if (is_code(action))
		return action.p[0] == '4' ? ANSWER_DEFER : ANSWER_REJECT;
	return ANSWER_PASS;
}

static void take_action(struct answer *out, struct span value)
{
	struct span action = next_word(&value);

	out->kind = kind_of(action);
	if (out->kind == ANSWER_DEFER || out->kind == ANSWER_REJECT) {
		if (is_code(action))
			copy(out->code, action);
		struct span rest = value, word = next_word(&rest);
		if (is_enhanced(word)) {
			copy(out->enhanced, word);
			value = rest;
		}
	}
	take_text(out, value);
	if (out->kind == ANSWER_HEADER && out->text[0] == '\0')
		out->kind = ANSWER_PASS;
}

bool answer_parse(struct span frame, struct answer *out)
{
	static const struct span action = SPAN("action=");
	struct span line;

	*out = (struct answer){ 0 };
	while (span_cut(&frame, '\n', &line))
		if (span_istarts(line, action)) {
			take_action(out, span_trim(span_from(line, action.n)));
			return true;
		}
	return false;
}

void answer_failed(struct answer *out, bool defer)
{
	*out = (struct answer){ .kind = defer ? ANSWER_DEFER : ANSWER_PASS, .failed = true };
	if (defer)
		take_text(out, span_of("Service is unavailable, please try again later"));
}

void answer_reply(struct buf *out, const struct answer *a, const char *code, const char *enhanced)
{
	buf_adds(out, a->code[0] ? a->code : code);
	buf_addc(out, ' ');
	buf_adds(out, a->enhanced[0] ? a->enhanced : enhanced);
	if (a->enhanced[0] || enhanced[0])
		buf_addc(out, ' ');
	buf_adds(out, a->text[0] ? a->text : "Please try again later");
}
