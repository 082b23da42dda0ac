/* status, config, reload, version */
#include <unistd.h>

#include "config/options.h"
#include "daemon/control_command.h"
#include "version.h"

static json_t *count(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *reasons(const struct metrics *m)
{
	json_t *rows = json_array();

	for (int v = 0; v < VERDICT_COUNT; v++)
		for (int r = 0; r < REASON_COUNT; r++)
			if (m->reasons[v][r])
				json_array_append_new(rows, json_pack("{s:s, s:s, s:o}",
					"verdict", verdict_word((enum verdict)v), "reason", reason_word((enum reason)r),
					"count", count(m->reasons[v][r])));
	return rows;
}

/* Bounds are powers of two, the last bucket has none. */
static json_t *latency(const struct metrics *m)
{
	json_t *buckets = json_array();

	for (unsigned i = 0; i < METRICS_LATENCY_BUCKETS; i++)
		json_array_append_new(buckets, json_pack("{s:o, s:o}",
			"under", count(i + 1 < METRICS_LATENCY_BUCKETS ? (uint64_t)1 << i : 0), "count", count(m->latency[i])));
	return json_pack("{s:o, s:o, s:o, s:o, s:o}",
		"p50", count(metrics_latency_us(m, 0.5)), "p99", count(metrics_latency_us(m, 0.99)),
		"p999", count(metrics_latency_us(m, 0.999)), "sum", count(m->latency_us_total), "buckets", buckets);
}

static json_t *delays(const struct metrics *m)
{
	json_t *buckets = json_array();

	for (unsigned i = 0; i < HISTORY_BUCKETS; i++)
		json_array_append_new(buckets, json_pack("{s:I, s:o}",
			"under", (json_int_t)history_under(i), "count", count(m->delays[i])));
	return buckets;
}

static json_t *store_status_of(const struct server *s, const struct settings *settings)
{
	struct store_stats st;
	const char *health = store_health(s->store);

	store_stats(s->store, &st);
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"driver", settings->store_driver, "target", settings->store_target,
		"health", health ? health : "good", "records", count(st.records),
		"waiting", count(st.pending_records), "disk_bytes", count(st.disk_bytes),
		"memory_bytes", count(st.memory_bytes), "gets", count(st.gets), "merges", count(st.merges),
		"syncs", count(st.syncs), "failures", count(st.failures), "evicted", count(st.evicted),
		"journal_waiting", count(st.journal_waiting), "journal_merged", count(st.journal_merged),
		"journal_dropped", count(st.journal_dropped));
}

static json_t *counters(const struct server *s)
{
	const struct server_counters *c = &s->counters;

	return json_pack("{s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"connections", (int)s->conn_count, "in_flight", (int)engine_in_flight(s->engine),
		"accepted", count(c->accepted), "shed", count(c->shed), "no_descriptors", count(c->no_descriptors),
		"broken", count(c->broken), "slow", count(c->slow), "reloads", count(c->reloads),
		"reloads_failed", count(c->reloads_failed), "clock_jumps", count(c->clock_jumps),
		"log_lines_lost", count(log_dropped()));
}

static json_t *journal(const struct server *s, const struct settings *settings)
{
	struct requestlog_stats st = { 0 };

	if (s->requestlog)
		requestlog_stats(s->requestlog, &st);
	return json_pack("{s:o, s:o, s:o, s:o}", "file", control_string(span_of(settings->journal)), "recorded", count(st.lines),
		"dropped", count(st.dropped), "waiting", count(st.waiting));
}

static json_t *dns(const struct server *s)
{
	const struct lookups *l = engine_lookups(s->engine);
	struct dnslists_status row;
	struct resolver_stats st;
	json_t *lists = json_array();

	lookups_stats(l, &st);
	for (unsigned i = 0; dnslists_status(lookups_dnslists(l), i, &row); i++)
		json_array_append_new(lists, json_pack("{s:s, s:s, s:s, s:s, s:o}", "kind", dnslist_kind_word(row.kind),
			"zone", row.zone, "health", dnslists_health_word(row.health), "why", row.why,
			"tested", control_time(row.tested_s)));
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "queries", count(st.queries), "remembered", count(st.remembered),
		"sent", count(st.sent), "failures", count(st.failures), "timeouts", count(st.timeouts), "lists", lists);
}

void control_status(struct control_conn *c, const json_t *arguments)
{
	const struct server *s = control_server(c);
	const struct config *config = engine_config(s->engine);
	const struct metrics *m = engine_metrics(s->engine);
	int64_t now = clock_wall(s->clock), up = now - s->started_at;

	(void)arguments;
	control_send(c, json_pack("{s:s, s:i, s:b, s:I, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:I, s:o, s:o, s:o, s:o}",
		"version", GREYLAG_VERSION, "pid", (int)getpid(), "read_only", control_read_only(c), "uptime_s", (json_int_t)(up > 0 ? up : 0),
		"started", control_time(s->started_at), "config", config->path,
		"mode", config->policy.observe ? "observe" : "enforce", "requests", count(m->requests),
		"verdicts", reasons(m), "latency_us", latency(m),
		"delayed", count(m->delayed), "delayed_s", count(m->delayed_s_total), "delays", delays(m),
		"delayed_mean_s", count(m->delayed ? m->delayed_s_total / m->delayed : 0),
		"server", counters(s), "store", store_status_of(s, &config->settings),
		"clock_trusted", s->distrust_until_s == 0, "clock_behind_s", (json_int_t)metrics_behind_s(m, now),
		"amnesty_until", control_time(engine_amnesty_until(s->engine)), "dns", dns(s),
		"journal", journal(s, &config->settings),
		"lists", json_pack("{s:o, s:b}", "entries", count(livinglists_count(s->living)),
				   "loaded", livinglists_loaded(s->living))));
	control_end(c);
}

void control_config(struct control_conn *c, const json_t *arguments)
{
	const struct config *config = engine_config(control_server(c)->engine);
	char name[100], value[CONFIG_TEXT_MAX * 2 + 10];

	(void)arguments;
	for (unsigned i = 0; i < options_count(); i++) {
		const struct option *o = options_row(i);
		struct buf n = BUF_ON(name), v = BUF_ON(value);
		options_name(&n, o);
		options_value(&v, o, &config->settings);
		control_send(c, json_pack("{s:s, s:s, s:s, s:i}", "setting", buf_str(&n), "value", buf_str(&v),
			"file", config->origins[i] ? config->path : "", "line", (int)config->origins[i]));
	}
	control_send(c, json_pack("{s:i, s:I}", "rules", (int)ruleset_rules(config->rules),
		"entries", (json_int_t)ruleset_entries(config->rules)));
	control_end(c);
}

void control_reload(struct control_conn *c, const json_t *arguments)
{
	struct buf findings = buf_heap(60000);
	struct span rest, line;

	(void)arguments;
	int status = server_reload(control_server(c), &findings);
	rest = buf_span(&findings);
	while (span_cut(&rest, '\n', &line))
		control_send(c, json_pack("{s:o}", "finding", control_string(line)));
	buf_free(&findings);
	control_send(c, json_pack("{s:b}", "reloaded", status == 0));
	control_end(c);
}

void control_version(struct control_conn *c, const json_t *arguments)
{
	(void)arguments;
	control_send(c, json_pack("{s:s}", "version", GREYLAG_VERSION));
	control_end(c);
}
