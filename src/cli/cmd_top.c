/* top: what the daemon does, drawn anew every few seconds; printed once where there is no
 * terminal. */
#include <time.h>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/plot.h"
#include "cli/rowread.h"
#include "cli/screen.h"

#define SECONDS "2"
#define SECONDS_MAX 3600
#define HOURS 24
#define RECENT_LINES 100
#define BAR_WIDTH 30

struct verdict_line {
	char text[400];
	enum plot_colour colour;
};

struct top {
	const struct arguments *arguments;
	unsigned every_s;
	json_t *status;			/* NULL: no answer */
	char problem[700];
	json_int_t requests_before, since;	/* the counter at the last look, and when that was; since 0: never */
	uint64_t before[VERDICT_COUNT], now[VERDICT_COUNT];	/* verdicts since the start */
	double rate;
	uint64_t hours[HOURS][VERDICT_COUNT];	/* the last is the running hour */
	int64_t first_hour;
	struct verdict_line lines[RECENT_LINES];	/* the newest last */
	unsigned line_count;
};

static int verdict_of(const char *word)
{
	for (int v = 0; v < VERDICT_COUNT; v++)
		if (strcmp(word, verdict_word((enum verdict)v)) == 0)
			return v;
	return -1;
}

/* --- Asking ------------------------------------------------------------------------------- */

static void take_status(const json_t *row, void *arg)
{
	struct top *t = arg;
	const json_t *v;
	size_t i;

	json_decref(t->status);
	t->status = json_deep_copy(row);
	memcpy(t->before, t->now, sizeof t->before);
	memset(t->now, 0, sizeof t->now);
	json_array_foreach(json_object_get(row, "verdicts"), i, v) {
		int which = verdict_of(output_text(v, "verdict"));
		if (which >= 0)
			t->now[which] += (uint64_t)output_number(v, "count");
	}
}

static void take_hour(const json_t *row, void *arg)
{
	struct top *t = arg;
	struct rowread_hour hour;

	rowread_hour(row, &hour);
	int64_t at = (hour.time - t->first_hour) / HISTORY_HOUR_S;
	for (unsigned v = 0; at >= 0 && at < HOURS && v < VERDICT_COUNT; v++)
		for (unsigned i = 0; i < REASON_COUNT; i++)
			t->hours[at][v] += hour.verdicts[v][i];
}

static void take_recent(const json_t *row, void *arg)
{
	struct top *t = arg;
	int verdict = verdict_of(output_text(row, "verdict"));
	const char *who = output_text(row, "identity"), *sender = output_text(row, "from");
	time_t at = (time_t)output_number(row, "time");
	struct tm tm = { 0 };
	char clock[20] = "";

	if (t->line_count == RECENT_LINES) {
		memmove(t->lines, t->lines + 1, sizeof t->lines - sizeof *t->lines);
		t->line_count--;
	}
	if (localtime_r(&at, &tm))
		strftime(clock, sizeof clock, "%H:%M:%S", &tm);
	struct verdict_line *l = &t->lines[t->line_count++];
	l->colour = verdict >= 0 ? plot_verdict_colour((enum verdict)verdict) : PLOT_PLAIN;
	snprintf(l->text, sizeof l->text, "%s %-7s %-13s %-28s %s -> %s", clock, output_text(row, "verdict"), output_text(row, "reason"),
		 who[0] ? who : output_text(row, "client"), sender[0] ? sender : "<>", output_text(row, "to"));
}

static int questions(struct client *c, struct top *t)
{
	const struct arguments *a = t->arguments;
	int status = command_run(c, a, json_pack("{s:s}", "cmd", "status"), take_status, t);

	if (status == STATUS_OK && !a->json) {
		memset(t->hours, 0, sizeof t->hours);
		t->first_hour = history_hour((int64_t)time(NULL)) - (HOURS - 1) * HISTORY_HOUR_S;
		status = command_run(c, a, json_pack("{s:s, s:I}", "cmd", "history", "since", (json_int_t)t->first_hour), take_hour, t);
	}
	if (status == STATUS_OK && !a->json) {
		t->line_count = 0;
		status = command_run(c, a, json_pack("{s:s}", "cmd", "recent"), take_recent, t);
	}
	return status;
}

/* A daemon that is away for a moment ends nothing: it is asked again the next time. */
static int look(struct top *t)
{
	struct client c;
	int64_t now = (int64_t)time(NULL);

	json_decref(t->status);
	t->status = NULL;
	int status = command_open(&c, t->arguments);
	if (status == STATUS_OK)
		status = questions(&c, t);
	if (status != STATUS_OK)
		snprintf(t->problem, sizeof t->problem, "%s", c.problem);
	client_close(&c);
	if (status == STATUS_OK && t->status) {
		json_int_t requests = output_number(t->status, "requests");
		bool known = t->since && now > t->since && requests >= t->requests_before;
		t->rate = known ? (double)(requests - t->requests_before) / (double)(now - t->since) : 0;
		t->requests_before = requests;
		t->since = now;
	}
	return status == COMMAND_FAILED ? STATUS_TEMPORARY : status;
}

