/* What greylag learn has found, on its way to the daemon or to people. */
#ifndef GREYLAG_CLI_LEARNSEND_H
#define GREYLAG_CLI_LEARNSEND_H

#include "cli/command.h"
#include "learn/received.h"
#include "learn/tally.h"

/* The report about a row: "known", "ham", ... */
typedef const char *learn_word(const struct tally_row *row);

/* Reports each row, in batches; counts what the daemon took and what it could not.
 * STATUS_OK, or a status to exit with and c->problem. */
int learnsend_report(struct client *c, const struct tally *t, learn_word *word, uint64_t *learned, uint64_t *failed);
/* Prints "ADDRESS NAME", with the word in front where rows differ; with --json each row
 * as it would be sent. */
void learnsend_print(const struct arguments *a, const struct tally *t, learn_word *word, bool differ);
/* The daemon's setting `learn trusted`, blanks between the prefixes. */
int learnsend_trusted(struct client *c, struct buf *out);

#endif
