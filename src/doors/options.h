/* The options that all doors share. */
#ifndef GREYLAG_DOORS_OPTIONS_H
#define GREYLAG_DOORS_OPTIONS_H

#include "base/endpoint.h"

struct door_options {
	struct endpoint endpoint;	/* --socket */
	unsigned deadline_ms;		/* --deadline, default 5 s */
	bool defer;			/* --on-failure defer; default pass */
	char code[4];			/* --reply: codes of a deferral that names none, "451 4.7.1" */
	char enhanced[12];
};

/* An option of one door alone, with a value, or without when `value` is NULL. */
struct door_option {
	const char *name;
	const char *value;		/* what the value is, for the usage */
	const char *help;
	/* 0, or -1 with why. value is "" for an option without one. */
	int (*set)(const char *value, struct buf *why);
};

/* Reads the command line; own may be NULL, else ends with a row without name.
 * words says what follows the options, for the usage. Prints usage, version or what
 * is wrong and exits (0 or 64) where that is all there is to do. Returns the index
 * of the first word that is no option. */
int door_options(int argc, char **argv, const char *words, const struct door_option *own,
		 struct door_options *out);

#endif
