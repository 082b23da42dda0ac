#include "web/prometheus.h"

#include <time.h>

/* A single number of the status: where it stands, and what is said about it. */
static const struct number {
	const char *object, *field;	/* object "": the status itself */
	const char *name, *type, *help;
} numbers[] = {
	{ "", "requests", "greylag_requests_total", "counter", "Requests that were answered." },
	{ "server", "connections", "greylag_connections", "gauge", "Open connections of mail servers and doors." },
	{ "server", "in_flight", "greylag_in_flight", "gauge", "Requests that wait for the store or the DNS." },
	{ "server", "accepted", "greylag_connections_accepted_total", "counter", "Connections that were accepted." },
	{ "server", "shed", "greylag_connections_shed_total", "counter", "Idle connections closed to make room." },
	{ "server", "broken", "greylag_connections_broken_total", "counter", "Connections closed for a broken request." },
	{ "server", "slow", "greylag_connections_slow_total", "counter", "Connections closed as too slow." },
	{ "server", "no_descriptors", "greylag_no_descriptors_total", "counter", "Times that no file descriptor was free." },
	{ "server", "reloads", "greylag_reloads_total", "counter", "Reloads of the configuration." },
	{ "server", "reloads_failed", "greylag_reloads_failed_total", "counter", "Reloads that were refused." },
	{ "server", "clock_jumps", "greylag_clock_jumps_total", "counter", "Times that the clock was set." },
	{ "server", "log_lines_lost", "greylag_log_lines_lost_total", "counter", "Log lines that could not be written." },
	{ "store", "records", "greylag_store_records", "gauge", "Records in the store, about." },
	{ "store", "waiting", "greylag_store_waiting", "gauge", "Records that wait for their retry, about." },
	{ "store", "disk_bytes", "greylag_store_disk_bytes", "gauge", "Bytes on disk." },
	{ "store", "memory_bytes", "greylag_store_memory_bytes", "gauge", "Bytes of memory." },
	{ "store", "gets", "greylag_store_gets_total", "counter", "Records that were looked up." },
	{ "store", "merges", "greylag_store_merges_total", "counter", "Changes that were written." },
	{ "store", "syncs", "greylag_store_syncs_total", "counter", "Groups of changes made safe." },
	{ "store", "failures", "greylag_store_failures_total", "counter", "Operations of the store that failed." },
	{ "store", "evicted", "greylag_store_evicted_total", "counter", "Records removed for a cap." },
	{ "store", "journal_waiting", "greylag_store_journal_waiting", "gauge", "Changes that wait for the store." },
	{ "store", "journal_merged", "greylag_store_journal_merged_total", "counter", "Changes of the journal that were merged." },
	{ "store", "journal_dropped", "greylag_store_journal_dropped_total", "counter", "Changes of the journal that were lost." },
	{ "dns", "queries", "greylag_dns_queries_total", "counter", "Questions to the resolver." },
	{ "dns", "remembered", "greylag_dns_remembered_total", "counter", "Questions answered from memory." },
	{ "dns", "sent", "greylag_dns_sent_total", "counter", "Questions sent to name servers." },
	{ "dns", "failures", "greylag_dns_failures_total", "counter", "Questions that failed." },
	{ "dns", "timeouts", "greylag_dns_timeouts_total", "counter", "Questions without an answer in time." },
	{ "lists", "entries", "greylag_list_entries", "gauge", "Entries of the living lists." },
};

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static json_int_t number_of(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* name="value", with what the format wants escaped. */
static void label(struct buf *out, const char *name, const char *value)
{
	buf_addf(out, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\n') {
			buf_adds(out, "\\n");
			continue;
		}
		if (*value == '"' || *value == '\\')
			buf_addc(out, '\\');
		buf_addc(out, *value);
	}
	buf_addc(out, '"');
}

static void single(struct buf *out, const char *name, const char *help, json_int_t value)
{
	head(out, name, "gauge", help);
	buf_addf(out, "%s %lld\n", name, (long long)value);
}

static void add_numbers(struct buf *out, const json_t *status)
{
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		const struct number *n = &numbers[i];
		const json_t *object = n->object[0] ? json_object_get(status, n->object) : status;
		const json_t *value = json_object_get(object, n->field);
		if (!json_is_integer(value))
			continue;
		head(out, n->name, n->type, n->help);
		buf_addf(out, "%s %lld\n", n->name, (long long)json_integer_value(value));
	}
}

