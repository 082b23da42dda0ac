#include "lists/ranges.h"

#define DAY_MINUTES 1440

static int weekday(struct span s)
{
	static const struct span days[] = {
		SPAN("mon"), SPAN("tue"), SPAN("wed"), SPAN("thu"), SPAN("fri"), SPAN("sat"), SPAN("sun"),
	};

	for (int i = 0; i < 7; i++)
		if (span_ieq(s, days[i]))
			return i;
	return -1;
}

int range_minute(struct span text)
{
	size_t colon = span_find(text, ':');
	struct span hour = span_head(text, colon), minute = span_from(text, colon + 1);
	uint64_t h, m;

	if (hour.n == 0 || hour.n > 2 || minute.n != 2 || !span_uint(hour, 24, &h) || !span_uint(minute, 59, &m))
		return -1;
	return h * 60 + m <= DAY_MINUTES ? (int)(h * 60 + m) : -1;
}

static bool parse_number(struct span s, struct range *out)
{
	static const struct span least = SPAN(">="), most = SPAN("<=");
	size_t dash = span_find(s, '-');
	uint64_t low = 0, high = RANGES_NUMBER_MAX;
	bool good;

	if (span_starts(s, least))
		good = span_uint(span_trim(span_from(s, 2)), RANGES_NUMBER_MAX, &low);
	else if (span_starts(s, most))
		good = span_uint(span_trim(span_from(s, 2)), RANGES_NUMBER_MAX, &high);
	else if (dash < s.n)
		good = span_uint(span_head(s, dash), RANGES_NUMBER_MAX, &low) &&
		       span_uint(span_from(s, dash + 1), RANGES_NUMBER_MAX, &high);
	else
		good = span_uint(s, RANGES_NUMBER_MAX, &low) && span_uint(s, RANGES_NUMBER_MAX, &high);
	*out = (struct range){ (int64_t)low, (int64_t)high };
	return good && low <= high;
}

static bool parse_truth(struct span s, struct range *out)
{
	static const struct span yes = SPAN("yes"), no = SPAN("no");
	bool is_yes = span_ieq(s, yes);

	*out = (struct range){ is_yes, is_yes };
	return is_yes || span_ieq(s, no);
}

static bool parse_minutes(struct span s, struct range *out)
{
	size_t dash = span_find(s, '-');
	int from = range_minute(span_head(s, dash)), to = range_minute(span_from(s, dash + 1));

	if (from < 0 || from == DAY_MINUTES || to < 0 || from == to)
		return false;
	*out = (struct range){ from, (to + DAY_MINUTES - 1) % DAY_MINUTES };
	return true;
}

static bool parse_weekdays(struct span s, struct range *out)
{
	size_t dash = span_find(s, '-');
	int from = weekday(span_head(s, dash));
	int to = dash < s.n ? weekday(span_from(s, dash + 1)) : from;

	*out = (struct range){ from, to };
	return from >= 0 && to >= 0;
}

bool range_parse(enum range_unit unit, struct span text, struct range *out)
{
	switch (unit) {
	case RANGE_NUMBER: return parse_number(text, out);
	case RANGE_TRUTH: return parse_truth(text, out);
	case RANGE_MINUTE: return parse_minutes(text, out);
	case RANGE_WEEKDAY: return parse_weekdays(text, out);
	}
	return false;
}

const char *range_looks(enum range_unit unit)
{
	switch (unit) {
	case RANGE_NUMBER: return "a number, or numbers as 2-10 or >=10";
	case RANGE_TRUTH: return "yes or no";
	case RANGE_MINUTE: return "two times of the day as 22:00-06:00";
	case RANGE_WEEKDAY: return "a day of the week (mon, tue, ...), or days as mon-fri";
	}
	return "";
}

bool ranges_add(struct ranges *r, struct range range)
{
	struct range *more = realloc(r->list, (r->count + 1) * sizeof *more);

	if (!more)
		return false;
	r->list = more;
	r->list[r->count++] = range;
	return true;
}

static bool contains(struct range r, int64_t value)
{
	return r.low <= r.high ? value >= r.low && value <= r.high : value >= r.low || value <= r.high;
}

bool ranges_find(const struct ranges *r, int64_t value)
{
	for (size_t i = 0; value >= 0 && i < r->count; i++)
		if (contains(r->list[i], value))
			return true;
	return false;
}

void ranges_free(struct ranges *r)
{
	free(r->list);
	*r = (struct ranges){ 0 };
}
