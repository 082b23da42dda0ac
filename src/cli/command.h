/* What the commands share: the options of the line, and the table. */
#ifndef GREYLAG_CLI_COMMAND_H
#define GREYLAG_CLI_COMMAND_H

#include "client/client.h"

#define ARGUMENTS_WITH_MAX 16

struct arguments {
	bool json, dry_run, all, print;
	const char *socket;
	const char *trusted, *days;
	const char *name, *helo, *sasl, *stage;
	const char *client, *sender, *recipient;
	const char *with[ARGUMENTS_WITH_MAX];	/* why: attributes, NAME=VALUE */
	int with_count;
	const char *duration, *until, *comment, *file, *format;
	const char *expiring;		/* "" without a duration */
	bool shorten;
	int count;			/* words after the command */
	char **words;
};

/* Runs with an open client; returns the exit status. When it is negative
 * client->problem is printed. */
typedef int command_fn(struct client *c, const struct arguments *a);

command_fn cmd_status;					/* cmd_status.c */
command_fn cmd_why;					/* cmd_why.c */
command_fn cmd_show, cmd_dump, cmd_forget;		/* cmd_records.c */
command_fn cmd_allow, cmd_block, cmd_trap, cmd_enlist, cmd_expect, cmd_unlist;	/* cmd_lists.c */
command_fn cmd_lists;					/* cmd_listing.c */
command_fn cmd_ask;					/* cmd_ask.c: asks like an MTA, c is NULL */
command_fn cmd_learn;					/* cmd_learn.c: opens a client when it needs one, c is NULL */
command_fn cmd_store;					/* cmd_store.c: opens stores itself, c is NULL */
command_fn cmd_config, cmd_reload, cmd_backup, cmd_version;	/* cmd_admin.c */

#define COMMAND_FAILED (-1)
#define COMMAND_CONFIG "/etc/greylag/greylag.conf"

/* Opens the control socket of the options or of the configuration; see client_open. */
int command_open(struct client *c, const struct arguments *a);
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
