/* A report for people at a terminal. */
#include <time.h>

#include "cli/output.h"
#include "cli/plot.h"
#include "cli/report.h"

#define BAR_WIDTH 30
#define SPARKS_MAX 72
#define NAME_WIDTH 40
#define ADDRESS_WIDTH 60	/* longer ones are cut */

struct shown {
	char text[64];
	struct buf b;
};

/* Texts of one printf call: each call of these uses a buffer of its own. */
static const char *count(struct shown *s, uint64_t n)
{
	s->b = buf_on(s->text, sizeof s->text);
	output_count(&s->b, (json_int_t)n);
	return buf_str(&s->b);
}

static const char *bytes(struct shown *s, uint64_t n)
{
	s->b = buf_on(s->text, sizeof s->text);
	output_bytes(&s->b, (json_int_t)n);
	return buf_str(&s->b);
}

static const char *duration(struct shown *s, int64_t seconds)
{
	s->b = buf_on(s->text, sizeof s->text);
	buf_addduration(&s->b, (uint64_t)seconds);
	return buf_str(&s->b);
}

static const char *local(struct shown *s, int64_t t)
{
	time_t at = (time_t)t;
	struct tm tm;

	s->text[0] = '\0';
	if (localtime_r(&at, &tm) && strftime(s->text, sizeof s->text, "%Y-%m-%d %H:%M", &tm) == 0)
		s->text[0] = '\0';
	return s->text;
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void print_verdicts(const struct report *r)
{
	uint64_t all = 0;
	struct shown s;

	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		all += report_total(r, (enum verdict)v);
	output_line("decided", "%s", count(&s, all));
	for (unsigned v = 0; v < VERDICT_COUNT; v++) {
		uint64_t n = report_total(r, (enum verdict)v);
		if (n == 0)
			continue;
		printf("  %-9s %12s %5.1f %%  ", verdict_word((enum verdict)v), count(&s, n), percent(n, all));
		plot_bar(n, all, BAR_WIDTH, plot_verdict_colour((enum verdict)v));
		putchar('\n');
	}
	if (all == 0)
		return;
	putchar('\n');
	output_heading("verdict  reason              count");
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		for (unsigned i = 0; i < REASON_COUNT; i++)
			if (r->verdicts[v][i])
				printf("%-8s %-15s %9s %5.1f %%\n", verdict_word((enum verdict)v), reason_word((enum reason)i),
				       count(&s, r->verdicts[v][i]), percent(r->verdicts[v][i], all));
}

/* Several slots share a column when there are more of them than columns. */
static void print_spark(const struct report *r, enum verdict v)
{
	unsigned count_of = r->slot_count - r->first_slot, each = (count_of + SPARKS_MAX - 1) / SPARKS_MAX;
	uint64_t columns[SPARKS_MAX] = { 0 }, most = 0;
	struct shown s;

	if (each == 0)
		return;
	for (unsigned i = 0; i < count_of; i++) {
		uint64_t *column = &columns[i / each];
		*column += r->slots[r->first_slot + i].verdicts[v];
		most = *column > most ? *column : most;
	}
	if (most == 0)
		return;
	printf("%-8s ", verdict_word(v));
	for (unsigned i = 0; i * each < count_of; i++)
		plot_spark(columns[i], most, plot_verdict_colour(v));
	printf("  at most %s\n", count(&s, most));
}

static void print_times(const struct report *r)
{
	struct shown a, b;

	if (r->first_slot + 1 >= r->slot_count)
		return;
	putchar('\n');
	printf("by the %s, %s to %s\n", r->hourly ? "hour" : "day", local(&a, r->slots[r->first_slot].time),
	       local(&b, r->slots[r->slot_count - 1].time));
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		print_spark(r, (enum verdict)v);
}

static void print_delays(const struct report *r)
{
	struct shown a, b, c, d;
	uint64_t most = 0;

	putchar('\n');
	output_line("first tries", "%s were deferred, %s mails came back and passed (%.1f %%)", count(&a, report_begun(r)),
		    count(&b, r->delayed), percent(r->delayed, report_begun(r)));
	if (r->delayed == 0)
		return;
	output_line("they waited", "%s on average, half within about %s, 95 %% within about %s",
		    duration(&a, (int64_t)(r->delayed_s / r->delayed)), duration(&b, report_delay_share(r, 0.5)),
		    duration(&c, report_delay_share(r, 0.95)));
	for (unsigned i = 0; i < HISTORY_BUCKETS; i++)
		most = r->delays[i] > most ? r->delays[i] : most;
	for (unsigned i = 0; i < HISTORY_BUCKETS; i++) {
		bool last = history_under(i) == 0;
		printf("  %s %4s %9s  ", last ? "over " : "under", duration(&d, history_under(last ? i - 1 : i)), count(&a, r->delays[i]));
		plot_bar(r->delays[i], most, BAR_WIDTH, PLOT_GREEN);
		putchar('\n');
	}
}

static void print_effect(const struct report *r)
{
	uint64_t saved, spent;
	struct shown a, b, c;

	report_bandwidth(r, &saved, &spent);
	putchar('\n');
	output_line("systems", "%s retried well, %s were deferred and never did", count(&a, r->systems_retried),
		    count(&b, r->systems_silent));
	output_line("bandwidth", "about %s not taken, about %s for repeated attempts (mails of %s)", bytes(&a, saved),
		    bytes(&b, spent), bytes(&c, r->options.mail_bytes));
}

/* At most width columns of it, and blanks up to them where it is padded. */
static void cut_cell(const char *text, unsigned width, bool padded)
{
	unsigned columns = 0;
	bool cut = output_width(text) > width;

	for (; *text; text++) {
		columns += ((unsigned char)*text & 0xc0) != 0x80;
		if (cut && columns > width - 3)
			break;
		putchar(*text);
	}
	if (cut)
		fputs("...", stdout);
	for (; !cut && padded && columns < width; columns++)
		putchar(' ');
}

static void print_list(const struct report *r, enum report_list l)
{
	const struct heavy_row *rows;
	unsigned n = heavy_top(r->lists[l], r->options.top, &rows);
	struct shown a, b;
	char heading[100];

	if (n == 0)
		return;
	putchar('\n');
	snprintf(heading, sizeof heading, "most deferred %-*s deferred    passed", NAME_WIDTH - 14, report_list_word(l));
	output_heading(heading);
	for (unsigned i = 0; i < n; i++) {
		cut_cell(rows[i].name, NAME_WIDTH - 1, true);
		printf(" %9s %9s\n", count(&a, rows[i].deferred), count(&b, rows[i].passed));
	}
}

static void print_lost(const struct report *r)
{
	struct shown a, b, c;

	putchar('\n');
	output_line("never back", "%s mails; %s more came less than %s ago", count(&a, r->lost_count), count(&b, r->waiting),
		    duration(&c, r->options.after_s));
	if (r->lost_kept == 0)
		return;
	output_heading("score tries  last seen         source                    from -> to   (10: a real server, 0: spam)");
	for (unsigned i = 0; i < r->lost_kept && i < r->options.top; i++) {
		const struct report_lost *l = &r->lost[i];
		enum plot_colour colour = l->score >= 7 ? PLOT_RED : l->score >= 4 ? PLOT_YELLOW : PLOT_PLAIN;
		plot_begin(colour);
		printf("%5u", l->score);
		plot_end(colour);
		printf(" %5s  %s  ", count(&a, l->tries), local(&b, l->last));
		cut_cell(l->identity, 25, true);
		putchar(' ');
		cut_cell(l->sender[0] ? l->sender : "<>", ADDRESS_WIDTH, false);
		fputs(" -> ", stdout);
		cut_cell(l->recipient, ADDRESS_WIDTH, false);
		putchar('\n');
	}
}

void report_text(const struct report *r)
{
	const struct report_options *o = &r->options;
	struct shown a, b;

	output_line("report", "%s to %s, from %s", local(&a, o->since), local(&b, o->until),
		    o->from_log ? "logs" : "the store");
	if (o->from_log)
		output_line("", "%s lines, %s not understood%s", count(&a, r->lines), count(&b, r->bad_lines),
			    r->left_out ? "; too many mails to remember all" : "");
	print_verdicts(r);
	print_times(r);
	print_delays(r);
	print_effect(r);
	for (unsigned l = 0; l < REPORT_LISTS; l++) {
		print_list(r, (enum report_list)l);
		if (heavy_full(r->lists[l]))
			printf("(of the many %s the rarest were not counted)\n", report_list_word((enum report_list)l));
	}
	print_lost(r);
}
