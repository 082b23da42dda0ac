#include "daemon/server.h"

#include <signal.h>
#include <unistd.h>

#include "base/notify.h"
#include "config/ruletest.h"
#include "daemon/conn.h"
#include "daemon/control.h"
#include "daemon/greylistdconn.h"
#include "daemon/listener.h"
#include "daemon/recent.h"
#include "daemon/verdictlog.h"
#include "engine/clientcache.h"

#define STORE_LATER_MS 5000	/* renewals and counters of known senders */
#define HOUSEKEEPING_MS 1000
#define SWEEP_EVERY 5		/* housekeeping rounds */
#define CLOCK_JUMP_S 600	/* the wall clock moved this much against the monotonic one */
#define DISTRUST_S 86400	/* after a jump nothing is removed as expired for so long */
#define STOP_LIMIT_MS 3000

/* --- The journal of requests --------------------------------------------------------- */

/* As the settings say; also the way to reopen it after rotation. */
static int set_requestlog(struct server *s, const struct settings *set, struct buf *why)
{
	const struct requestlog_options options = {
		.path = set->journal, .size = set->journal_size, .keep = (unsigned)set->journal_keep,
		.privacy = (enum privacy_mode)set->journal_privacy,
	};

	if (set->journal[0] == '\0') {
		requestlog_close(&s->requestlog);
		return 0;
	}
	if (s->requestlog)
		return requestlog_change(s->requestlog, &options, why);
	s->requestlog = requestlog_open(&options, why);
	return s->requestlog ? 0 : -1;
}

/* --- Findings of a configuration ---------------------------------------------------- */

static void on_finding(struct diag *d, enum diag_severity severity, const char *file,
		       unsigned line, unsigned column, const char *text)
{
	char storage[1024];
	struct buf b = buf_on(storage, sizeof storage), *findings = d->arg;

	diag_text(&b, severity, file, line, column, text);
	log_msg(severity == DIAG_ERROR ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, "%s", buf_str(&b));
	if (!findings)
		return;
	buf_addspan(findings, buf_span(&b));
	buf_addc(findings, '\n');
}

int server_open_log(const struct server *s, const struct config *config, struct buf *why)
{
	const struct settings *set = &config->settings;
	struct log_options options = {
		.target = (enum log_target)set->log_target, .path = set->log_path, .ident = "greylagd",
		.facility = (int)set->log_facility, .level = (enum log_level)set->log_level,
	};

	if (s->foreground && options.target == LOG_TO_SYSLOG)
		options.target = LOG_TO_STDERR;
	return log_open(&options, why);
}

static void set_hostname(struct server *s, const struct settings *settings)
{
	if (settings->hostname[0])
		snprintf(s->hostname, sizeof s->hostname, "%s", settings->hostname);
	else if (gethostname(s->hostname, sizeof s->hostname) != 0)
		snprintf(s->hostname, sizeof s->hostname, "localhost");
	s->hostname[sizeof s->hostname - 1] = '\0';
}

static void find_out(const void *names, struct request *r)
{
	client_find_out(names, r);
}

bool server_rules_hold(const struct names *names, const struct config *config, struct diag *diag)
{
	return ruletest_run(config, find_out, names, diag) == 0;
}

/* Also after a reload that failed: it may come from a rotation of the logs. */
static void reopen_files(struct server *s, const struct config *config)
{
	char text[300];
	struct buf why = buf_on(text, sizeof text);

	if (server_open_log(s, config, &why) != 0)
		log_msg(LOG_LEVEL_ERROR, "reload: %s; the log stays where it is", buf_str(&why));
	buf_clear(&why);
	if (set_requestlog(s, &config->settings, &why) != 0)
		log_msg(LOG_LEVEL_ERROR, "reload: journal: %s; it stays as it was", buf_str(&why));
}

