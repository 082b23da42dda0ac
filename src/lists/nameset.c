#include "lists/nameset.h"

enum { SELF = 1, BELOW = 2 };

bool nameset_name(struct span s)
{
	if (s.n == 0 || s.n > 253 || s.p[0] == '.' || s.p[0] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (!ascii_alpha(c) && !ascii_digit(c) && c != '-' && c != '_' && c != '.')
			return false;
		if (c == '.' && i && s.p[i - 1] == '.')
			return false;
	}
	return true;
}

static struct span without_final_dot(struct span s)
{
	return s.n && s.p[s.n - 1] == '.' ? span_head(s, s.n - 1) : s;
}

int nameset_add(struct wordset *set, struct span entry)
{
	unsigned flags = SELF | BELOW;

	if (entry.n && entry.p[0] == '=') {
		flags = SELF;
		entry = span_from(entry, 1);
	} else if (span_starts(entry, span_of("*."))) {
		flags = BELOW;
		entry = span_from(entry, 2);
	} else if (entry.n && entry.p[0] == '.') {
		flags = BELOW;
		entry = span_from(entry, 1);
	}
	entry = without_final_dot(entry);
	if (!nameset_name(entry))
		return 0;
	return wordset_add(set, entry, flags) ? 1 : -1;
}

bool nameset_find(const struct wordset *set, struct span name)
{
	char lower[256];

	name = without_final_dot(name);
	if (wordset_count(set) == 0 || name.n == 0 || name.n > sizeof lower)
		return false;
	for (size_t i = 0; i < name.n; i++)
		lower[i] = ascii_lower(name.p[i]);
	name = span_make(lower, name.n);
	if (wordset_find(set, name) & SELF)
		return true;
	for (size_t dot = span_find(name, '.'); dot < name.n; dot = span_find(name, '.')) {
		name = span_from(name, dot + 1);
		if (wordset_find(set, name) & BELOW)
			return true;
	}
	return false;
}
