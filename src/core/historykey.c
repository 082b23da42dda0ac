#include "core/historykey.h"

#define DAY_S 86400
#define MORE "more"
#define TOTAL "total"

static const int64_t bounds[HISTORY_BUCKETS] = {
	60, 120, 300, 600, 900, 1800, 3600, 2 * 3600, 4 * 3600, 8 * 3600, DAY_S, 0,
};

unsigned history_bucket(int64_t delayed_s)
{
	unsigned i = 0;

	while (bounds[i] && delayed_s >= bounds[i])
		i++;
	return i;
}

int64_t history_under(unsigned bucket)
{
	return bounds[bucket];
}

int64_t history_hour(int64_t t)
{
	if (t < 0)
		return 0;
	if (t >= HISTORY_END)
		t = HISTORY_END - 1;
	return t - t % HISTORY_HOUR_S;
}

/* --- Dates of the Gregorian calendar, counted in years that begin in March --------------- */

static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month > 2 ? year : year - 1, m = (month + 9) % 12;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static void date_of(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
	int64_t y = days / 365 + 1970;

	/* A guess that is too late by at most some years. */
	while (days_of(y, 1, 1) > days)
		y--;
	*year = y;
	for (*month = 12; days_of(y, *month, 1) > days; --*month)
		;
	*day = days - days_of(y, *month, 1) + 1;
}

static void add_digits(struct buf *b, int64_t value, unsigned digits)
{
	char text[8];

	for (unsigned i = digits; i > 0; i--) {
		text[i - 1] = (char)('0' + value % 10);
		value /= 10;
	}
	buf_add(b, text, digits);
}

void historykey_hour(struct buf *out, int64_t t)
{
	int64_t hour = history_hour(t), year, month, day;

	date_of(hour / DAY_S, &year, &month, &day);
	buf_adds(out, HISTORYKEY_PREFIX);
	add_digits(out, year, 4);
	add_digits(out, month, 2);
	add_digits(out, day, 2);
	add_digits(out, hour % DAY_S / HISTORY_HOUR_S, 2);
	buf_addc(out, ' ');
}

static bool take_digits(struct span *s, unsigned digits, uint64_t least, uint64_t most, int64_t *out)
{
	uint64_t value;

	if (s->n < digits || !span_uint(span_head(*s, digits), most, &value) || value < least)
		return false;
	*out = (int64_t)value;
	*s = span_from(*s, digits);
	return true;
}

static bool take_hour(struct span text, int64_t *out)
{
	int64_t year, month, day, hour;

	if (!take_digits(&text, 4, 1970, 9999, &year) || !take_digits(&text, 2, 1, 12, &month) ||
	    !take_digits(&text, 2, 1, 31, &day) || !take_digits(&text, 2, 0, 23, &hour) || text.n)
		return false;
	/* Not the 31st of a month of 30 days. */
	int64_t next = month < 12 ? days_of(year, month + 1, 1) : days_of(year + 1, 1, 1);
	*out = days_of(year, month, day) * DAY_S + hour * HISTORY_HOUR_S;
	return days_of(year, month, day) < next;
}

/* --- Counters ----------------------------------------------------------------------------- */

static void add_counter(struct buf *b, unsigned counter)
{
	if (counter < HISTORY_DELAYS) {
		buf_adds(b, verdict_word((enum verdict)(counter / REASON_COUNT)));
		buf_addc(b, ' ');
		buf_adds(b, reason_word((enum reason)(counter % REASON_COUNT)));
		return;
	}
	buf_adds(b, "delay ");
	if (counter == HISTORY_DELAYED_S)
		buf_adds(b, TOTAL);
	else if (bounds[counter - HISTORY_DELAYS])
		buf_addi(b, bounds[counter - HISTORY_DELAYS]);
	else
		buf_adds(b, MORE);
}

static bool find_counter(struct span words, unsigned *out)
{
	for (unsigned i = 0; i < HISTORY_COUNTERS; i++) {
		char text[80];
		struct buf b = BUF_ON(text);

		add_counter(&b, i);
		if (!span_eq(buf_span(&b), words))
			continue;
		*out = i;
		return true;
	}
	return false;
}

bool historykey(struct key *k, int64_t t, unsigned counter)
{
	struct buf b = buf_on(k->text, sizeof k->text);

	k->n = 0;
	if (counter >= HISTORY_COUNTERS)
		return false;
	historykey_hour(&b, t);
	add_counter(&b, counter);
	k->n = b.n;
	return true;
}

bool historykey_split(struct span key, int64_t *hour, unsigned *counter)
{
	struct span at;

	if (!span_starts(key, span_of(HISTORYKEY_PREFIX)))
		return false;
	key = span_from(key, sizeof HISTORYKEY_PREFIX - 1);
	return span_cut(&key, ' ', &at) && take_hour(at, hour) && find_counter(key, counter);
}
