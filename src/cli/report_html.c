/* A report as one HTML file that needs nothing else: styles within, plots as SVG, no
 * scripts. */
#include <time.h>

#include "cli/report.h"

#define PLOT_WIDTH 900
#define PLOT_HEIGHT 180

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
	"<meta name=\"viewport\" content=\"width=device-width\"><title>greylag report</title>\n<style>\n"
	":root{color-scheme:light dark;--pass:#2f855a;--defer:#c98a00;--reject:#c53030;--observe:#718096}\n"
	"body{font:15px/1.45 system-ui,sans-serif;max-width:960px;margin:1.5em auto;padding:0 1em}\n"
	"h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}svg{width:100%;height:auto}\n"
	"table{border-collapse:collapse}td,th{padding:.15em .8em .15em 0;text-align:left;overflow-wrap:anywhere}\n"
	"th{border-bottom:1px solid;font-weight:600}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\n"
	".pass{fill:var(--pass)}.defer{fill:var(--defer)}.reject{fill:var(--reject)}.observe{fill:var(--observe)}\n"
	"svg text{fill:currentColor;font-size:11px}b.key{font-weight:600}b.pass{color:var(--pass)}b.defer{color:var(--defer)}\n"
	"b.reject{color:var(--reject)}b.observe{color:var(--observe)}\n</style></head><body>\n";

static void escaped(const char *text)
{
	for (; *text; text++)
		switch (*text) {
		case '&': fputs("&amp;", stdout); break;
		case '<': fputs("&lt;", stdout); break;
		case '>': fputs("&gt;", stdout); break;
		case '"': fputs("&quot;", stdout); break;
		case '\'': fputs("&#39;", stdout); break;
		default: putchar(*text);
		}
}

static void date(int64_t t)
{
	char text[64] = "";
	time_t at = (time_t)t;
	struct tm tm;

	if (localtime_r(&at, &tm) && strftime(text, sizeof text, "%Y-%m-%d", &tm))
		escaped(text);
}

static void date_and_time(int64_t t)
{
	char text[64] = "";
	time_t at = (time_t)t;
	struct tm tm;

	date(t);
	if (localtime_r(&at, &tm) && strftime(text, sizeof text, " %H:%M", &tm))
		escaped(text);
}

static void duration(int64_t seconds)
{
	char text[64];
	struct buf b = BUF_ON(text);

	buf_addduration(&b, (uint64_t)seconds);
	fputs(buf_str(&b), stdout);
}

static void number(uint64_t n)
{
	printf("<td class=\"n\">%llu</td>", (unsigned long long)n);
}

static void cell(const char *text)
{
	fputs("<td>", stdout);
	escaped(text);
	fputs("</td>", stdout);
}

static uint64_t slot_total(const struct report_slot *s)
{
	uint64_t sum = 0;

	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		sum += s->verdicts[v];
	return sum;
}

static void legend(void)
{
	fputs("<p>", stdout);
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		printf("<b class=\"key %1$s\">\xe2\x96\xa0 %1$s</b> ", verdict_word((enum verdict)v));
	fputs("</p>\n", stdout);
}

static void begin_plot(const char *what)
{
	printf("<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n", PLOT_WIDTH, PLOT_HEIGHT + 20, what);
}

static void bar(const char *class, double x, double y, double width, double height)
{
	printf("<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>", class, x, y, width, height);
}

static void times(const struct report *r)
{
	unsigned n = r->slot_count - r->first_slot;
	uint64_t most = 1;

	for (unsigned i = r->first_slot; i < r->slot_count; i++)
		most = slot_total(&r->slots[i]) > most ? slot_total(&r->slots[i]) : most;
	printf("<h2>Verdicts by the %s</h2>\n", r->hourly ? "hour" : "day");
	legend();
	begin_plot("verdicts over time");
	double width = (double)PLOT_WIDTH / (n ? n : 1);
	for (unsigned i = 0; i < n; i++) {
		const struct report_slot *s = &r->slots[r->first_slot + i];
		double y = PLOT_HEIGHT;
		fputs("<g><title>", stdout);
		if (r->hourly)
			date_and_time(s->time);
		else
			date(s->time);
		for (unsigned v = 0; v < VERDICT_COUNT; v++)
			if (s->verdicts[v])
				printf(", %s %llu", verdict_word((enum verdict)v), (unsigned long long)s->verdicts[v]);
		fputs("</title>", stdout);
		for (unsigned v = 0; v < VERDICT_COUNT; v++) {
			double height = (double)s->verdicts[v] / (double)most * PLOT_HEIGHT;
			y -= height;
			if (s->verdicts[v])
				bar(verdict_word((enum verdict)v), i * width, y, width > 2 ? width - 1 : width, height);
		}
		fputs("</g>\n", stdout);
	}
	printf("<text x=\"0\" y=\"%d\">", PLOT_HEIGHT + 15);
	date_and_time(n ? r->slots[r->first_slot].time : r->options.since);
	printf("</text><text x=\"%d\" y=\"%d\" text-anchor=\"end\">", PLOT_WIDTH, PLOT_HEIGHT + 15);
	date_and_time(r->options.until);
	printf("</text><text x=\"0\" y=\"11\">%llu</text></svg>\n", (unsigned long long)most);
}

