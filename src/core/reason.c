#include "core/reason.h"

static const struct {
	const char *word;
	const char *meaning;
} reasons[REASON_COUNT] = {
#define REASON_ROW(identifier, word, meaning) [REASON_##identifier] = { word, meaning },
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

const char *reason_word(enum reason r)
{
	return reasons[r].word;
}

const char *reason_meaning(enum reason r)
{
	return reasons[r].meaning;
}
