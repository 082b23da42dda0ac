/* What the commands of the control socket see of their connection. */
#ifndef GREYLAG_DAEMON_CONTROL_COMMAND_H
#define GREYLAG_DAEMON_CONTROL_COMMAND_H

#include <jansson.h>

#include "daemon/control.h"
#include "daemon/recordscan.h"

/* A command reads its arguments, sends rows, and ends with control_end or
 * control_error, at once or later. Until then its connection's memory stays. */
typedef void control_fn(struct control_conn *c, const json_t *arguments);

control_fn control_status, control_config, control_reload, control_version;	/* control_status.c */
control_fn control_why;								/* control_why.c */
control_fn control_show, control_forget;					/* control_records.c */
control_fn control_list_add, control_list_remove;				/* control_lists.c */
control_fn control_let_go;	/* list_remove from "held" */			/* control_held.c */
control_fn control_lists;							/* control_listing.c */
control_fn control_recent;							/* control_recent.c */
control_fn control_backup;							/* control_backup.c */
control_fn control_learn;							/* control_learn.c */
control_fn control_history;							/* control_history.c */
#define CONTROL_IMPORT_MAX 500	/* rows of one command */
control_fn control_import;							/* control_import.c */
control_fn control_export;							/* control_export.c */

struct server *control_server(const struct control_conn *c);

/* Sends one object as a line and drops the reference; NULL counts as out of memory. */
void control_send(struct control_conn *c, json_t *row);
/* {"end":true} */
void control_end(struct control_conn *c);
/* {"error":"..."} */
void control_error(struct control_conn *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Its socket changes nothing. */
bool control_read_only(const struct control_conn *c);
/* The peer has gone: a long command should come to its end. */
bool control_gone(const struct control_conn *c);
/* Enough is unsent for now: a long command should call control_wait and return. */
bool control_full(const struct control_conn *c);
/* A command that walks over records: the first member of its job. */
struct control_scan {
	struct recordscan scan;		/* first: the scan is the job */
	struct control_conn *conn;
	int64_t now;
};
/* A job of so many bytes, the rest of it 0, which done frees. NULL: memory is out, and the
 * client has been told. */
void *control_scan_new(struct control_conn *c, size_t bytes, bool (*row)(struct recordscan *s, struct span key, const struct record *r),
		       void (*done)(struct recordscan *s, const char *error));
/* Its scan.next: stops for a peer that has gone, and waits for one that reads slowly. */
enum recordscan_next control_scan_page(struct recordscan *s);
/* Calls resume(job) once when there is room again, or the peer has gone. */
void control_wait(struct control_conn *c, void (*resume)(void *job), void *job);

/* A string argument, NULL when it is missing or no string. Borrowed. */
const char *control_text(const json_t *arguments, const char *name);
/* Bytes as a JSON string: what is not valid UTF-8 or printable is escaped. */
json_t *control_string(struct span s);
/* A time as ISO 8601 UTC, "" for 0. */
json_t *control_time(int64_t t);

#endif
