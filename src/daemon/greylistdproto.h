/* The line protocol of greylistd, as Exim's ${readsocket} and greylist(1) speak
 * it: one command, one answer, end. Total on any input; pure.
 *
 *   [COMMAND] [--white|--grey|--black ...] [DATA ...]
 *
 * Without a command it is an update. For greylistd DATA are opaque words; here
 * they become a request: the first that is an address or a masked network is
 * the client, of the others the first is the sender and the second the
 * recipient. */
#ifndef GREYLAG_DAEMON_GREYLISTDPROTO_H
#define GREYLAG_DAEMON_GREYLISTDPROTO_H

#include "core/reason.h"
#include "core/request.h"

#define GREYLISTDPROTO_MAX 4096		/* bytes of a command */

enum greylistd_verb {
	GREYLISTD_UPDATE,	/* judge, and remember */
	GREYLISTD_CHECK,	/* judge only */
	GREYLISTD_ADD,
	GREYLISTD_DELETE,
	GREYLISTD_STATS,
	GREYLISTD_MRTG,
	GREYLISTD_LIST,
	GREYLISTD_CLEAR,
	GREYLISTD_SAVE,
	GREYLISTD_RELOAD,
};

enum {
	GREYLISTD_WHITE = 1,
	GREYLISTD_GREY = 2,
	GREYLISTD_BLACK = 4,
};

struct greylistd_command {
	enum greylistd_verb verb;
	unsigned first;			/* the first list named, 0: none */
	unsigned lists;			/* all lists named */
	struct request request;		/* what DATA say; client.family is 0 when they name none */
};

/* Length of the command at the head of `in`, without its line feed; in.n when
 * there is none. */
size_t greylistdproto_line(struct span in);

/* Reads one command, or as much of it as is kept; *out borrows its bytes. Returns
 * 0, or -1 with the reason in why.
 *
 * Words end at blanks outside quotes. An empty sender is "<>", or two blanks
 * where it should be; a single word beside the client is the recipient of a
 * bounce, asked about after its content (stage DATA), as greylistd-setup-exim4
 * has it; several recipients are separated by ", ", the first counts. */
int greylistdproto_parse(struct span line, struct greylistd_command *out, struct buf *why);

/* The list's word, "white", "grey" or "black". */
const char *greylistdproto_word(unsigned list);

/* The list in which a verdict puts the request. */
unsigned greylistdproto_list(enum verdict v);

/* Appends the answer to an update or check: whether `list` is the one asked
 * for, or its word when none was. */
void greylistdproto_answer(struct buf *out, const struct greylistd_command *c, unsigned list);

#endif
