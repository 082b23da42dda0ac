/* report: what greylisting did, from the daemon's history and records, or from logs. */
#include <time.h>

#include "base/value.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/reportlog.h"
#include "cli/rowread.h"

#define DAY ((int64_t)86400)
#define SINCE "7d"
#define SINCE_LOG "400d"	/* logs are as long as they are */
#define SINCE_MAX (3650 * DAY)
#define AFTER "12h"
#define MAIL_SIZE "30K"
#define TOP "10"

static const struct { const char *word; void (*print)(const struct report *r); } formats[] = {
	{ "text", report_text }, { "json", report_json }, { "csv", report_csv }, { "html", report_html },
};
#define FORMATS (sizeof formats / sizeof *formats)

/* --- The options --------------------------------------------------------------------------- */

static int wrong(const char *option, const char *why)
{
	fprintf(stderr, "greylag: %s: %s\n", option, why);
	return STATUS_USAGE;
}

static int read_duration(const char *option, const char *text, const char *otherwise, int64_t *out)
{
	char problem[200];
	struct buf why = BUF_ON(problem);
	uint64_t ms;

	if (value_duration_ms(span_of(text ? text : otherwise), &ms, &why) != 0)
		return wrong(option, buf_str(&why));
	if (ms / 1000 < 1 || ms / 1000 > (uint64_t)SINCE_MAX)
		return wrong(option, "1s..3650d is possible");
	*out = (int64_t)(ms / 1000);
	return STATUS_OK;
}

static int read_number(const char *option, const char *text, const char *otherwise, uint64_t most, uint64_t *out)
{
	char problem[100];
	struct buf why = BUF_ON(problem);

	if (span_uint(span_of(text ? text : otherwise), most, out))
		return STATUS_OK;
	buf_addf(&why, "0..%llu is possible", (unsigned long long)most);
	return wrong(option, buf_str(&why));
}

static int read_options(const struct arguments *a, struct report_options *o)
{
	char problem[200];
	struct buf why = BUF_ON(problem);
	uint64_t top;
	int64_t length;
	int status;

	if ((status = read_duration("--since", a->since, a->from_log ? SINCE_LOG : SINCE, &length)) != STATUS_OK ||
	    (status = read_duration("--after", a->after, AFTER, &o->after_s)) != STATUS_OK ||
	    (status = read_number("--tries", a->tries, "1", INT64_MAX, &o->tries)) != STATUS_OK ||
	    (status = read_number("--top", a->top, TOP, REPORT_TOPS_MAX, &top)) != STATUS_OK)
		return status;
	if (value_size(span_of(a->mail_size ? a->mail_size : MAIL_SIZE), &o->mail_bytes, &why) != 0)
		return wrong("--mail-size", buf_str(&why));
	o->now = (int64_t)time(NULL);
	o->until = o->now + 1;
	o->since = o->now - length;
	o->top = (unsigned)top;
	o->match = a->match;
	o->skip = a->skip;
	o->skip_dynamic = a->skip_dynamic;
	o->from_log = a->from_log;
	return STATUS_OK;
}

/* -1: none of them. */
static int find_format(const struct arguments *a)
{
	const char *word = a->format ? a->format : a->json ? "json" : "text";

	for (unsigned i = 0; i < FORMATS; i++)
		if (strcmp(formats[i].word, word) == 0)
			return (int)i;
	wrong("--format", "text, json, csv or html is possible");
	return -1;
}

/* --- From the daemon -------------------------------------------------------------------------- */

static void take_hour(const json_t *row, void *arg)
{
	struct report *r = arg;
	struct rowread_hour hour;

	rowread_hour(row, &hour);
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		for (unsigned i = 0; i < REASON_COUNT; i++)
			if (hour.verdicts[v][i])
				report_count(r, hour.time, (enum verdict)v, (enum reason)i, hour.verdicts[v][i]);
	for (unsigned i = 0; i < HISTORY_BUCKETS; i++) {
		r->delays[i] += hour.delays[i];
		r->delayed += hour.delays[i];
	}
	r->delayed_s += hour.delayed_s;
}

static void take_record(const json_t *row, void *arg)
{
	struct report_triplet t;

	if (rowread_triplet(row, &t))
		report_triplet(arg, &t);
}

static int gather(struct client *c, const struct arguments *a, struct report *r)
{
	const struct report_options *o = &r->options;
	struct arguments plain = *a;

	/* The rows are for us also when the report is JSON. */
	plain.json = false;
	int status = command_run(c, &plain, json_pack("{s:s, s:I, s:I, s:s}", "cmd", "history", "since", (json_int_t)o->since,
		"until", (json_int_t)o->until, "step", "hour"), take_hour, r);
	if (status != STATUS_OK)
		return status;
	return command_run(c, &plain, json_pack("{s:s, s:s, s:s, s:I}", "cmd", "show", "field", "all", "pattern", "",
		"since", (json_int_t)o->since), take_record, r);
}

static int ask(const struct arguments *a, struct report *r)
{
	struct client c;
	int status = command_open(&c, a);

	if (status == STATUS_OK)
		status = gather(&c, a, r);
	if (status != STATUS_OK)
		fprintf(stderr, "greylag: %s\n", c.problem);
	client_close(&c);
	return status == COMMAND_FAILED ? STATUS_TEMPORARY : status;
}

int cmd_report(struct client *client, const struct arguments *a)
{
	struct report_options options = { 0 };
	int format = find_format(a), status = read_options(a, &options);

	(void)client;
	if (format < 0 || status != STATUS_OK)
		return STATUS_USAGE;
	if (a->from_log != (a->count > 0))
		return wrong("--from-log", a->count ? "files are only read with it" : "which files?");
	struct report *r = report_new(&options);
	if (!r) {
		fputs("greylag: out of memory\n", stderr);
		return STATUS_TEMPORARY;
	}
	status = a->from_log ? reportlog_read(r, a->words, a->count) : ask(a, r);
	if (status == STATUS_OK || status == STATUS_NO) {
		report_finish(r);
		formats[format].print(r);
	}
	report_free(&r);
	return status;
}
