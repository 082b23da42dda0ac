/* What is wrong with the set-up of the mail server and of greylagd here: looks at
 * files, sockets, the daemon's status and the DNS, runs no program, changes nothing.
 * Each check is a row of a table in doctor.c. One thread; may block for some seconds. */
#ifndef GREYLAG_DOCTOR_DOCTOR_H
#define GREYLAG_DOCTOR_DOCTOR_H

#include <jansson.h>

#include "config/config.h"

#define DOCTOR_CONFIG "/etc/greylag/greylag.conf"
#define DOCTOR_NO_BOUNCES "greylagd is not asked at DATA, so bounces, which it lets pass at RCPT for the sake of callouts, are never judged"

enum doctor_severity { DOCTOR_OK, DOCTOR_WARN, DOCTOR_BAD };

struct doctor_finding {
	enum doctor_severity severity;
	const char *check;	/* name of the check */
	const char *file;	/* where it was found, "" for no file */
	unsigned line;		/* 0: none in particular */
	const char *text;	/* one line, safe for a terminal */
	const char *add_to;	/* the file that `lines` go into, "" for none */
	const char *lines;	/* what to write there, each with a line feed */
};

struct doctor {
	void (*report)(void *arg, const struct doctor_finding *f);
	void *arg;
	const char *root;		/* stands before all paths that are looked at, "" for none */
	const json_t *status;		/* the daemon's status; NULL when it does not answer, */
	const char *unreachable;	/* for this reason */
	json_int_t records, loopback;	/* records that a client has, and those of 127.0.0.0/8 */
	/* The checks' own: */
	struct config *config;		/* NULL: there is none that is sound */
	char config_path[1100];
	const char *check;
	unsigned found;			/* findings of this check */
	unsigned mtas;			/* mail servers that were found */
	enum doctor_severity worst;
};

/* Runs all checks; the caller has set what is above the line. Returns the worst finding. */
enum doctor_severity doctor_run(struct doctor *d);
const char *doctor_word(enum doctor_severity severity);

/* --- For the checks -------------------------------------------------------------------- */

struct place {
	const char *file;
	unsigned line;
};

/* A finding; format makes its text, where untrusted parts have gone through buf_addsafe. */
void doctor_found(struct doctor *d, enum doctor_severity severity, struct place place, const char *add_to,
		  const char *lines, const char *format, ...) __attribute__((format(printf, 6, 7)));
/* The path below the root. */
const char *doctor_path(const struct doctor *d, char *out, size_t size, const char *path);
/* Reads a file below the root: 1, 0 when there is none, -1 when it cannot be read, which is reported. */
int doctor_read(struct doctor *d, const char *path, struct buf *text);
/* True when one of greylagd's policy listeners is this UNIX socket, or this TCP address. */
bool doctor_listens_unix(const struct doctor *d, struct span path);
bool doctor_listens_tcp(const struct doctor *d, struct span host, struct span port);
/* How Postfix, or another, writes the first policy listener: "unix:private/greylag", "inet:127.0.0.1:10023". */
void doctor_service(const struct doctor *d, const char *queue, struct buf *out);
/* Reports what keeps a user ("": nobody in particular) from talking to a UNIX socket: 0 when nothing does. */
int doctor_socket(struct doctor *d, struct place place, const char *path, const char *user, const char *lines);

/* Reports it when nobody takes a connection there. */
void doctor_tcp(struct doctor *d, struct place place, struct span host, struct span port);

typedef void doctor_check(struct doctor *d);
doctor_check doctor_configuration, doctor_daemon, doctor_store, doctor_clock, doctor_dns, doctor_verdicts;	/* check_daemon.c */
doctor_check doctor_lists;		/* check_lists.c */
doctor_check doctor_postfix;		/* check_postfix.c */
doctor_check doctor_exim;		/* check_exim.c */
doctor_check doctor_sendmail, doctor_opensmtpd, doctor_qmail;	/* check_others.c */
doctor_check doctor_exchangers;		/* check_exchangers.c */

#endif
