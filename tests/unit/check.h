/* What every cmocka test file includes. */
#ifndef GREYLAG_TESTS_CHECK_H
#define GREYLAG_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"

#define assert_span(s, text) do { \
	struct span check_s = (s), check_t = span_of(text); \
	if (!span_eq(check_s, check_t)) \
		fail_msg("got \"%.*s\", wanted \"%s\"", SPAN_ARG(check_s), text); \
} while (0)

/* A small generator with a seed, so that a failure can be repeated. */
static inline uint32_t check_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 33);
}

#endif
