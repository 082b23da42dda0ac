/* Rows of the control commands history and show, as numbers and spans. */
#ifndef GREYLAG_CLI_ROWREAD_H
#define GREYLAG_CLI_ROWREAD_H

#include <jansson.h>

#include "cli/report.h"

struct rowread_hour {
	int64_t time;
	uint64_t verdicts[VERDICT_COUNT][REASON_COUNT];
	uint64_t delays[HISTORY_BUCKETS], delayed_s;
};

/* Words that this version does not know are left out. */
void rowread_hour(const json_t *row, struct rowread_hour *out);
/* False: no triplet and no client that is known. Spans borrow from the row. */
bool rowread_triplet(const json_t *row, struct report_triplet *out);

#endif