int server_reload(struct server *s, struct buf *findings)
{
	struct diag diag = { .report = on_finding, .arg = findings };

	notify_send("RELOADING=1");
	s->counters.reloads++;
	struct config *config = config_load(s->config_path, &diag);
	if (config && !server_rules_hold(s->names, config, &diag))
		config_free(&config);
	if (!config) {
		s->counters.reloads_failed++;
		reopen_files(s, engine_config(s->engine));
		log_msg(LOG_LEVEL_ERROR, "reload: the configuration has errors; the running one stays");
		notify_send("READY=1\nSTATUS=reload failed, running on the former configuration");
		return -1;
	}
	reopen_files(s, config);
	unsigned failures = listener_sync(s, config);
	set_hostname(s, &config->settings);
	engine_swap(s->engine, config);
	log_msg(LOG_LEVEL_NOTICE, "configuration reloaded: %s", s->config_path);
	notify_send("READY=1\nSTATUS=running");
	return failures ? -1 : 0;
}

/* --- Signals -------------------------------------------------------------------------- */

static void on_hangup(int signal, void *arg)
{
	(void)signal;
	server_reload(arg, NULL);
}

static void on_terminate(int signal, void *arg)
{
	struct server *s = arg;

	log_msg(LOG_LEVEL_NOTICE, "stopping on signal %d", signal);
	s->stopping = true;
	loop_stop(s->loop);
}

int server_watch_hangup(struct server *s, struct buf *why)
{
	if (loop_on_signal(s->loop, SIGHUP, on_hangup, s) != 0)
		return buf_fail(why, "cannot watch signals");
	return 0;
}

static int watch_signals(struct server *s, struct buf *why)
{
	signal(SIGPIPE, SIG_IGN);
	/* A log or store file at its size limit gives an error, not an end. */
	signal(SIGXFSZ, SIG_IGN);
	if (loop_on_signal(s->loop, SIGTERM, on_terminate, s) != 0 ||
	    loop_on_signal(s->loop, SIGINT, on_terminate, s) != 0)
		return buf_fail(why, "cannot watch signals");
	return 0;
}

/* --- Housekeeping ----------------------------------------------------------------------- */

/* A clock that is set forward by a year must not empty the store: after a jump
 * nothing is removed for a day of real time. */
static void watch_clock(struct server *s)
{
	uint64_t mono = clock_mono(&clock_system);
	int64_t wall = clock_wall(s->clock), mono_s = (int64_t)(mono / CLOCK_NS_PER_S);
	int64_t expected = s->last_wall_s + (int64_t)((mono - s->last_mono_ns) / CLOCK_NS_PER_S);
	int64_t jump = wall - expected;

	if (s->last_mono_ns && (jump > CLOCK_JUMP_S || jump < -CLOCK_JUMP_S)) {
		log_msg(LOG_LEVEL_WARNING, "the clock was set by %lld seconds; nothing expires from the store for a day",
			(long long)jump);
		s->counters.clock_jumps++;
		s->distrust_until_s = mono_s + DISTRUST_S;
		store_trust_clock(s->store, false);
	} else if (s->distrust_until_s && mono_s >= s->distrust_until_s) {
		s->distrust_until_s = 0;
		store_trust_clock(s->store, true);
	}
	s->last_wall_s = wall;
	s->last_mono_ns = mono;
}

static void keep_alive(void)
{
	static uint64_t last_ns;
	unsigned every_ms = notify_watchdog_ms();
	uint64_t now = clock_mono(&clock_system);

	if (every_ms == 0 || now - last_ns < (uint64_t)every_ms * CLOCK_NS_PER_MS)
		return;
	last_ns = now;
	notify_send("WATCHDOG=1");
}

static void sweep(struct server *s)
{
	conn_sweep(s);
	greylistdconn_sweep(s);
}

static void on_housekeeping(struct loop_timer *t)
{
	static unsigned round;
	struct server *s = t->arg;

	watch_clock(s);
	keep_alive();
	if (++round % SWEEP_EVERY == 0)
		sweep(s);
	loop_timer_set(t, HOUSEKEEPING_MS);
}

static void flush_log(void *arg)
{
	(void)arg;
	log_flush();
}

/* --- Start and stop ----------------------------------------------------------------------- */

