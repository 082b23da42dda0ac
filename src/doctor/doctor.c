#include "doctor/doctor.h"

#include <stdarg.h>

#include "base/netaddr.h"
#include "lists/listfile.h"

#define FILE_MAX_BYTES ((size_t)4 * 1024 * 1024)

static const struct check {
	const char *name;
	doctor_check *run;
	const char *good;	/* said when it finds nothing; NULL: nothing is */
} checks[] = {
	{ "configuration", doctor_configuration, "greylag.conf is sound" },
	{ "lists", doctor_lists, NULL },
	{ "daemon", doctor_daemon, "greylagd answers" },
	{ "store", doctor_store, NULL },
	{ "clock", doctor_clock, "the clock is kept right" },
	{ "dns", doctor_dns, NULL },
	{ "verdicts", doctor_verdicts, NULL },
	{ "postfix", doctor_postfix, NULL },
	{ "sendmail", doctor_sendmail, NULL },
	{ "exim", doctor_exim, NULL },
	{ "opensmtpd", doctor_opensmtpd, NULL },
	{ "qmail", doctor_qmail, NULL },
	{ "exchangers", doctor_exchangers, NULL },
};

const char *doctor_word(enum doctor_severity severity)
{
	switch (severity) {
	case DOCTOR_OK: return "ok";
	case DOCTOR_WARN: return "warn";
	case DOCTOR_BAD: return "bad";
	}
	return "?";
}

void doctor_found(struct doctor *d, enum doctor_severity severity, struct place place, const char *add_to,
		  const char *lines, const char *format, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, format);
	if (vsnprintf(text, sizeof text, format, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	const struct doctor_finding f = { .severity = severity, .check = d->check, .file = place.file ? place.file : "",
		.line = place.line, .text = text, .add_to = add_to ? add_to : "", .lines = lines ? lines : "" };
	d->found++;
	if (severity > d->worst)
		d->worst = severity;
	d->report(d->arg, &f);
}

const char *doctor_path(const struct doctor *d, char *out, size_t size, const char *path)
{
	snprintf(out, size, "%s%s", d->root, path);
	return out;
}

int doctor_read(struct doctor *d, const char *path, struct buf *text)
{
	char full[1200], reason[200];
	struct buf why = BUF_ON(reason);

	*text = buf_heap(FILE_MAX_BYTES);
	int found = listfile_read(doctor_path(d, full, sizeof full, path), text, &why);
	if (found < 0)
		doctor_found(d, DOCTOR_WARN, (struct place){ path, 0 }, NULL, NULL, "cannot be looked at: %s", buf_str(&why));
	return found;
}

bool doctor_listens_unix(const struct doctor *d, struct span path)
{
	for (unsigned i = 0; d->config && i < d->config->listen_count; i++) {
		const struct listen_spec *l = &d->config->listens[i];
		if (l->kind == LISTEN_POLICY && !l->tcp && span_eq(path, span_of(l->path)))
			return true;
	}
	return false;
}

static bool same_host(struct span a, struct span b)
{
	struct netaddr x, y;

	if (span_ieq(a, span_of("localhost")) || a.n == 0)
		a = span_of("127.0.0.1");
	if (!netaddr_parse(a, &x) || !netaddr_parse(b, &y))
		return false;
	return netaddr_eq(&x, &y) || span_eq(b, span_of("0.0.0.0")) || span_eq(b, span_of("::"));
}

bool doctor_listens_tcp(const struct doctor *d, struct span host, struct span port)
{
	for (unsigned i = 0; d->config && i < d->config->listen_count; i++) {
		const struct listen_spec *l = &d->config->listens[i];
		if (l->kind == LISTEN_POLICY && l->tcp && span_eq(port, span_of(l->port)) && same_host(host, span_of(l->host)))
			return true;
	}
	return false;
}

void doctor_service(const struct doctor *d, const char *queue, struct buf *out)
{
	const struct listen_spec *l = NULL;

	for (unsigned i = 0; d->config && !l && i < d->config->listen_count; i++)
		if (d->config->listens[i].kind == LISTEN_POLICY)
			l = &d->config->listens[i];
	if (!l) {
		buf_adds(out, "inet:127.0.0.1:10023");
	} else if (l->tcp) {
		bool bracket = strchr(l->host, ':') != NULL;
		buf_addf(out, "inet:%s%s%s:%s", bracket ? "[" : "", l->host, bracket ? "]" : "", l->port);
	} else {
		size_t n = strlen(queue);
		bool inside = n && strncmp(l->path, queue, n) == 0 && l->path[n] == '/';
		buf_addf(out, "unix:%s", inside ? l->path + n + 1 : l->path);
	}
}

enum doctor_severity doctor_run(struct doctor *d)
{
	const struct place nowhere = { "", 0 };

	for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
		d->check = checks[i].name;
		d->found = 0;
		checks[i].run(d);
		if (d->found == 0 && checks[i].good)
			doctor_found(d, DOCTOR_OK, nowhere, NULL, NULL, "%s", checks[i].good);
	}
	d->check = "mail server";
	if (d->mtas == 0)
		doctor_found(d, DOCTOR_WARN, nowhere, NULL, NULL, "no configuration of Postfix, Sendmail, Exim, OpenSMTPD or qmail was found "
			     "where it usually lies");
	else if (!d->config)
		doctor_found(d, DOCTOR_WARN, nowhere, NULL, NULL, "whether it asks greylagd was not looked at: greylag.conf, which says where "
			     "greylagd listens, cannot be used");
	config_free(&d->config);
	return d->worst;
}
