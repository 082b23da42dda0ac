#include "cli/command.h"
#include "cli/output.h"

struct shown {
	char text[64];
	struct buf b;
};

/* Texts of one printf call: each call of these uses a buffer of its own. */
static const char *count(struct shown *s, json_int_t n)
{
	s->b = buf_on(s->text, sizeof s->text);
	output_count(&s->b, n);
	return buf_str(&s->b);
}

static const char *bytes(struct shown *s, json_int_t n)
{
	s->b = buf_on(s->text, sizeof s->text);
	output_bytes(&s->b, n);
	return buf_str(&s->b);
}

static const char *duration(struct shown *s, json_int_t seconds)
{
	s->b = buf_on(s->text, sizeof s->text);
	buf_addduration(&s->b, (uint64_t)seconds);
	return buf_str(&s->b);
}

static void print_store(const json_t *store)
{
	struct shown a, b, c, d;

	output_line("store", "%s %s, %s", output_text(store, "driver"), output_text(store, "target"),
		    output_text(store, "health"));
	output_line("", "about %s records, %s wait for their retry, %s on disk, %s in memory",
		    count(&a, output_number(store, "records")), count(&b, output_number(store, "waiting")),
		    bytes(&c, output_number(store, "disk_bytes")), bytes(&d, output_number(store, "memory_bytes")));
	if (output_number(store, "failures") || output_number(store, "evicted"))
		output_line("", "%s failures, %s evicted", count(&a, output_number(store, "failures")),
			    count(&b, output_number(store, "evicted")));
	if (output_number(store, "journal_waiting") || output_number(store, "journal_merged") ||
	    output_number(store, "journal_dropped"))
		output_line("journal", "%s records wait for the store, %s merged since, %s lost",
			    count(&a, output_number(store, "journal_waiting")), count(&b, output_number(store, "journal_merged")),
			    count(&c, output_number(store, "journal_dropped")));
}

static void print_recorded(const json_t *journal)
{
	struct shown a, b;

	if (output_text(journal, "file")[0])
		output_line("recorded", "%s requests in %s, %s lost", count(&a, output_number(journal, "recorded")),
			    output_text(journal, "file"), count(&b, output_number(journal, "dropped")));
}

static void print_trouble(const json_t *server)
{
	static const struct { const char *name, *text; } rows[] = {
		{ "broken", "connections closed for a broken request" }, { "slow", "connections closed as too slow" },
		{ "shed", "idle connections closed to make room" }, { "no_descriptors", "times out of file descriptors" },
		{ "reloads_failed", "reloads refused" }, { "clock_jumps", "times the clock was set" },
		{ "log_lines_lost", "log lines lost" },
	};
	const char *label = "trouble";
	struct shown s;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		json_int_t n = output_number(server, rows[i].name);
		if (n == 0)
			continue;
		output_line(label, "%s %s", count(&s, n), rows[i].text);
		label = "";
	}
}

static void print_dns(const json_t *dns)
{
	const json_t *lists = json_object_get(dns, "lists"), *l;
	struct shown a, b, c;
	size_t i;

	if (output_number(dns, "queries") == 0)
		return;
	output_line("dns", "%s questions, %s answered from memory, %s without an answer", count(&a, output_number(dns, "queries")),
		    count(&b, output_number(dns, "remembered")),
		    count(&c, output_number(dns, "failures") + output_number(dns, "timeouts")));
	json_array_foreach(lists, i, l)
		output_line("", "%s %s: %s%s%s", output_text(l, "kind"), output_text(l, "zone"), output_text(l, "health"),
			    output_text(l, "why")[0] ? ", " : "", output_text(l, "why"));
}

static void print_verdicts(const json_t *row)
{
	const json_t *verdicts = json_object_get(row, "verdicts"), *v;
	struct shown s;
	size_t i;

	if (json_array_size(verdicts) == 0)
		return;
	putchar('\n');
	output_heading("verdict  reason              count");
	json_array_foreach(verdicts, i, v)
		printf("%-8s %-15s %9s\n", output_text(v, "verdict"), output_text(v, "reason"),
		       count(&s, output_number(v, "count")));
}

static void print(const json_t *row, void *arg)
{
	const json_t *latency = json_object_get(row, "latency_us"), *server = json_object_get(row, "server");
	const json_t *lists = json_object_get(row, "lists");
	struct shown a, b, c;

	(void)arg;
	output_line("greylagd", "%s, pid %lld, up %s", output_text(row, "version"),
		    (long long)output_number(row, "pid"), duration(&a, output_number(row, "uptime_s")));
	output_line("mode", "%s (%s)", output_text(row, "mode"), output_text(row, "config"));
	output_line("requests", "%s, %s connections, %s wait for the store", count(&a, output_number(row, "requests")),
		    count(&b, output_number(server, "connections")), count(&c, output_number(server, "in_flight")));
	output_line("answered", "half within %s us, 99 %% within %s us, 99.9 %% within %s us",
		    count(&a, output_number(latency, "p50")), count(&b, output_number(latency, "p99")),
		    count(&c, output_number(latency, "p999")));
	if (output_number(row, "delayed"))
		output_line("delayed", "%s first passes, %s on average", count(&a, output_number(row, "delayed")),
			    duration(&b, output_number(row, "delayed_mean_s")));
	print_store(json_object_get(row, "store"));
	print_recorded(json_object_get(row, "journal"));
	if (output_number(lists, "entries"))
		output_line("lists", "%s entries", count(&a, output_number(lists, "entries")));
	if (json_is_false(json_object_get(row, "clock_trusted")))
		output_line("clock", "was set: nothing is removed as expired for a day");
	if (output_number(row, "clock_behind_s"))
		output_line("clock", "is %s behind that of whoever wrote to the store", duration(&a, output_number(row, "clock_behind_s")));
	print_dns(json_object_get(row, "dns"));
	if (output_text(row, "amnesty_until")[0])
		output_line("amnesty", "nothing is delayed until %s", output_text(row, "amnesty_until"));
	print_trouble(server);
	print_verdicts(row);
}

int cmd_status(struct client *c, const struct arguments *a)
{
	return command_run(c, a, json_pack("{s:s}", "cmd", "status"), print, NULL);
}
