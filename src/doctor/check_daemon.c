/* greylagd itself: its configuration, its store, its clock, its resolver, what it decides. */
#include <errno.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "doctor/doctor.h"

#define DAY 86400
#define APART_S 5	/* clocks that NTP keeps are nearer */

static const struct place nowhere = { "", 0 };

static const char *text_of(const json_t *row, const char *name)
{
	const char *text = json_string_value(json_object_get(row, name));
	return text ? text : "";
}

static json_int_t number_of(const json_t *row, const char *name)
{
	return json_integer_value(json_object_get(row, name));
}

/* What the daemon tells, safe for a terminal. */
static const char *safe(char *out, size_t size, const char *text)
{
	struct buf b = buf_on(out, size);

	buf_addsafe(&b, span_of(text), size / 4);
	return buf_str(&b);
}

/* --- greylag.conf ----------------------------------------------------------------------- */

static void report_line(struct diag *diag, enum diag_severity severity, const char *file, unsigned line, unsigned column,
			const char *text)
{
	struct doctor *d = diag->arg;
	const struct place place = { file, line };

	(void)column;
	doctor_found(d, severity == DIAG_ERROR ? DOCTOR_BAD : DOCTOR_WARN, place, NULL, NULL, "%s", text);
}

void doctor_configuration(struct doctor *d)
{
	struct diag diag = { .report = report_line, .arg = d };
	const char *running = d->status ? text_of(d->status, "config") : "";

	/* What runs is what counts. */
	if (d->root[0] == '\0' && running[0])
		snprintf(d->config_path, sizeof d->config_path, "%s", running);
	else
		doctor_path(d, d->config_path, sizeof d->config_path, DOCTOR_CONFIG);
	d->config = config_load(d->config_path, &diag);
	unsigned found = d->found;
	if (d->root[0])
		doctor_found(d, DOCTOR_OK, nowhere, NULL, NULL, "files that it names with a path from / on are those of this host, not of %.200s", d->root);
	d->found = found;
}

/* --- The daemon ------------------------------------------------------------------------- */

void doctor_daemon(struct doctor *d)
{
	const json_t *server = json_object_get(d->status, "server");
	char text[40];
	struct buf b = BUF_ON(text);

	if (!d->status && geteuid() != 0 && d->unreachable && strstr(d->unreachable, strerror(EACCES))) {
		doctor_found(d, DOCTOR_WARN, nowhere, NULL, NULL, "run it as root, greylagd does not talk to others: %.300s", d->unreachable);
		return;
	}
	if (!d->status) {
		doctor_found(d, DOCTOR_BAD, nowhere, "a shell", "systemctl enable --now greylagd\n", "greylagd does not answer: %.300s",
			     d->unreachable ? d->unreachable : "");
		return;
	}
	buf_addduration(&b, (uint64_t)number_of(d->status, "uptime_s"));
	if (number_of(server, "reloads_failed") > number_of(server, "reloads"))
		doctor_found(d, DOCTOR_WARN, nowhere, "a shell", "greylag reload\n",
			     "a reload was refused: what runs is older than the file");
	if (number_of(server, "no_descriptors"))
		doctor_found(d, DOCTOR_WARN, nowhere, "the unit file, [Service]", "LimitNOFILE=65536\n",
			     "greylagd ran out of file descriptors %lld times", (long long)number_of(server, "no_descriptors"));
	if (number_of(d->status, "uptime_s") > DAY && number_of(d->status, "requests") == 0)
		doctor_found(d, DOCTOR_BAD, nowhere, NULL, NULL, "nobody has asked since the start %s ago", buf_str(&b));
	if (strcmp(text_of(d->status, "mode"), "observe") == 0)
		doctor_found(d, DOCTOR_WARN, nowhere, DOCTOR_CONFIG, "mode enforce\n", "mode observe: all mail passes");
}

void doctor_store(struct doctor *d)
{
	const json_t *store = json_object_get(d->status, "store");
	char text[400];

	if (!store)
		return;
	if (strcmp(text_of(store, "health"), "good") != 0)
		doctor_found(d, DOCTOR_BAD, nowhere, NULL, NULL, "the store is not well: %s", safe(text, sizeof text, text_of(store, "health")));
	if (number_of(store, "journal_dropped"))
		doctor_found(d, DOCTOR_WARN, nowhere, NULL, NULL, "%lld changes were lost while the store was away",
			     (long long)number_of(store, "journal_dropped"));
	if (strcmp(text_of(store, "driver"), "memory") == 0)
		doctor_found(d, DOCTOR_WARN, nowhere, DOCTOR_CONFIG, "store rocksdb /var/lib/greylag\n",
			     "store memory: a restart forgets everything");
	if (strcmp(text_of(store, "driver"), "failing") == 0)
		doctor_found(d, DOCTOR_BAD, nowhere, DOCTOR_CONFIG, "store rocksdb /var/lib/greylag\n", "store failing: it fails on purpose");
	if (d->found == 0)
		doctor_found(d, DOCTOR_OK, nowhere, NULL, NULL, "the store is well");
}