/* --- Drawing ------------------------------------------------------------------------------- */

static void draw_head(const struct top *t)
{
	const json_t *latency = json_object_get(t->status, "latency_us"), *store = json_object_get(t->status, "store");
	const json_t *server = json_object_get(t->status, "server");
	char text[64];
	struct buf up = BUF_ON(text);

	buf_addduration(&up, (uint64_t)output_number(t->status, "uptime_s"));
	screen_line("greylagd %s, up %s, %s: %lld requests, %.1f a second", output_text(t->status, "version"), buf_str(&up),
		    output_text(t->status, "mode"), (long long)output_number(t->status, "requests"), t->rate);
	screen_line("half within %lld us, 99 %% within %lld us; %lld connections, %lld wait for the store",
		    (long long)output_number(latency, "p50"), (long long)output_number(latency, "p99"),
		    (long long)output_number(server, "connections"), (long long)output_number(server, "in_flight"));
	screen_line("store %s, %s: %lld records, %lld wait for their retry", output_text(store, "driver"), output_text(store, "health"),
		    (long long)output_number(store, "records"), (long long)output_number(store, "waiting"));
	screen_line(" ");
}

static void draw_verdicts(const struct top *t)
{
	uint64_t most = 0;

	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		most = t->now[v] > most ? t->now[v] : most;
	for (unsigned v = 0; v < VERDICT_COUNT && screen_left() > 1; v++) {
		if (t->now[v] == 0)
			continue;
		uint64_t more = t->now[v] >= t->before[v] ? t->now[v] - t->before[v] : 0;
		printf("%-8s %12llu +%-6llu ", verdict_word((enum verdict)v), (unsigned long long)t->now[v], (unsigned long long)more);
		plot_bar(t->now[v], most, screen_columns() > BAR_WIDTH + 30 ? BAR_WIDTH : 5, plot_verdict_colour((enum verdict)v));
		screen_newline();
	}
}

static void draw_hours(const struct top *t)
{
	uint64_t most = 0;

	for (unsigned h = 0; h < HOURS; h++)
		for (unsigned v = 0; v < VERDICT_COUNT; v++)
			most = t->hours[h][v] > most ? t->hours[h][v] : most;
	if (most == 0)
		return;
	screen_line(" ");
	for (unsigned v = 0; v < VERDICT_COUNT && screen_left() > 1; v++) {
		uint64_t sum = 0;
		for (unsigned h = 0; h < HOURS; h++)
			sum += t->hours[h][v];
		if (sum == 0)
			continue;
		printf("%-8s %12llu in 24 h ", verdict_word((enum verdict)v), (unsigned long long)sum);
		for (unsigned h = 0; h < HOURS; h++)
			plot_spark(t->hours[h][v], most, plot_verdict_colour((enum verdict)v));
		screen_newline();
	}
}

static void draw_recent(const struct top *t)
{
	if (t->line_count == 0 || screen_left() < 3)
		return;
	screen_line(" ");
	unsigned room = screen_left(), from = t->line_count > room ? t->line_count - room : 0;
	for (unsigned i = from; i < t->line_count; i++) {
		plot_begin(t->lines[i].colour);
		screen_line("%s", t->lines[i].text);
		plot_end(t->lines[i].colour);
	}
}

static void draw(const struct top *t)
{
	screen_clear();
	if (!t->status) {
		screen_line("%s", t->problem);
		return;
	}
	draw_head(t);
	draw_verdicts(t);
	draw_hours(t);
	draw_recent(t);
}

int cmd_top(struct client *client, const struct arguments *a)
{
	uint64_t seconds;

	(void)client;
	if (!span_uint(span_of(a->count ? a->words[0] : SECONDS), SECONDS_MAX, &seconds) || seconds == 0) {
		fprintf(stderr, "greylag: 1..%d seconds are possible\n", SECONDS_MAX);
		return STATUS_USAGE;
	}
	struct top *t = calloc(1, sizeof *t);
	if (!t) {
		fputs("greylag: out of memory\n", stderr);
		return STATUS_TEMPORARY;
	}
	t->arguments = a;
	t->every_s = (unsigned)seconds;
	int status = look(t);
	if (status != STATUS_OK)
		fprintf(stderr, "greylag: %s\n", t->problem);
	else if (!a->json && !screen_begin())
		draw(t);
	else if (!a->json)
		for (draw(t); screen_wait(t->every_s); draw(t))
			look(t);
	screen_end();
	json_decref(t->status);
	free(t);
	return status;
}
