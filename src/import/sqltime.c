/* Times as databases write them. */
#include <time.h>

#include "import/import_format.h"

static bool take_number(struct span *s, size_t digits, int *out)
{
	uint64_t value;

	if (s->n < digits || !span_uint(span_head(*s, digits), 9999, &value))
		return false;
	*out = (int)value;
	*s = span_from(*s, digits);
	return true;
}

static bool take_mark(struct span *s, const char *marks)
{
	if (s->n == 0 || s->p[0] == '\0' || !strchr(marks, s->p[0]))
		return false;
	*s = span_from(*s, 1);
	return true;
}

static bool take_date(struct span *s, struct tm *tm)
{
	if (!take_number(s, 4, &tm->tm_year) || !take_mark(s, "-") || !take_number(s, 2, &tm->tm_mon) ||
	    !take_mark(s, "-") || !take_number(s, 2, &tm->tm_mday))
		return false;
	if (s->n == 0)
		return true;
	return take_mark(s, " T") && take_number(s, 2, &tm->tm_hour) && take_mark(s, ":") &&
	       take_number(s, 2, &tm->tm_min) && take_mark(s, ":") && take_number(s, 2, &tm->tm_sec);
}

/* ".123", then "Z", "+02", "+0200", "+02:00" or nothing. */
static bool take_zone(struct span *s, bool *zone, int *offset_s)
{
	int hours = 0, minutes = 0;

	if (take_mark(s, "."))
		while (s->n && ascii_digit(s->p[0]))
			*s = span_from(*s, 1);
	*offset_s = 0;
	*zone = s->n > 0;
	if (s->n == 0 || take_mark(s, "Z"))
		return s->n == 0;
	int sign = s->p[0] == '-' ? -1 : 1;
	if (!take_mark(s, "+-") || !take_number(s, 2, &hours))
		return false;
	take_mark(s, ":");
	if (s->n && !take_number(s, 2, &minutes))
		return false;
	*offset_s = sign * (hours * 3600 + minutes * 60);
	return s->n == 0;
}

static bool in_range(const struct tm *tm)
{
	return tm->tm_mon >= 1 && tm->tm_mon <= 12 && tm->tm_mday >= 1 && tm->tm_mday <= 31 && tm->tm_hour <= 23 &&
	       tm->tm_min <= 59 && tm->tm_sec <= 60 && tm->tm_year >= 1970;
}

bool import_time(struct span s, bool utc, int64_t *out)
{
	struct tm tm = { .tm_isdst = -1 };
	bool zone;
	int offset_s;
	uint64_t epoch;

	s = span_trim(s);
	if (span_uint(s, (uint64_t)IMPORT_NEVER, &epoch)) {
		*out = (int64_t)epoch;
		return true;
	}
	if (!take_date(&s, &tm) || !take_zone(&s, &zone, &offset_s))
		return false;
	*out = 0;
	if (tm.tm_year < 1970)
		return true;
	if (!in_range(&tm))
		return false;
	if (tm.tm_year == 9999) {
		*out = IMPORT_NEVER;
		return true;
	}
	tm.tm_year -= 1900;
	tm.tm_mon--;
	*out = zone || utc ? (int64_t)timegm(&tm) - offset_s : (int64_t)mktime(&tm);
	return *out >= 0;
}
