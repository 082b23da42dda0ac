/* stats, mrtg, save and reload of greylistd's protocol. */
#include <time.h>

#include "daemon/greylistd_command.h"

static uint64_t total(const struct metrics *m, enum verdict v)
{
	uint64_t n = 0;

	for (int r = 0; r < REASON_COUNT; r++)
		n += m->reasons[v][r];
	return n;
}

/* What was greylisted for the first time. */
static uint64_t begun(const struct metrics *m)
{
	return m->reasons[VERDICT_DEFER][REASON_NEW] + m->reasons[VERDICT_DEFER][REASON_LAPSED];
}

static uint64_t uptime(const struct server *s)
{
	int64_t up = clock_wall(s->clock) - s->started_at;

	return up > 0 ? (uint64_t)up : 0;
}

static void add_title(struct buf *out, const struct server *s)
{
	char date[64] = "";
	time_t started = (time_t)s->started_at;
	struct tm tm;
	size_t at = out->n;

	if (localtime_r(&started, &tm))
		strftime(date, sizeof date, "%a %b %e %H:%M:%S %Y", &tm);
	buf_addf(out, "Statistics since %s (", date);
	buf_addduration(out, uptime(s));
	buf_adds(out, " ago)");
	size_t width = out->n - at;
	buf_addc(out, '\n');
	while (width--)
		buf_addc(out, '-');
	buf_addc(out, '\n');
}

static void add_items(struct buf *out, uint64_t items, uint64_t requests, unsigned list)
{
	buf_addf(out, "%8llu items, matching %8llu requests, are currently %slisted\n", (unsigned long long)items,
		 (unsigned long long)requests, greylistdproto_word(list));
}

static void add_share(struct buf *out, uint64_t part, uint64_t whole, const char *what)
{
	buf_addf(out, " - %8llu (%5.1f%%) %s\n", (unsigned long long)part, 100.0 * (double)part / (double)whole, what);
}

void greylistd_stats(struct greylistdconn *c, const struct greylistd_command *command)
{
	const struct server *s = greylistdconn_server(c);
	const struct metrics *m = engine_metrics(s->engine);
	struct buf *out = greylistdconn_out(c);
	uint64_t grey = begun(m), white = m->delayed < grey ? m->delayed : grey;
	struct store_stats st;

	(void)command;
	store_stats(s->store, &st);
	add_title(out, s);
	add_items(out, st.records > st.pending_records ? st.records - st.pending_records : 0,
		  total(m, VERDICT_PASS) + total(m, VERDICT_OBSERVE), GREYLISTD_WHITE);
	add_items(out, st.pending_records, total(m, VERDICT_DEFER), GREYLISTD_GREY);
	add_items(out, 0, total(m, VERDICT_REJECT), GREYLISTD_BLACK);
	if (grey) {
		buf_addf(out, "\nOf %llu items that were initially greylisted:\n", (unsigned long long)grey);
		add_share(out, white, grey, "became whitelisted");
		add_share(out, grey - white, grey, "wait, or have expired from the greylist");
	}
	greylistdconn_end(c);
}

/* The four lines that MRTG reads from an external script. */
void greylistd_mrtg(struct greylistdconn *c, const struct greylistd_command *command)
{
	const struct server *s = greylistdconn_server(c);
	const struct metrics *m = engine_metrics(s->engine);
	struct buf *out = greylistdconn_out(c);

	(void)command;
	buf_addf(out, "%llu\n%llu\n", (unsigned long long)begun(m), (unsigned long long)m->delayed);
	buf_addduration(out, uptime(s));
	buf_addf(out, "\n%s\n", s->hostname);
	greylistdconn_end(c);
}

void greylistd_save(struct greylistdconn *c, const struct greylistd_command *command)
{
	(void)command;
	buf_adds(greylistdconn_out(c), "nothing to save: records are stored as they come");
	greylistdconn_end(c);
}

void greylistd_reload(struct greylistdconn *c, const struct greylistd_command *command)
{
	(void)command;
	if (server_reload(greylistdconn_server(c), NULL) != 0) {
		greylistdconn_fail(c, "not all of the configuration could be put in force, see the log");
		return;
	}
	buf_adds(greylistdconn_out(c), "configuration reloaded");
	greylistdconn_end(c);
}
