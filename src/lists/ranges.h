/* Ranges of small numbers, as rules write them: counts, times of the day, days
 * of the week, yes and no. Few, so a list. Built by adding, then only read. */
#ifndef GREYLAG_LISTS_RANGES_H
#define GREYLAG_LISTS_RANGES_H

#include "base/span.h"

enum range_unit {
	RANGE_NUMBER,		/* 25, 2-10, >=10, <=10 */
	RANGE_TRUTH,		/* yes (1), no (0) */
	RANGE_MINUTE,		/* 22:00-06:00; minutes since midnight, the end not included */
	RANGE_WEEKDAY,		/* mon, sat-mon; Monday is 0 */
};

/* From low to high, both included; past the end of the unit when low > high. */
struct range {
	int64_t low, high;
};

struct ranges {
	struct range *list;
	size_t count;
};

#define RANGES_NUMBER_MAX 1000000000

/* False when the text is no range of this unit. */
bool range_parse(enum range_unit unit, struct span text, struct range *out);
/* What a range of this unit looks like, for messages. */
const char *range_looks(enum range_unit unit);
/* "06:30": minutes since midnight, up to 24:00; -1 when it is no time. */
int range_minute(struct span text);

/* False when memory is out. */
bool ranges_add(struct ranges *r, struct range range);
/* A negative value is an unknown one and lies in no range. */
bool ranges_find(const struct ranges *r, int64_t value);
void ranges_free(struct ranges *r);

#endif
