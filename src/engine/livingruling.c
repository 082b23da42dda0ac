#include "engine/livingruling.h"

void livingruling_set(struct ruling *out, enum action action, const char *list)
{
	*out = (struct ruling){ .action = action, .listed = true, .hold_s = -1, .delay_s = -1, .window_s = -1,
				.keep_s = -1, .file = list };
}

static bool find(const struct livinglists *lists, const char *list, enum action action, const struct request *r,
		 struct ruling *out, struct living_hit *hit)
{
	if (!lists || !livinglists_has(lists, span_of(list), r, hit))
		return false;
	livingruling_set(out, action, list);
	return true;
}

bool livingruling_find(const struct livinglists *lists, const struct request *r, struct ruling *out,
		       struct living_hit *hit)
{
	return find(lists, "allow", ACTION_ALLOW, r, out, hit) || find(lists, "block", ACTION_BLOCK, r, out, hit);
}

bool livingruling_find_trap(const struct livinglists *lists, const struct request *r, struct ruling *out,
			    struct living_hit *hit)
{
	return find(lists, "trap", ACTION_TRAP, r, out, hit);
}
