/* Configurations of other greylisting services, turned into a greylag.conf that
 * does the same as far as there is an equivalent. What has none is reported by
 * file and line, and stands as a comment where the line would be. The text that
 * comes out always passes `greylagd -t`. One thread. */
#ifndef GREYLAG_CONVERT_CONVERT_H
#define GREYLAG_CONVERT_CONVERT_H

#include "base/buf.h"

/* Largest file of a peer that is read. */
#define CONVERT_FILE_MAX ((size_t)4 * 1024 * 1024)

/* Settings may stand anywhere, rules count from the top; some peers put certain
 * rules before all others wherever they stand. */
enum convert_part { CONVERT_SETTINGS, CONVERT_FIRST, CONVERT_RULES, CONVERT_PARTS };

struct convert {
	/* Called for what has no equivalent and for what is only alike: one line for people. */
	void (*say)(void *arg, const char *text);
	void *arg;
	const char *root;		/* stands before the paths of lists, "" for none */
	unsigned missing;		/* what has no equivalent */
	/* Where we are: */
	struct buf parts[CONVERT_PARTS];
	enum convert_part part;
	const char *file;		/* of the peer */
	unsigned line;			/* 0: none in particular */
	struct span source;		/* its text, for the comment */
	bool shown;			/* the comment stands already */
};

/* A peer: reads the file, or the service's own command line where the first word
 * begins with '-'. 0; -1 with why when nothing could be read. */
struct convert_peer {
	const char *name;
	const char *file;		/* where it lies when none is named */
	int (*run)(struct convert *c, char **words, int count, struct buf *why);
};

/* The peers: index from 0, NULL after the last. */
const struct convert_peer *convert_peer(unsigned index);

/* Converts. *out, a heap buf, gets the greylag.conf. 0; -1 with why when nothing could be read. */
int convert_run(const struct convert_peer *peer, struct convert *c, char **words, int count, struct buf *out,
		struct buf *why);
/* The same of a text that is there already, named `file` (for fuzzing). */
void convert_milter_greylist_text(struct convert *c, const char *file, struct span text);
void convert_begin(struct convert *c);
void convert_end(struct convert *c, struct buf *out);

/* --- For the peers ------------------------------------------------------------------ */

/* From here on it is about this line. source is borrowed until the next call. */
void convert_at(struct convert *c, const char *file, unsigned line, struct span source);
/* What may be shown of a line that could hold a password: all, or as far as the first word
 * that has "pass" or "secret" in it. */
struct span convert_harmless(struct span line);
/* A line of greylag.conf, under the peer's as a comment. */
void convert_line(struct convert *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The peer's line needs none here, for this reason. */
void convert_needless(struct convert *c, const char *reason);
/* `what` (empty: the whole line) has no equivalent, for this reason. */
void convert_missing(struct convert *c, struct span what, const char *reason);
/* The line above is not quite the same. */
void convert_differs(struct convert *c, const char *how);

/* A value as a word of greylag.conf, in quotes where it could be read otherwise. */
void convert_word(struct buf *out, struct span value);
/* True when the value is one for this condition (client, sender, ...); else why says why not. */
bool convert_valid(const char *condition, struct span value, struct buf *why);
/* Reads a peer's file below root: 1; 0 when it does not exist; -1; why says why. */
int convert_read(const char *root, const char *path, struct buf *text, struct buf *why);
/* `allow CONDITION file PATH` for a list whose format is ours too; its lines are looked at,
 * and those that we cannot read are named. Returns 1; 0, nothing done, when it is optional
 * and does not exist. */
int convert_list(struct convert *c, const char *condition, const char *path, bool optional);
/* "greylist NAME DURATION", moved into the range that we take, which is then said. */
void convert_time(struct convert *c, const char *name, int64_t seconds, int64_t least, int64_t most);
/* listen policy unix PATH mode 0666, or tcp ADDRESS:PORT ("localhost" and a missing
 * host are 127.0.0.1, "*" is all); end is what stands behind, " once" or "". */
void convert_listen_unix(struct convert *c, struct span path, struct span mode, const char *end);
void convert_listen_inet(struct convert *c, struct span where, const char *end);
/* A reply's text as a word, `%` as our settings have it; false when a reply cannot have it. */
bool convert_text(struct buf *out, struct span text);

int convert_postgrey(struct convert *c, char **words, int count, struct buf *why);
int convert_milter_greylist(struct convert *c, char **words, int count, struct buf *why);
int convert_sqlgrey(struct convert *c, char **words, int count, struct buf *why);
int convert_relaydelay(struct convert *c, char **words, int count, struct buf *why);

#endif