static struct store *open_store(struct server *s, const struct settings *settings, struct buf *why)
{
	const struct store_options options = {
		.driver = settings->store_driver, .target = settings->store_target,
		.loop = s->loop, .clock = s->clock,
		.durability = (enum store_durability)settings->store_durability,
		.write_buffer_bytes = settings->store_write_buffer,
		.block_cache_bytes = settings->store_block_cache,
		.later_ms = STORE_LATER_MS, .cap_total = settings->cap_total, .cap_identity = settings->cap_identity,
		.deadline_ms = (unsigned)settings->store_deadline_ms, .user = settings->store_user,
		.password_file = settings->store_password_file, .prefix = settings->store_prefix,
		.database = settings->store_database, .tls_ca = settings->store_tls_ca,
		.workers = (unsigned)settings->store_workers, .consistent_reads = settings->store_consistent_reads,
		.journal = settings->store_journal, .cache_s = (unsigned)settings->store_cache_s,
	};
	return store_open(&options, why);
}

static void on_verdict(const struct inquiry *q, const struct config *config, void *arg)
{
	const struct server *s = arg;

	recent_add(s->recent, q);
	verdictlog_report(q, config);
	if (s->requestlog)
		requestlog_add(s->requestlog, q);
}

int server_start(struct server *s, struct config *config, struct buf *why)
{
	if (set_requestlog(s, &config->settings, why) != 0) {
		config_free(&config);
		return -1;
	}
	s->store = open_store(s, &config->settings, why);
	s->living = s->store ? livinglists_new(s->loop, s->clock, s->store) : NULL;
	s->recent = s->living ? recent_new() : NULL;
	if (!s->recent) {
		if (s->store)
			buf_fail(why, "out of memory");
		config_free(&config);
		return -1;
	}
	set_hostname(s, &config->settings);
	const struct engine_options options = {
		.loop = s->loop, .clock = s->clock, .names = s->names, .store = s->store,
		.living = s->living, .config = config, .report = on_verdict, .report_arg = s,
	};
	s->engine = engine_new(&options, why);
	if (!s->engine || watch_signals(s, why) != 0)
		return -1;
	const struct livingdomains_options domains = {
		.loop = s->loop, .clock = s->clock, .store = s->store, .living = s->living,
		.resolver = lookups_resolver(engine_lookups(s->engine)),
	};
	s->domains = livingdomains_new(&domains);
	if (!s->domains)
		return buf_fail(why, "out of memory");
	s->started_at = clock_wall(s->clock);
	loop_each_turn(s->loop, store_turn, s->store);
	loop_each_turn(s->loop, flush_log, NULL);
	loop_each_turn(s->loop, conn_reap, s);
	loop_each_turn(s->loop, greylistdconn_reap, s);
	loop_timer_init(&s->housekeeping, s->loop, on_housekeeping, s);
	return 0;
}

int server_run(struct server *s)
{
	for (unsigned i = 0; i < CONFIG_LISTEN_MAX; i++)
		if (s->listeners[i].watch.fd >= 0)
			listener_start(&s->listeners[i]);
	loop_timer_set(&s->housekeeping, 1);
	notify_send("READY=1\nSTATUS=running");
	return loop_run(s->loop);
}

/* How many connections still wait for an answer. */
static unsigned close_waiting(struct server *s)
{
	greylistdconn_close_idle(s);
	return conn_close_idle(s) + control_close_all(s);
}

bool server_stop(struct server *s)
{
	uint64_t limit = clock_mono(&clock_system) + STOP_LIMIT_MS * (uint64_t)CLOCK_NS_PER_MS;

	notify_send("STOPPING=1");
	for (unsigned i = 0; i < CONFIG_LISTEN_MAX; i++)
		listener_close(&s->listeners[i]);
	/* Commands that wait for the DNS end with that. */
	if (s->domains)
		livingdomains_stop(s->domains);
	unsigned left = close_waiting(s);
	while (s->engine && left && clock_mono(&clock_system) < limit) {
		loop_once(s->loop, 10);
		left = close_waiting(s);
	}
	conn_close_all(s);
	greylistdconn_close_all(s);
	if (s->engine)
		engine_stop(s->engine);
	bool ended = store_close(&s->store);
	livingdomains_free(&s->domains);
	engine_free(&s->engine);
	livinglists_free(&s->living);
	ended = requestlog_close(&s->requestlog) && ended;
	recent_free(&s->recent);
	conn_reap(s);
	greylistdconn_reap(s);
	return ended;
}
