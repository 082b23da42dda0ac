/* The table of settings: one row each, from which come the defaults, the
 * parser, `greylag config`, the sample file and the list in greylag.conf(5). */
#ifndef GREYLAG_CONFIG_OPTIONS_H
#define GREYLAG_CONFIG_OPTIONS_H

#include "config/config.h"

enum option_type {
	OPTION_SECONDS,		/* int64_t */
	OPTION_MILLISECONDS,	/* uint64_t */
	OPTION_SIZE,		/* uint64_t bytes */
	OPTION_NUMBER,		/* uint64_t */
	OPTION_BOOL,		/* bool */
	OPTION_WORD,		/* unsigned: value of one of `words` */
	OPTION_TEXT,		/* char[] of `size` */
	OPTION_STORE,		/* store_driver and store_target */
	OPTION_LOG,		/* log_target and log_path */
};

struct option_word {
	const char *word;
	unsigned value;
};

struct option {
	const char *group;	/* first word of the line */
	const char *name;	/* NULL: the group's own value */
	enum option_type type;
	size_t offset, size;	/* field of struct settings */
	const char *initial;	/* default, as it would be written */
	const char *values;	/* what may be written, for the manual */
	uint64_t least, most;	/* in the field's unit */
	const struct option_word *words;
	int (*check)(struct span value, struct buf *why);
	bool phrase;		/* the value may have several words */
	bool or_zero;		/* 0 is allowed beside the range */
	bool at_start;		/* a reload does not apply it */
	const char *doc;
};

unsigned options_count(void);
const struct option *options_row(unsigned index);

/* The row of a group's own value (name empty) or of a name in it; -1: none. */
int options_find(struct span group, struct span name);
/* True when some row has this group. */
bool options_group(struct span group);
/* How many words the value takes, looking at the first: 1, or 2 for "rocksdb PATH". */
unsigned options_words(const struct option *o, struct span first);

/* Sets a value from its text (two words: second != empty). 0, or -1 with why. */
int options_set(const struct option *o, struct settings *s, struct span first, struct span second,
		struct buf *why);
/* A duration of an OPTION_SECONDS row, checked as the row's own values are. */
int options_seconds(const struct option *o, struct span value, int64_t *out, struct buf *why);
/* The defaults of all rows. */
void options_defaults(struct settings *s);

/* The value as it would be written. */
void options_value(struct buf *out, const struct option *o, const struct settings *s);
/* "group name" or "group". */
void options_name(struct buf *out, const struct option *o);

#endif
