/* Regular expressions (PCRE2): without regard to letter case, matching anywhere,
 * with limits on work, so that no text can make one run away. No JIT: it needs
 * memory that is writable and executable. One thread at a time. */
#ifndef GREYLAG_LISTS_PATTERN_H
#define GREYLAG_LISTS_PATTERN_H

#include "base/buf.h"

struct patterns;

struct patterns *patterns_new(void);
void patterns_free(struct patterns **p);
/* Compiles `text`, the part between the slashes. 0, or -1 with PCRE2's message
 * in why. */
int patterns_add(struct patterns *p, struct span text, struct buf *why);
/* True when one matches. A pattern that meets a limit counts as no match. */
bool patterns_match(const struct patterns *p, struct span subject);
size_t patterns_count(const struct patterns *p);

/* True when s is /text/ or /text/i; *text gets what is between the slashes. */
bool pattern_spelled(struct span s, struct span *text);

#endif