static void reasons(const struct report *r)
{
	puts("<h2>By reason</h2>\n<table><tr><th>verdict</th><th>reason</th><th class=\"n\">count</th><th>meaning</th></tr>");
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		for (unsigned i = 0; i < REASON_COUNT; i++) {
			if (!r->verdicts[v][i])
				continue;
			fputs("<tr>", stdout);
			cell(verdict_word((enum verdict)v));
			cell(reason_word((enum reason)i));
			number(r->verdicts[v][i]);
			cell(reason_meaning((enum reason)i));
			puts("</tr>");
		}
	puts("</table>");
}

static void delay_plot(const struct report *r)
{
	double width = (double)PLOT_WIDTH / HISTORY_BUCKETS;
	uint64_t most = 1;

	for (unsigned i = 0; i < HISTORY_BUCKETS; i++)
		most = r->delays[i] > most ? r->delays[i] : most;
	begin_plot("delays");
	for (unsigned i = 0; i < HISTORY_BUCKETS; i++) {
		double height = (double)r->delays[i] / (double)most * (PLOT_HEIGHT - 15);
		bool last = history_under(i) == 0;
		bar("pass", i * width, PLOT_HEIGHT - height, width - 4, height);
		printf("<text x=\"%.1f\" y=\"%.1f\">%llu</text><text x=\"%.1f\" y=\"%d\">%s ", i * width, PLOT_HEIGHT - height - 3,
		       (unsigned long long)r->delays[i], i * width, PLOT_HEIGHT + 15, last ? "over" : "under");
		duration(history_under(last ? i - 1 : i));
		puts("</text>");
	}
	puts("</svg>");
}

static void delays(const struct report *r)
{
	printf("<h2>How long mail waited</h2>\n<p>%llu first attempts were deferred; %llu mails came back and passed",
	       (unsigned long long)report_begun(r), (unsigned long long)r->delayed);
	if (r->delayed) {
		fputs(", after ", stdout);
		duration((int64_t)(r->delayed_s / r->delayed));
		fputs(" on average, half within about ", stdout);
		duration(report_delay_share(r, 0.5));
		fputs(", 95 % within about ", stdout);
		duration(report_delay_share(r, 0.95));
	}
	puts(".</p>");
	delay_plot(r);
}

static void effect(const struct report *r)
{
	uint64_t saved, spent;

	report_bandwidth(r, &saved, &spent);
	printf("<h2>Effect</h2>\n<p>%llu systems retried well, %llu were deferred and never did. With mails of %llu kB, about "
	       "%.1f MB were not taken, and repeated attempts cost about %.1f MB.</p>\n", (unsigned long long)r->systems_retried,
	       (unsigned long long)r->systems_silent, (unsigned long long)(r->options.mail_bytes / 1000), (double)saved / 1e6,
	       (double)spent / 1e6);
}

static void list(const struct report *r, enum report_list l)
{
	const struct heavy_row *rows;
	unsigned n = heavy_top(r->lists[l], r->options.top, &rows);

	printf("<h2>Most deferred %1$s</h2>\n<table><tr><th>%1$s</th><th class=\"n\">deferred</th><th class=\"n\">passed</th></tr>\n",
	       report_list_word(l));
	for (unsigned i = 0; i < n; i++) {
		fputs("<tr>", stdout);
		cell(rows[i].name);
		number(rows[i].deferred);
		number(rows[i].passed);
		puts("</tr>");
	}
	puts("</table>");
}

static void lost(const struct report *r)
{
	printf("<h2>Never came back</h2>\n<p>%llu mails; %llu more came only a short while ago. The score tells a real mail server (10) "
	       "from spam (0).</p>\n<table><tr><th class=\"n\">score</th><th class=\"n\">tries</th><th>last seen</th><th>source</th>"
	       "<th>sender</th><th>recipient</th></tr>\n", (unsigned long long)r->lost_count, (unsigned long long)r->waiting);
	for (unsigned i = 0; i < r->lost_kept && i < r->options.top; i++) {
		const struct report_lost *l = &r->lost[i];
		fputs("<tr>", stdout);
		number(l->score);
		number(l->tries);
		fputs("<td>", stdout);
		date_and_time(l->last);
		fputs("</td>", stdout);
		cell(l->identity);
		cell(l->sender[0] ? l->sender : "<>");
		cell(l->recipient);
		puts("</tr>");
	}
	puts("</table>");
}

void report_html(const struct report *r)
{
	fputs(head, stdout);
	fputs("<h1>greylag report, ", stdout);
	date_and_time(r->options.since);
	fputs(" to ", stdout);
	date_and_time(r->options.until);
	puts("</h1>");
	times(r);
	reasons(r);
	delays(r);
	effect(r);
	for (unsigned l = 0; l < REPORT_LISTS; l++)
		list(r, (enum report_list)l);
	lost(r);
	puts("</body></html>");
}
