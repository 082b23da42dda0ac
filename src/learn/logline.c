#include "learn/logline.h"

#include <time.h>

/* TAI64 labels count from 2^62; TAI has been 10 seconds ahead of the clock of 1970. */
#define TAI64_OFFSET (((uint64_t)1 << 62) + 10)
#define TAI64N_DIGITS 24
#define DAY 86400

void logclock_init(struct logclock *c, int64_t now)
{
	*c = (struct logclock){ .now = now };
}

/* Exactly n digits at position i. */
static bool digits(struct span s, size_t i, size_t n, int *out)
{
	uint64_t value;

	if (i + n > s.n || !span_uint(span_make(s.p + i, n), 9999, &value))
		return false;
	*out = (int)value;
	return true;
}

static bool has(struct span s, size_t i, char c)
{
	return i < s.n && s.p[i] == c;
}

/* "10:00:00" at position i. */
static bool time_of_day(struct span s, size_t i, struct tm *tm)
{
	return digits(s, i, 2, &tm->tm_hour) && has(s, i + 2, ':') && digits(s, i + 3, 2, &tm->tm_min) &&
	       has(s, i + 5, ':') && digits(s, i + 6, 2, &tm->tm_sec) && tm->tm_hour < 24 && tm->tm_min < 60 &&
	       tm->tm_sec <= 60;
}

/* Local time; key is the text of the date down to its minute. */
static int64_t local(struct logclock *c, struct span key, struct tm tm, bool with_year)
{
	int seconds = tm.tm_sec;

	if (key.n < sizeof c->minute && span_eq(key, span_of(c->minute)))
		return c->at + seconds;
	struct tm now = { 0 };
	time_t t = (time_t)c->now;
	tm.tm_sec = 0;
	tm.tm_isdst = -1;
	if (!with_year && localtime_r(&t, &now))
		tm.tm_year = now.tm_year;
	struct tm last_year = tm;
	c->at = (int64_t)mktime(&tm);
	/* A day of grace: the log may be of a machine whose clock is ahead. */
	if (!with_year && c->at > c->now + DAY) {
		last_year.tm_year--;
		c->at = (int64_t)mktime(&last_year);
	}
	struct buf minute = BUF_ON(c->minute);
	buf_addspan(&minute, key);
	return c->at + seconds;
}

/* --- The forms of dates: each returns how many bytes it took, or 0 ----------------------- */

/* "Nov 21 10:00:00", the day with a blank or a zero in front. */
static size_t date_syslog(struct logclock *c, struct span s, int64_t *at)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm = { 0 };
	int month = 0;

	if (s.n < 15 || s.p[3] != ' ' || s.p[6] != ' ')
		return 0;
	while (month < 12 && memcmp(months + (size_t)month * 3, s.p, 3) != 0)
		month++;
	tm.tm_mon = month;
	bool day = s.p[4] == ' ' ? digits(s, 5, 1, &tm.tm_mday) : digits(s, 4, 2, &tm.tm_mday);
	if (month == 12 || !day || tm.tm_mday < 1 || tm.tm_mday > 31 || !time_of_day(s, 7, &tm))
		return 0;
	*at = local(c, span_head(s, 12), tm, false);
	return 15;
}

/* "Z", "+01:00" or "+0100" at position i; returns where it ends, i when there is none. */
static size_t zone(struct span s, size_t i, int *seconds)
{
	int hours, minutes;

	*seconds = 0;
	if (has(s, i, 'Z'))
		return i + 1;
	if (!has(s, i, '+') && !has(s, i, '-'))
		return i;
	size_t colon = has(s, i + 3, ':') ? 1 : 0;
	if (!digits(s, i + 1, 2, &hours) || !digits(s, i + 3 + colon, 2, &minutes))
		return i;
	*seconds = (hours * 60 + minutes) * (s.p[i] == '-' ? -60 : 60);
	return i + 5 + colon;
}

