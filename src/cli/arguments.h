/* The command line: options of all commands, which stand anywhere, and words. */
#ifndef GREYLAG_CLI_ARGUMENTS_H
#define GREYLAG_CLI_ARGUMENTS_H

#include "base/span.h"

#define ARGUMENTS_WITH_MAX 16

/* Texts are NULL, flags false when the option is not given. */
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
	/* convert, doctor: stands before the paths that are looked at */
	const char *root;
	/* import: */
	const char *user, *password_file, *delay;
	/* report: */
	bool from_log, skip_dynamic;
	const char *since, *after, *tries, *match, *skip, *mail_size, *top;
	/* replay: */
	const char *config, *against;
	bool list;
	uint64_t given;			/* options, a bit each, see arguments_foreign */
	const char *command;		/* the first word, or NULL */
	int count;			/* words after the command */
	char **words;
};

enum arguments_are { ARGUMENTS_GOOD, ARGUMENTS_HELP, ARGUMENTS_WRONG };

/* ARGUMENTS_WRONG: getopt_long(3) has said why. */
enum arguments_are arguments_read(int argc, char **argv, struct arguments *a);
/* The first option that was given and is not among these names, between blanks (NULL: none);
 * NULL when there is no such. What is for all commands never is. */
const char *arguments_foreign(const struct arguments *a, const char *names);

#endif
