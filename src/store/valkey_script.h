/* What runs inside the server: each script is one step that nothing else comes
 * between. Records are the bytes of core/record.h; the server's clock is never
 * asked, times come from us or are spans of time. */
#ifndef GREYLAG_STORE_VALKEY_SCRIPT_H
#define GREYLAG_STORE_VALKEY_SCRIPT_H

enum valkey_script {
	/* KEYS and as many deltas from ARGV[2] on; ARGV[1]: our time, "" when it is not
	 * trusted. Answers how many keys are new, and how many held something odd. */
	VALKEY_SCRIPT_MERGE,
	/* KEYS; deletes those that have never passed, answers how many. */
	VALKEY_SCRIPT_THIN,
	/* KEYS, ARGV[1]: our time. Deletes those that expired longer ago than the grace,
	 * gives an expiry to those without; answers how many went. */
	VALKEY_SCRIPT_SWEEP,
	VALKEY_SCRIPTS,
};

extern const char *const valkey_script_text[VALKEY_SCRIPTS];

#endif