/* "2026-11-21T10:00:00.123456+01:00"; without a zone it is local time. */
static size_t date_iso(struct logclock *c, struct span s, int64_t *at)
{
	struct tm tm = { 0 };
	int year, offset;

	if (!digits(s, 0, 4, &year) || !has(s, 4, '-') || !digits(s, 5, 2, &tm.tm_mon) || !has(s, 7, '-') ||
	    !digits(s, 8, 2, &tm.tm_mday) || (!has(s, 10, 'T') && !has(s, 10, ' ')) || !time_of_day(s, 11, &tm) ||
	    year < 1970 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31)
		return 0;
	size_t i = 19;
	if (has(s, i, '.') || has(s, i, ','))
		for (i++; i < s.n && ascii_digit(s.p[i]);)
			i++;
	tm.tm_mon--;
	tm.tm_year = year - 1900;
	/* Exim has a blank in front of the zone. */
	size_t from = has(s, i, ' ') && (has(s, i + 1, '+') || has(s, i + 1, '-')) ? i + 1 : i;
	size_t end = zone(s, from, &offset);
	if (end == from) {
		*at = local(c, span_head(s, 16), tm, true);
		return i;
	}
	*at = (int64_t)timegm(&tm) - offset;
	return end;
}

static size_t date_tai64n(struct span s, int64_t *at)
{
	uint64_t label = 0;

	if (s.n < TAI64N_DIGITS + 1 || s.p[0] != '@')
		return 0;
	for (size_t i = 1; i <= TAI64N_DIGITS; i++) {
		if (!ascii_hex(s.p[i]))
			return 0;
		char digit = ascii_lower(s.p[i]);
		if (i <= 16)
			label = label << 4 | (uint64_t)(ascii_digit(digit) ? digit - '0' : digit - 'a' + 10);
	}
	if (label < TAI64_OFFSET || label - TAI64_OFFSET > (uint64_t)UINT32_MAX * 4)
		return 0;
	*at = (int64_t)(label - TAI64_OFFSET);
	return TAI64N_DIGITS + 1;
}

/* --- What follows the date ---------------------------------------------------------------- */

static struct span next_word(struct span *rest)
{
	struct span word = span_make("", 0);

	while (rest->n && ascii_blank(rest->p[0]))
		*rest = span_from(*rest, 1);
	span_cut(rest, ' ', &word);
	return word;
}

/* "PROGRAM[PID]:" */
static bool tag(struct span word, struct logline *out)
{
	size_t open = span_find(word, '[');

	if (word.n < 2 || word.p[word.n - 1] != ':')
		return false;
	word.n--;
	out->program = span_head(word, open);
	out->pid = open < word.n ? span_unwrap(span_from(word, open), '[', ']') : span_make("", 0);
	return out->program.n > 0;
}

/* "HOST PROGRAM[PID]: TEXT"; FreeBSD's syslogd -v puts "<mail.info>" first. */
static bool syslog_rest(struct span rest, struct logline *out)
{
	struct span word = next_word(&rest);

	if (word.n && word.p[0] == '<')
		next_word(&rest);
	if (!tag(next_word(&rest), out))
		return false;
	out->text = span_trim(rest);
	return true;
}

/* "HOST PROGRAM PID ID [DATA] TEXT" (RFC 5424 section 6). Structured data is not looked into. */
static bool rfc5424_rest(struct span rest, struct logline *out)
{
	next_word(&rest);
	out->program = next_word(&rest);
	out->pid = next_word(&rest);
	next_word(&rest);
	if (rest.n && rest.p[0] == '[') {
		rest = span_from(rest, span_find(rest, ']') + 1);
	} else {
		next_word(&rest);
	}
	out->text = span_trim(rest);
	return out->program.n && out->text.n;
}

static struct span without_priority(struct span line, bool *rfc5424)
{
	size_t end = span_find(line, '>');
	uint64_t n;

	*rfc5424 = false;
	if (line.n == 0 || line.p[0] != '<' || end > 4 || !span_uint(span_make(line.p + 1, end - 1), 191, &n))
		return line;
	line = span_from(line, end + 1);
	*rfc5424 = has(line, 0, '1') && has(line, 1, ' ');
	return *rfc5424 ? span_from(line, 2) : line;
}

bool logline_parse(struct logclock *c, struct span line, struct logline *out)
{
	bool rfc5424;
	size_t n;

	*out = (struct logline){ .program = span_make("", 0), .pid = span_make("", 0) };
	line = without_priority(line, &rfc5424);
	if ((n = date_syslog(c, line, &out->at)) != 0)
		return syslog_rest(span_from(line, n), out);
	if ((n = date_iso(c, line, &out->at)) != 0) {
		struct span rest = span_from(line, n);
		if (rest.n && !ascii_blank(rest.p[0]))
			return false;
		if (rfc5424)
			return rfc5424_rest(rest, out);
		if (line.p[10] == 'T')
			return syslog_rest(rest, out);
		out->text = span_trim(rest);
		return true;
	}
	n = date_tai64n(line, &out->at);
	out->text = span_trim(span_from(line, n));
	return n != 0;
}
