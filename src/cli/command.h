/* What the commands share: the options of the line, and the table. */
#ifndef GREYLAG_CLI_COMMAND_H
#define GREYLAG_CLI_COMMAND_H

#include "cli/client.h"

struct arguments {
	bool json, dry_run, all;
	const char *socket;
	const char *name, *helo, *sasl, *stage;
	const char *client, *sender, *recipient;
	int count;			/* words after the command */
	char **words;
};

/* Runs with an open client; returns the exit status. When it is negative
 * client->problem is printed. */
typedef int command_fn(struct client *c, const struct arguments *a);

command_fn cmd_status;					/* cmd_status.c */
command_fn cmd_why;					/* cmd_why.c */
command_fn cmd_show, cmd_dump, cmd_forget;		/* cmd_records.c */
command_fn cmd_ask;					/* cmd_ask.c: asks like an MTA, c is NULL */
command_fn cmd_store;					/* cmd_store.c: opens stores itself, c is NULL */
command_fn cmd_config, cmd_reload, cmd_backup, cmd_version;	/* cmd_admin.c */

#define COMMAND_FAILED (-1)
#define COMMAND_CONFIG "/etc/greylag/greylag.conf"

/* Where the configuration's first policy listener is, as endpoint_parse reads it. */
const char *command_policy_socket(char *out, size_t size);
/* Adds a word of the command line to a request; NULL adds nothing. Bytes that are
 * not UTF-8, which JSON cannot hold, are escaped. */
void command_text(json_t *request, const char *name, const char *text);
/* Sends the request and drops it, then calls each for all rows (with --json they
 * are printed instead). STATUS_OK or COMMAND_FAILED. */
int command_run(struct client *c, const struct arguments *a, json_t *request,
		void (*each)(const json_t *row, void *arg), void *arg);

#endif
