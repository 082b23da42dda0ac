/* A span is a borrowed run of bytes: a pointer and a length, no terminator,
 * any byte value. It never owns memory; it is valid for as long as what it
 * points into. All functions are pure and may be called from any thread. */
#ifndef GREYLAG_BASE_SPAN_H
#define GREYLAG_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

struct span {
	const char *p;
	size_t n;
};

/* The span of a string literal, usable in static initialisers. */
#define SPAN(literal) { (literal), sizeof(literal) - 1 }

/* printf arguments for "%.*s"; cap the length before printing untrusted text. */
#define SPAN_ARG(s) (int)(s).n, (s).p

static inline struct span span_make(const char *p, size_t n)
{
	return (struct span){ p, n };
}

/* The span of a NUL-terminated string; NULL gives the empty span. */
static inline struct span span_of(const char *s)
{
	return (struct span){ s ? s : "", s ? strlen(s) : 0 };
}

/* ASCII only, whatever the locale: bytes from 0x80 on stay as they are. */
static inline char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}
static inline bool ascii_digit(char c) { return c >= '0' && c <= '9'; }
static inline bool ascii_alpha(char c) { return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z'; }
/* Letters, digits, underscore: what names consist of in many languages. */
static inline bool ascii_word(char c) { return ascii_alpha(c) || ascii_digit(c) || c == '_'; }
static inline bool ascii_blank(char c) { return c == ' ' || c == '\t'; }
static inline bool ascii_control(char c) { return (unsigned char)c < 0x20 || c == 0x7f; }
static inline bool ascii_hex(char c)
{
	return ascii_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f');
}

bool span_eq(struct span a, struct span b);
/* Equal when ASCII letters are compared without case. */
bool span_ieq(struct span a, struct span b);
bool span_starts(struct span s, struct span head);
bool span_ends(struct span s, struct span tail);
bool span_has(struct span s, struct span part);
bool span_istarts(struct span s, struct span head);
bool span_iends(struct span s, struct span tail);

/* Position of c, or s.n when it is not there. */
size_t span_find(struct span s, char c);
size_t span_rfind(struct span s, char c);

/* The bytes from `from` on, and the first n bytes; both clamp to the span. */
struct span span_from(struct span s, size_t from);
struct span span_head(struct span s, size_t n);

/* Without blanks (space, tab), CR and LF at both ends. */
struct span span_trim(struct span s);
/* What stands between open and close, when s begins and ends with them; else s. */
struct span span_unwrap(struct span s, char open, char close);

/* Cuts *rest at the first sep: *head gets what stands before it, *rest what
 * follows. Without sep, *head gets all and *rest becomes empty.
 * Returns false, *head untouched, when *rest was empty. */
bool span_cut(struct span *rest, char sep, struct span *head);

/* Decimal digits only, no sign, no blanks; false on anything else or over max. */
bool span_uint(struct span s, uint64_t max, uint64_t *out);

/* For hash tables inside one process, not stored. */
uint64_t span_hash(struct span s, uint64_t seed);

#endif
