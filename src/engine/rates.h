/* How often something happened lately: counts over a sliding window, in fixed memory.
 * Of the window before this one a share counts that shrinks as this one goes on, so
 * a count is off by a little. The least recent is forgotten first. Loop thread. */
#ifndef GREYLAG_ENGINE_RATES_H
#define GREYLAG_ENGINE_RATES_H

#include <stdint.h>

struct rates;

/* 16,384 counters, 0.5 MB. NULL when memory is out. */
struct rates *rates_new(void);
void rates_free(struct rates **r);

/* Counts one and returns how many there were within window_s, this one included. what is
 * a hash of the thing counted and of the window's purpose. What comes less than apart_s
 * after the last that was counted is one with it. */
uint32_t rates_count(struct rates *r, uint64_t what, int64_t now, int64_t window_s, int64_t apart_s);
/* What rates_count would return; counts nothing. */
uint32_t rates_would(const struct rates *r, uint64_t what, int64_t now, int64_t window_s, int64_t apart_s);
/* How many there were. */
uint32_t rates_look(const struct rates *r, uint64_t what, int64_t now, int64_t window_s);

#endif
