/* greylag.conf, read and checked: an immutable snapshot. */
#ifndef GREYLAG_CONFIG_CONFIG_H
#define GREYLAG_CONFIG_CONFIG_H

#include "base/log.h"
#include "config/diag.h"
#include "core/policy.h"
#include "lists/ruleset.h"

#define CONFIG_LISTEN_MAX 32
#define CONFIG_TEXT_MAX 512

enum listen_kind { LISTEN_POLICY, LISTEN_CONTROL, LISTEN_GREYLISTD };

/* listen policy|control|greylistd unix PATH [mode OCTAL] [group NAME]
 * (policy sockets: [once] at the end, control sockets: [read-only])
 * listen policy tcp HOST:PORT    (HOST an address, [::1] in brackets; no names) */
struct listen_spec {
	enum listen_kind kind;
	bool tcp;
	char path[108];		/* UNIX: path of the socket */
	char host[64];		/* TCP: address */
	char port[8];
	unsigned mode;		/* UNIX: permission bits, default 0660, control 0600 */
	char group[64];		/* UNIX: group that gets the socket, or "" */
	bool once;		/* policy: a connection is closed after its first answer */
	bool read_only;		/* control: commands that change nothing */
	unsigned line;
};

enum reply_header { REPLY_HEADER_NO, REPLY_HEADER_DELAYED, REPLY_HEADER_ALL };

/* Every field is one row of the option table (config/options.h). */
struct settings {
	int64_t greylist_delay_s;
	int64_t greylist_window_s;
	int64_t greylist_keep_s;
	unsigned greylist_trust;		/* 0 retry, 1 delivery */
	unsigned identity;			/* enum identity_mode, and enum identity_spf shifted by 4 */
	uint64_t identity_ipv4_prefix;
	uint64_t identity_ipv6_prefix;
	unsigned mode;				/* 0 enforce, 1 observe */
	unsigned on_store_failure;		/* VERDICT_PASS or VERDICT_DEFER */
	unsigned on_malformed;			/* VERDICT_PASS or VERDICT_DEFER */
	unsigned on_trap;			/* VERDICT_DEFER or VERDICT_REJECT */
	unsigned on_hammering;			/* the same */
	uint64_t penalty_spare;
	int64_t penalty_trap_hold_s;
	uint64_t penalty_hasty;
	int64_t penalty_hasty_hold_s;
	uint64_t penalty_hammering;
	int64_t penalty_hammering_span_s, penalty_hammering_hold_s;
	uint64_t penalty_hopping;
	int64_t penalty_hopping_span_s, penalty_hopping_hold_s;
	uint64_t penalty_unwelcome;
	int64_t penalty_unwelcome_span_s, penalty_unwelcome_hold_s;
	uint64_t penalty_unretried;
	int64_t penalty_unretried_after_s, penalty_unretried_delay_s;
	int64_t penalty_misbehaved_hold_s, penalty_spam_hold_s;
	int64_t outbound_keep_s, outbound_expect_s;
	int64_t amnesty_s;			/* 0: none */
	int64_t history_keep_s;			/* 0: none */
	char dns_servers[CONFIG_TEXT_MAX];	/* "": the system's */
	uint64_t dns_budget_ms;
	uint64_t dns_remember;			/* answers */
	char country_database[CONFIG_TEXT_MAX];
	char reply_defer[32];			/* DEFER_IF_PERMIT, DEFER, or a code 4xx */
	char reply_enhanced_code[16];		/* "4.2.0", or "none" */
	char reply_text[CONFIG_TEXT_MAX];	/* %s seconds left, %r recipient domain, %w reason, %u help URL, %% */
	char reply_help_url[CONFIG_TEXT_MAX];
	char reply_block[32];			/* REJECT, DEFER, or a code 4xx or 5xx */
	char reply_block_text[CONFIG_TEXT_MAX];
	unsigned reply_header;			/* enum reply_header: which mail gets X-Greylist */
	char hostname[REQUEST_NAME_MAX + 1];	/* "" : the machine's */
	char store_driver[16];
	char store_target[CONFIG_TEXT_MAX];
	unsigned store_durability;		/* enum store_durability: 0 synced, 1 lazy */
	uint64_t store_deadline_ms;
	uint64_t store_write_buffer;		/* bytes */
	uint64_t store_block_cache;		/* bytes */
	char store_user[64];
	char store_password_file[CONFIG_TEXT_MAX];
	uint64_t store_database;
	char store_prefix[65];
	char store_tls_ca[CONFIG_TEXT_MAX];
	uint64_t store_workers;
	bool store_consistent_reads;
	int64_t store_cache_s;			/* 0: none */
	char store_journal[CONFIG_TEXT_MAX];	/* "": in memory */
	uint64_t cap_total;			/* records that wait for their retry; 0: no cap */
	uint64_t cap_identity;			/* the same, per identity */
	unsigned log_target;			/* enum log_target */
	char log_path[CONFIG_TEXT_MAX];
	unsigned log_facility;			/* syslog(3) facility */
	unsigned log_level;			/* enum log_level */
	bool log_passes;			/* also log verdicts that let mail pass */
	char journal[CONFIG_TEXT_MAX];		/* of requests; "": none */
	uint64_t journal_size;			/* bytes of a file */
	uint64_t journal_keep;			/* older files */
	unsigned journal_privacy;		/* enum privacy_mode: 0 none, 1 local-parts, 2 client */
	char user[64];
	char group[64];				/* "": the user's */
	char learn_trusted[CONFIG_TEXT_MAX];	/* prefixes, blanks between them */
	uint64_t limit_connections;
	uint64_t limit_in_flight;		/* requests that wait for the store */
	uint64_t limit_request_size;		/* bytes of one policy request */
	int64_t limit_request_time_s;		/* to send one request, or to take its answer */
	int64_t limit_idle_s;			/* connection without a request */
};

struct config {
	struct settings settings;
	struct policy policy;			/* what the decision needs of the settings */
	struct listen_spec listens[CONFIG_LISTEN_MAX];
	unsigned listen_count;
	struct ruleset *rules;
	struct rule_test *tests;		/* what the rules must say, config/ruletest.h */
	unsigned test_count;
	char path[CONFIG_TEXT_MAX];
	unsigned *origins;			/* per row of the option table: line that set it, 0: default */
};

/* Reads, checks and compiles the file and the list files it names. NULL when
 * there was an error; findings, warnings too, go to diag. Without any `listen`
 * line listen_count is 0; main decides what that means. */
struct config *config_load(const char *path, struct diag *diag);
/* The same from memory; name stands for the file in findings. List files with
 * relative paths are looked for in the folder of `name`. */
struct config *config_parse(struct span text, const char *name, struct diag *diag);
/* The same; with no_files, list files are not read (for fuzzing). */
struct config *config_parse_with(struct span text, const char *name, bool no_files, struct diag *diag);
void config_free(struct config **config);

#endif
