/* Rows of greylag import on their way to the daemon: records in batches as they come,
 * entries of lists at the end, those together that end together. */
#ifndef GREYLAG_CLI_IMPORTSEND_H
#define GREYLAG_CLI_IMPORTSEND_H

#include "cli/command.h"
#include "import/import.h"

#define IMPORTSEND_ENTRIES_MAX 500000

/* What became of what was sent. */
struct importsend_sum {
	uint64_t added, changed, present, over, held, refused, failed;
};

struct importsend {
	struct client *client;
	const char *source;		/* the format's name: the author of entries */
	/* Called for each row that the daemon would not take. */
	void (*refused)(void *arg, const char *why);
	void *arg;
	struct importsend_sum sum;

	json_t *rows;			/* of the batch that gathers */
	size_t bytes;
	struct importsend_entry *entries;
	size_t count, room;
};

/* NULL when the row has bytes that JSON cannot hold. */
json_t *importsend_row(const struct import_row *row);
/* STATUS_OK, or a status to exit with and s->client->problem. *taken: false when the
 * row has bytes that cannot be sent, or there are too many entries. */
int importsend_add(struct importsend *s, const struct import_row *row, bool *taken);
/* Sends what is left. */
int importsend_end(struct importsend *s);
void importsend_free(struct importsend *s);

#endif
