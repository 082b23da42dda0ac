#include "core/reason.h"

static const struct {
	enum reason_kind kind;
	const char *word;
	const char *meaning;
} reasons[REASON_COUNT] = {
#define REASON_ROW(identifier, kind, word, meaning) [REASON_##identifier] = { REASON_KIND_##kind, word, meaning },
	REASONS(REASON_ROW)
#undef REASON_ROW
};

const char *verdict_word(enum verdict v)
{
	switch (v) {
	case VERDICT_PASS: return "pass";
	case VERDICT_DEFER: return "defer";
	case VERDICT_REJECT: return "reject";
	case VERDICT_OBSERVE: return "observe";
	}
	return "?";
}

enum reason_kind reason_kind(enum reason r)
{
	return reasons[r].kind;
}

const char *reason_word(enum reason r)
{
	return reasons[r].word;
}

const char *reason_meaning(enum reason r)
{
	return reasons[r].meaning;
}
