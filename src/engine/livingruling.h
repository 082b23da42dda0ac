/* What the lists "allow", "block" and "trap" say of a request, as if it were a rule.
 * They are looked at before the rules, allow before block, because somebody put the
 * entry there just now; a trap only where no rule allows. Loop thread only. */
#ifndef GREYLAG_ENGINE_LIVINGRULING_H
#define GREYLAG_ENGINE_LIVINGRULING_H

#include "core/policy.h"
#include "engine/livinglists.h"

/* What an entry of the list says that has this action. */
void livingruling_set(struct ruling *out, enum action action, const char *list);
/* True when allow or block has the request; lists may be NULL. *out and *hit are
 * filled in only then. */
bool livingruling_find(const struct livinglists *lists, const struct request *r, struct ruling *out,
		       struct living_hit *hit);
bool livingruling_find_trap(const struct livinglists *lists, const struct request *r, struct ruling *out,
			    struct living_hit *hit);

#endif