/* --- The clock -------------------------------------------------------------------------- */

/* A clock that is behind sees files of the future. */
static void check_files(struct doctor *d)
{
	struct stat st;

	if (stat(d->config_path, &st) == 0 && st.st_mtime > time(NULL) + DAY) {
		const struct place place = { d->config_path, 0 };
		doctor_found(d, DOCTOR_BAD, place, NULL, NULL, "the clock is behind: this file was changed in the future");
	}
}

void doctor_clock(struct doctor *d)
{
	struct timex t = { .modes = 0 };
	const json_t *server = json_object_get(d->status, "server");

	check_files(d);
	if (d->status && !json_is_true(json_object_get(d->status, "clock_trusted")))
		doctor_found(d, DOCTOR_WARN, nowhere, NULL, NULL, "the clock has just been set: greylagd does not trust it yet");
	if (number_of(server, "clock_jumps"))
		doctor_found(d, DOCTOR_WARN, nowhere, NULL, NULL, "the clock was set %lld times since greylagd started",
			     (long long)number_of(server, "clock_jumps"));
	if (number_of(d->status, "clock_behind_s") > APART_S)
		doctor_found(d, DOCTOR_WARN, nowhere, "a shell", "timedatectl set-ntp true\n",
			     "the clock is behind: within the last hour the store told of mail seen %lld seconds ahead of it, by another exchanger or before the clock was set back",
			     (long long)number_of(d->status, "clock_behind_s"));
	if (adjtimex(&t) == TIME_ERROR)
		doctor_found(d, DOCTOR_WARN, nowhere, "a shell", "timedatectl set-ntp true\n",
			     "nothing keeps the clock right (no NTP): exchangers that share a store must agree on the time");
}

/* --- The DNS ---------------------------------------------------------------------------- */

void doctor_dns(struct doctor *d)
{
	const json_t *dns = json_object_get(d->status, "dns"), *row;
	json_int_t sent = number_of(dns, "sent"), lost = number_of(dns, "failures") + number_of(dns, "timeouts");
	char zone[600], why[600];
	size_t i;

	if (sent >= 5 && lost * 2 > sent)
		doctor_found(d, DOCTOR_BAD, nowhere, DOCTOR_CONFIG, "dns servers 127.0.0.1\n",
			     "the resolver does not work: %lld of %lld questions had no answer", (long long)lost, (long long)sent);
	json_array_foreach(json_object_get(dns, "lists"), i, row) {
		const char *health = text_of(row, "health");
		if (strcmp(health, "good") == 0 || strcmp(health, "untested") == 0)
			continue;
		doctor_found(d, DOCTOR_WARN, nowhere, NULL, NULL, "the DNS list %s is not asked: %s",
			     safe(zone, sizeof zone, text_of(row, "zone")), safe(why, sizeof why, text_of(row, "why")));
	}
}

/* --- What it decides -------------------------------------------------------------------- */

static json_int_t decided(const struct doctor *d, const char *reason)
{
	const json_t *row;
	json_int_t n = 0;
	size_t i;

	json_array_foreach(json_object_get(d->status, "verdicts"), i, row)
		if (strcmp(text_of(row, "reason"), reason) == 0)
			n += number_of(row, "count");
	return n;
}

/* More than one in twenty. */
static bool often(json_int_t n, json_int_t of)
{
	return n > 0 && n * 20 > of;
}

void doctor_verdicts(struct doctor *d)
{
	json_int_t requests = number_of(d->status, "requests"), n = decided(d, "malformed");
	char until[100];

	if (!d->status)
		return;
	if (often(n, requests))
		doctor_found(d, DOCTOR_BAD, nowhere, NULL, NULL,
			     "%lld of %lld requests had no client address: the mail server does not tell it (macros, attributes)",
			     (long long)n, (long long)requests);
	n = decided(d, "store-failure") + decided(d, "store-timeout");
	if (often(n, requests))
		doctor_found(d, DOCTOR_BAD, nowhere, NULL, NULL, "%lld of %lld verdicts fell without the store", (long long)n, (long long)requests);
	if (d->records >= 5 && d->loopback * 10 >= d->records * 9)
		doctor_found(d, DOCTOR_BAD, nowhere, "/etc/postfix/main.cf", "smtpd_upstream_proxy_protocol = haproxy\n",
			     "nearly all clients have addresses of this machine: a proxy in front hides the real ones");
	const char *amnesty = text_of(d->status, "amnesty_until");
	if (amnesty[0])
		doctor_found(d, DOCTOR_WARN, nowhere, NULL, NULL, "amnesty until %s: nothing is delayed", safe(until, sizeof until, amnesty));
}
