/* What the commands share. */
#ifndef GREYLAG_CLI_COMMAND_H
#define GREYLAG_CLI_COMMAND_H

#include "cli/arguments.h"
#include "client/client.h"
#include "config/diag.h"

/* Runs with an open client, or with NULL when it opens one itself where it needs one;
 * returns the exit status. When it is negative client->problem is printed. */
typedef int command_fn(struct client *c, const struct arguments *a);

command_fn cmd_status;					/* cmd_status.c */
command_fn cmd_why;					/* cmd_why.c */
command_fn cmd_show, cmd_dump, cmd_forget;		/* cmd_records.c */
command_fn cmd_allow, cmd_block, cmd_trap, cmd_enlist, cmd_expect, cmd_unlist;	/* cmd_lists.c */
command_fn cmd_lists;					/* cmd_listing.c */
command_fn cmd_ask;					/* cmd_ask.c */
command_fn cmd_learn;					/* cmd_learn.c */
command_fn cmd_report;					/* cmd_report.c */
command_fn cmd_top;					/* cmd_top.c */
command_fn cmd_import;					/* cmd_import.c */
command_fn cmd_export;					/* cmd_export.c */
command_fn cmd_replay;					/* cmd_replay.c */
command_fn cmd_convert;					/* cmd_convert.c */
command_fn cmd_doctor;					/* cmd_doctor.c */
command_fn cmd_store;					/* cmd_store.c */
command_fn cmd_config, cmd_reload, cmd_backup, cmd_version;	/* cmd_admin.c */

#define COMMAND_FAILED (-1)
#define COMMAND_CONFIG "/etc/greylag/greylag.conf"

/* Opens the control socket of the options or of the configuration; see client_open. */
int command_open(struct client *c, const struct arguments *a);
/* Where the configuration's first policy listener is, as endpoint_parse reads it. */
const char *command_policy_socket(char *out, size_t size);
/* For a struct diag: prints the errors of a configuration. */
void command_finding(struct diag *d, enum diag_severity severity, const char *file, unsigned line, unsigned column,
		     const char *text);
/* Adds a word of the command line to a request; NULL adds nothing. Bytes that are
 * not UTF-8, which JSON cannot hold, are escaped. */
void command_text(json_t *request, const char *name, const char *text);
/* Sends the request and drops it, then calls each for all rows (with --json they
 * are printed instead). STATUS_OK or COMMAND_FAILED. */
int command_run(struct client *c, const struct arguments *a, json_t *request,
		void (*each)(const json_t *row, void *arg), void *arg);

#endif