static void add_verdicts(struct buf *out, const json_t *verdicts)
{
	const json_t *v;
	size_t i;

	head(out, "greylag_verdicts_total", "counter", "Verdicts by reason.");
	json_array_foreach(verdicts, i, v) {
		buf_adds(out, "greylag_verdicts_total{");
		label(out, "verdict", text_of(v, "verdict"));
		buf_addc(out, ',');
		label(out, "reason", text_of(v, "reason"));
		buf_addf(out, "} %lld\n", (long long)number_of(v, "count"));
	}
}

/* Buckets of {"under":N,"count":N}, the last with under 0; bounds are `per_s` to the second. */
static void add_histogram(struct buf *out, const char *name, const char *help, const json_t *buckets,
			  json_int_t sum, int per_s)
{
	json_int_t seen = 0;
	const json_t *b;
	size_t i;

	if (json_array_size(buckets) == 0)
		return;
	head(out, name, "histogram", help);
	json_array_foreach(buckets, i, b) {
		json_int_t under = number_of(b, "under");
		seen += number_of(b, "count");
		if (under > 0)
			buf_addf(out, "%s_bucket{le=\"%.10g\"} %lld\n", name, (double)under / per_s, (long long)seen);
	}
	buf_addf(out, "%s_bucket{le=\"+Inf\"} %lld\n", name, (long long)seen);
	buf_addf(out, "%s_sum %.10g\n%s_count %lld\n", name, (double)sum / per_s, name, (long long)seen);
}

static void add_info(struct buf *out, const json_t *status)
{
	struct tm tm = { 0 };

	head(out, "greylag_info", "gauge", "Version and mode.");
	buf_adds(out, "greylag_info{");
	label(out, "version", text_of(status, "version"));
	buf_addc(out, ',');
	label(out, "mode", text_of(status, "mode"));
	buf_adds(out, "} 1\n");
	if (strptime(text_of(status, "started"), "%Y-%m-%dT%H:%M:%SZ", &tm))
		single(out, "greylag_start_time_seconds", "When greylagd was started, seconds since 1970.", timegm(&tm));
	single(out, "greylag_clock_trusted", "0 for a day after the clock was set.",
	       json_is_true(json_object_get(status, "clock_trusted")));
	single(out, "greylag_clock_behind_seconds", "How far records of the last hour were ahead of the clock: those of another exchanger.",
	       number_of(status, "clock_behind_s"));
	single(out, "greylag_amnesty", "1 while nothing is delayed because the store is young.",
	       text_of(status, "amnesty_until")[0] != '\0');
}

static void add_health(struct buf *out, const json_t *status)
{
	const json_t *store = json_object_get(status, "store"), *l;
	size_t i;

	head(out, "greylag_store_healthy", "gauge", "1 while the store can be read and written.");
	buf_adds(out, "greylag_store_healthy{");
	label(out, "driver", text_of(store, "driver"));
	buf_addf(out, "} %d\n", strcmp(text_of(store, "health"), "good") == 0);
	const json_t *lists = json_object_get(json_object_get(status, "dns"), "lists");
	if (json_array_size(lists) == 0)
		return;
	head(out, "greylag_dns_list_healthy", "gauge", "1 while the list passes its test.");
	json_array_foreach(lists, i, l) {
		buf_adds(out, "greylag_dns_list_healthy{");
		label(out, "kind", text_of(l, "kind"));
		buf_addc(out, ',');
		label(out, "zone", text_of(l, "zone"));
		buf_addf(out, "} %d\n", strcmp(text_of(l, "health"), "good") == 0);
	}
}

void prometheus_add(struct buf *out, const json_t *status)
{
	single(out, "greylag_up", "1 while greylagd answers.", status != NULL);
	if (!status)
		return;
	const json_t *latency = json_object_get(status, "latency_us");
	add_info(out, status);
	add_verdicts(out, json_object_get(status, "verdicts"));
	add_histogram(out, "greylag_answer_seconds", "Time from question to answer.",
		      json_object_get(latency, "buckets"), number_of(latency, "sum"), 1000000);
	add_histogram(out, "greylag_delay_seconds", "Wait of mail whose first good retry passed.",
		      json_object_get(status, "delays"), number_of(status, "delayed_s"), 1);
	add_health(out, status);
	add_numbers(out, status);
}
