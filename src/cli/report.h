/* What a report says, wherever it was gathered: from the daemon or from logs. Texts in it
 * are UTF-8 without control characters; whoever fills it in sees to that. */
#ifndef GREYLAG_CLI_REPORT_H
#define GREYLAG_CLI_REPORT_H

#include "cli/heavy.h"
#include "core/historykey.h"

#define REPORT_LOST_MAX 1000	/* of those that never came back, the likeliest to be real */
#define REPORT_NAME_MAX 255
#define REPORT_TOPS_MAX 1000

enum report_list { REPORT_SOURCES, REPORT_SENDERS, REPORT_RECIPIENTS };
#define REPORT_LISTS 3

struct report_slot {
	int64_t time;			/* beginning, local hour or day */
	uint64_t verdicts[VERDICT_COUNT];
};

/* A triplet as it was last seen. */
struct report_triplet {
	struct span identity, sender, recipient;
	int64_t first, last, passed_at;	/* passed_at 0: never */
	uint64_t deferred, passed;
	bool named;			/* the identity is a confirmed name that does not look dynamic */
};

struct report_lost {
	char identity[REPORT_NAME_MAX + 1], sender[REPORT_NAME_MAX + 1], recipient[REPORT_NAME_MAX + 1];
	int64_t first, last;
	uint64_t tries;
	unsigned score;			/* 0 (spam) .. 10 (a real mail server) */
};

struct report_options {
	int64_t now, since, until;
	int64_t after_s;		/* who has not come back for so long never will */
	uint64_t tries;			/* least attempts of those that never came back */
	bool skip_dynamic;		/* only those with a name */
	const char *match, *skip;	/* patterns of the source, or NULL */
	uint64_t mail_bytes;		/* mean size of a mail */
	unsigned top;			/* length of the lists */
	bool from_log;
};

struct report {
	struct report_options options;
	bool hourly;			/* a slot is an hour, else a day */
	struct report_slot *slots;
	unsigned slot_count, first_slot;	/* those before first_slot are empty */
	uint64_t verdicts[VERDICT_COUNT][REASON_COUNT];
	uint64_t delays[HISTORY_BUCKETS], delayed, delayed_s;
	uint64_t systems_retried, systems_silent;	/* sources: had a good retry; were deferred and had none */
	uint64_t waiting;			/* deferred a short while ago */
	uint64_t lost_count;			/* never came back, those left out by the filters too */
	struct report_lost *lost;		/* likeliest first */
	unsigned lost_kept;
	struct heavy *lists[REPORT_LISTS];
	/* The source whose triplets are being read: */
	char source[REPORT_NAME_MAX + 1];
	struct report_lost *held;		/* its triplets that never came back, at most REPORT_LOST_MAX */
	unsigned held_count;
	bool source_retried, source_deferred;
	uint64_t bad_lines, lines, left_out;	/* logs only; left_out: no room for a mail */
};

/* NULL when memory is out. */
struct report *report_new(const struct report_options *options);
void report_free(struct report **r);

/* count verdicts of one kind at a time. What is no verdict on a mail (a door's report, a question at a stage where
 * nothing is decided) is left out. */
void report_count(struct report *r, int64_t at, enum verdict v, enum reason reason, uint64_t count);
/* A mail that waited and then passed. */
void report_delay(struct report *r, int64_t delayed_s);
/* Triplets of one source follow each other, and of one sender among them too. */
void report_triplet(struct report *r, const struct report_triplet *t);
/* After the last: sorts what was gathered. */
void report_finish(struct report *r);

/* Sums and shares. */
uint64_t report_total(const struct report *r, enum verdict v);
/* First attempts that were deferred, or would have been, in the time of the report. */
uint64_t report_begun(const struct report *r);
/* Seconds within which the share (0..1) of the mails that waited had passed: an estimate
 * within a bucket; the last bucket has no end, it gives its beginning. */
int64_t report_delay_share(const struct report *r, double share);
/* Bytes that never had to be taken, and that the repeated attempts cost: estimates. */
void report_bandwidth(const struct report *r, uint64_t *saved, uint64_t *spent);

/* "sources", "senders", "recipients". */
const char *report_list_word(enum report_list l);

void report_text(const struct report *r);
void report_json(const struct report *r);
void report_csv(const struct report *r);
void report_html(const struct report *r);

#endif
