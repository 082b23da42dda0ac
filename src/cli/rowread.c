#include "cli/rowread.h"

#include <time.h>

#include "base/netaddr.h"
#include "cli/output.h"

static void take_verdicts(const json_t *verdicts, struct rowread_hour *out)
{
	for (unsigned v = 0; v < VERDICT_COUNT; v++) {
		const json_t *reasons = json_object_get(verdicts, verdict_word((enum verdict)v));
		for (unsigned i = 0; reasons && i < REASON_COUNT; i++)
			out->verdicts[v][i] = (uint64_t)output_number(reasons, reason_word((enum reason)i));
	}
}

void rowread_hour(const json_t *row, struct rowread_hour *out)
{
	const json_t *bucket;
	size_t i;

	*out = (struct rowread_hour){ .time = output_number(row, "time"), .delayed_s = (uint64_t)output_number(row, "delayed_s") };
	take_verdicts(json_object_get(row, "verdicts"), out);
	json_array_foreach(json_object_get(row, "delays"), i, bucket) {
		int64_t under = output_number(bucket, "under");
		for (unsigned b = 0; b < HISTORY_BUCKETS; b++)
			if (history_under(b) == under)
				out->delays[b] += (uint64_t)output_number(bucket, "count");
	}
}

/* "2026-11-21T13:00:00Z"; 0 for anything else. */
static int64_t time_of(const json_t *row, const char *name)
{
	struct tm tm = { 0 };
	const char *end = strptime(output_text(row, name), "%Y-%m-%dT%H:%M:%SZ", &tm);

	return end && *end == '\0' ? (int64_t)timegm(&tm) : 0;
}

bool rowread_triplet(const json_t *row, struct report_triplet *out)
{
	const char *kind = output_text(row, "kind");
	bool triplet = strcmp(kind, "triplet") == 0;
	struct netprefix prefix;

	if (!triplet && strcmp(kind, "allowed") != 0)
		return false;
	*out = (struct report_triplet){
		.identity = span_of(output_text(row, "identity")), .sender = span_of(output_text(row, "sender")),
		.recipient = span_of(output_text(row, "recipient")), .first = time_of(row, "first_seen"),
		.last = time_of(row, "last_seen"), .passed_at = time_of(row, "passed_at"),
		.deferred = (uint64_t)output_number(row, "blocked"), .passed = (uint64_t)output_number(row, "passed"),
	};
	/* A hold says nothing of mails: each stands in its triplet. */
	if (!triplet)
		out->deferred = 0;
	out->named = !netprefix_parse(out->identity, &prefix);
	return true;
}
