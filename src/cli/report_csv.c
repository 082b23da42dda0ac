/* A report as one table (RFC 4180): the first column says what a row is about. */
#include <time.h>

#include "cli/output.h"
#include "cli/report.h"

static const char header[] = "section,time,verdict,reason,source,sender,recipient,count,deferred,passed,seconds,score";

static void iso(char text[32], int64_t t)
{
	time_t at = (time_t)t;
	struct tm tm;

	text[0] = '\0';
	if (gmtime_r(&at, &tm))
		strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static void number(uint64_t n)
{
	printf(",%llu", (unsigned long long)n);
}

static void sum(const char *what, uint64_t n)
{
	printf("%s,,,,,,,%llu,,,,\r\n", what, (unsigned long long)n);
}

static void verdicts(const struct report *r)
{
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		for (unsigned i = 0; i < REASON_COUNT; i++)
			if (r->verdicts[v][i])
				printf("reason,,%s,%s,,,,%llu,,,,\r\n", verdict_word((enum verdict)v), reason_word((enum reason)i),
				       (unsigned long long)r->verdicts[v][i]);
}

static void times(const struct report *r)
{
	char text[32];

	for (unsigned i = r->first_slot; i < r->slot_count; i++)
		for (unsigned v = 0; v < VERDICT_COUNT; v++) {
			uint64_t n = r->slots[i].verdicts[v];
			iso(text, r->slots[i].time);
			if (n)
				printf("%s,%s,%s,,,,,%llu,,,,\r\n", r->hourly ? "hour" : "day", text,
				       verdict_word((enum verdict)v), (unsigned long long)n);
		}
}

static void delays(const struct report *r)
{
	for (unsigned i = 0; i < HISTORY_BUCKETS; i++) {
		printf("%s,,,,,,,%llu,,,", history_under(i) ? "delay-under" : "delay-longer", (unsigned long long)r->delays[i]);
		if (history_under(i))
			printf("%lld", (long long)history_under(i));
		fputs(",\r\n", stdout);
	}
	printf("delay-median,,,,,,,,,,%lld,\r\n", (long long)report_delay_share(r, 0.5));
	printf("delay-p95,,,,,,,,,,%lld,\r\n", (long long)report_delay_share(r, 0.95));
	printf("delay-total,,,,,,,%llu,,,%llu,\r\n", (unsigned long long)r->delayed, (unsigned long long)r->delayed_s);
}

static void list(const struct report *r, enum report_list l)
{
	static const char *const words[REPORT_LISTS] = { "source,,,,", "sender,,,,,", "recipient,,,,,," };
	static const char *const behind[REPORT_LISTS] = { ",,,", ",,", "," };
	const struct heavy_row *rows;
	unsigned count = heavy_top(r->lists[l], r->options.top, &rows);

	for (unsigned i = 0; i < count; i++) {
		fputs(words[l], stdout);
		output_csv(rows[i].name);
		fputs(behind[l], stdout);
		number(rows[i].deferred);
		number(rows[i].passed);
		fputs(",,\r\n", stdout);
	}
}

static void lost(const struct report *r)
{
	char text[32];

	for (unsigned i = 0; i < r->lost_kept && i < r->options.top; i++) {
		const struct report_lost *l = &r->lost[i];
		iso(text, l->last);
		printf("lost,%s,,,", text);
		output_csv(l->identity);
		putchar(',');
		output_csv(l->sender[0] ? l->sender : "<>");
		putchar(',');
		output_csv(l->recipient);
		printf(",,%llu,,%lld,%u\r\n", (unsigned long long)l->tries, (long long)(l->last - l->first), l->score);
	}
}

void report_csv(const struct report *r)
{
	uint64_t saved, spent;

	printf("%s\r\n", header);
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		printf("verdict,,%s,,,,,%llu,,,,\r\n", verdict_word((enum verdict)v),
		       (unsigned long long)report_total(r, (enum verdict)v));
	verdicts(r);
	times(r);
	delays(r);
	sum("begun", report_begun(r));
	sum("systems-retried", r->systems_retried);
	sum("systems-silent", r->systems_silent);
	sum("waiting", r->waiting);
	sum("never-came-back", r->lost_count);
	report_bandwidth(r, &saved, &spent);
	sum("bytes-saved", saved);
	sum("bytes-spent", spent);
	for (unsigned l = 0; l < REPORT_LISTS; l++)
		list(r, (enum report_list)l);
	lost(r);
}
