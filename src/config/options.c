#include "config/options.h"

#include <stddef.h>
#include <syslog.h>

#include "base/dbtarget.h"
#include "base/kvtarget.h"
#include "config/optioncheck.h"
#include "base/value.h"

#define SPF_FIRST (IDENTITY_SPF_FIRST << 4)
#define SPF_UNNAMED (IDENTITY_SPF_UNNAMED << 4)
/* A number's first spelling is the one that is shown. */
static const struct option_word identities[] = {
	{ "host", IDENTITY_HOST }, { "host network", IDENTITY_HOST }, { "network", IDENTITY_NETWORK }, { "address", IDENTITY_ADDRESS },
	{ "spf host network", IDENTITY_HOST | SPF_FIRST }, { "spf host", IDENTITY_HOST | SPF_FIRST },
	{ "host spf network", IDENTITY_HOST | SPF_UNNAMED }, { "host spf", IDENTITY_HOST | SPF_UNNAMED },
	{ "spf network", IDENTITY_NETWORK | SPF_FIRST }, { "spf address", IDENTITY_ADDRESS | SPF_FIRST }, { NULL, 0 } };
static const struct option_word refusals[] = { { "defer", VERDICT_DEFER }, { "block", VERDICT_REJECT }, { NULL, 0 } };
static const struct option_word modes[] = { { "enforce", 0 }, { "observe", 1 }, { NULL, 0 } };
static const struct option_word trusts[] = { { "retry", 0 }, { "delivery", 1 }, { NULL, 0 } };
static const struct option_word headers[] = {
	{ "no", REPLY_HEADER_NO }, { "yes", REPLY_HEADER_DELAYED }, { "all", REPLY_HEADER_ALL }, { NULL, 0 } };
static const struct option_word failures[] = {
	{ "pass", VERDICT_PASS }, { "defer", VERDICT_DEFER }, { NULL, 0 } };
static const struct option_word durabilities[] = { { "synced", 0 }, { "lazy", 1 }, { NULL, 0 } };
static const struct option_word levels[] = {
	{ "error", LOG_LEVEL_ERROR }, { "warning", LOG_LEVEL_WARNING }, { "notice", LOG_LEVEL_NOTICE },
	{ "info", LOG_LEVEL_INFO }, { "debug", LOG_LEVEL_DEBUG }, { NULL, 0 } };
static const struct option_word facilities[] = {
	{ "mail", LOG_MAIL }, { "daemon", LOG_DAEMON }, { "user", LOG_USER }, { "local0", LOG_LOCAL0 },
	{ "local1", LOG_LOCAL1 }, { "local2", LOG_LOCAL2 }, { "local3", LOG_LOCAL3 }, { "local4", LOG_LOCAL4 },
	{ "local5", LOG_LOCAL5 }, { "local6", LOG_LOCAL6 }, { "local7", LOG_LOCAL7 }, { NULL, 0 } };
static const struct option_word privacies[] = { { "none", 0 }, { "local-parts", 1 }, { "client", 2 }, { NULL, 0 } };
static const struct option_word log_targets[] = {
	{ "syslog", LOG_TO_SYSLOG }, { "stderr", LOG_TO_STDERR }, { "file", LOG_TO_FILE }, { NULL, 0 } };

#define FIELD(name) .offset = offsetof(struct settings, name), .size = sizeof(((struct settings *)0)->name)
#define DAY ((uint64_t)86400)
#define M ((uint64_t)1 << 20)

static const struct option options[] = {
	{ "greylist", "delay", OPTION_SECONDS, FIELD(greylist_delay_s), .initial = "60s", .values = "0..24h", .most = DAY,
	  .doc = "How long after the first attempt a retry begins to pass. Longer delays real mail more and stops hardly "
		 "more spam: senders that retry at all come back after minutes." },
	{ "greylist", "window", OPTION_SECONDS, FIELD(greylist_window_s), .initial = "48h", .values = "1m..60d", .least = 60,
	  .most = 60 * DAY, .doc = "How long after the first attempt a retry still passes; one that comes later counts as a first attempt." },
	{ "greylist", "keep", OPTION_SECONDS, FIELD(greylist_keep_s), .initial = "36d", .values = "7d..3650d", .least = 7 * DAY,
	  .most = 3650 * DAY, .doc = "How long a sender that has passed is remembered after its last mail. RFC 6647 asks for a week at least." },
	{ "greylist", "trust", OPTION_WORD, FIELD(greylist_trust), .initial = "retry", .values = "retry | delivery", .words = trusts,
	  .doc = "When a client is trusted: after its first good retry, or only when the mail was kept. delivery needs a door that "
		 "reports the end of a mail; greylag-milter does." },
	{ "identity", NULL, OPTION_WORD, FIELD(identity), .initial = "host", .values = "host | network | address | spf host network | "
	  "host spf network | spf network | spf address", .words = identities, .phrase = true,
	  .doc = "Who counts as one sender: the registrable domain of the forward-confirmed host name, or else the network "
		 "(host); always the network; always the exact address. With spf in front, or between, it is the sender's "
		 "domain when SPF confirms that it sends from this client; a pass by \"+all\" and the like confirms nothing. "
		 "What is remembered for the network goes on under such a name." },
	{ "identity", "ipv4-prefix", OPTION_NUMBER, FIELD(identity_ipv4_prefix), .initial = "24", .values = "8..32", .least = 8,
	  .most = 32, .doc = "Leading bits of an IPv4 address that make the network." },
	{ "identity", "ipv6-prefix", OPTION_NUMBER, FIELD(identity_ipv6_prefix), .initial = "64", .values = "16..128", .least = 16,
	  .most = 128, .doc = "Leading bits of an IPv6 address that make the network." },
	{ "mode", NULL, OPTION_WORD, FIELD(mode), .initial = "enforce", .values = "enforce | observe", .words = modes,
	  .doc = "With observe everything is decided, remembered and logged, and all mail passes." },
	{ "on-store-failure", NULL, OPTION_WORD, FIELD(on_store_failure), .initial = "pass", .values = "pass | defer", .words = failures,
	  .doc = "The verdict when the store fails or does not answer within its deadline." },
	{ "on-malformed", NULL, OPTION_WORD, FIELD(on_malformed), .initial = "pass", .values = "pass | defer", .words = failures,
	  .doc = "The verdict on a request that cannot be judged: it has no usable client address." },
	{ "on-trap", NULL, OPTION_WORD, FIELD(on_trap), .initial = "defer", .values = "defer | block", .words = refusals,
	  .doc = "How a client is refused that writes, or has written, to a trap." },
	{ "on-hammering", NULL, OPTION_WORD, FIELD(on_hammering), .initial = "defer", .values = "defer | block", .words = refusals,
	  .doc = "How a client is refused that hammers." },
	{ "penalty", "trap-hold", OPTION_SECONDS, FIELD(penalty_trap_hold_s), .initial = "24h", .values = "1m..30d", .least = 60, .most = 30 * DAY,
	  .doc = "How long a client is held that wrote to a trap. Each further offence of a client, of whatever kind, doubles its hold, up to 32 times; offences within a minute are one." },
	{ "penalty", "spare", OPTION_NUMBER, FIELD(penalty_spare), .initial = "100", .values = "1.. | 0", .least = 1, .most = INT64_MAX, .or_zero = true,
	  .doc = "No client of an organisation is held that is trusted for a week and had so many mails passed; each strike asks for as "
		 "many more. 0: nobody is spared." },
	{ "penalty", "hasty", OPTION_NUMBER, FIELD(penalty_hasty), .initial = "5", .values = "2..1000 | 0", .least = 2, .most = 1000, .or_zero = true,
	  .doc = "More attempts than this at one mail by one client within a minute are hasty: that client, not its neighbours, waits "
		 "longer. Attempts less than 5 seconds apart are one. A client with a name of its own is not hasty, as it may send many mails "
		 "to one person; it can only hammer. 0: they are not counted." },
	{ "penalty", "hasty-hold", OPTION_SECONDS, FIELD(penalty_hasty_hold_s), .initial = "10m", .values = "1m..30d", .least = 60, .most = 30 * DAY,
	  .doc = "How long it waits." },
	{ "penalty", "hammering", OPTION_NUMBER, FIELD(penalty_hammering), .initial = "40", .values = "5..100000 | 0", .least = 5, .most = 100000,
	  .or_zero = true, .doc = "More attempts than this at one mail by one client within hammering-span are hammering; those less "
	  "than 5 seconds apart are one. 0: they are not counted." },
	{ "penalty", "hammering-span", OPTION_SECONDS, FIELD(penalty_hammering_span_s), .initial = "1h", .values = "1m..24h", .least = 60, .most = DAY,
	  .doc = "The time in which they count." },
	{ "penalty", "hammering-hold", OPTION_SECONDS, FIELD(penalty_hammering_hold_s), .initial = "3d", .values = "1m..30d", .least = 60, .most = 30 * DAY,
	  .doc = "How long a client is held that hammers." },
	{ "penalty", "hopping", OPTION_NUMBER, FIELD(penalty_hopping), .initial = "3", .values = "2..8 | 0", .least = 2, .most = 8, .or_zero = true,
	  .doc = "When so many unrelated strangers bring mail of the same sender, or with the same HELO, to the same recipient within "
		 "hopping-span, it is one botnet that hops. 0: nobody looks." },
	{ "penalty", "hopping-span", OPTION_SECONDS, FIELD(penalty_hopping_span_s), .initial = "10s", .values = "1s..10m", .least = 1, .most = 600,
	  .doc = "The time in which they count." },
	{ "penalty", "hopping-hold", OPTION_SECONDS, FIELD(penalty_hopping_hold_s), .initial = "4h", .values = "1m..30d", .least = 60, .most = 30 * DAY,
	  .doc = "How long that mail, and the clients that bring it, are held." },
	{ "penalty", "unwelcome", OPTION_NUMBER, FIELD(penalty_unwelcome), .initial = "20", .values = "2..100000 | 0", .least = 2, .most = 100000,
	  .or_zero = true, .doc = "A stranger that block rules, block lists or traps rejected more often than this within unwelcome-span is "
	  "unwelcome with all else too. 0: rejections are not counted." },
	{ "penalty", "unwelcome-span", OPTION_SECONDS, FIELD(penalty_unwelcome_span_s), .initial = "1h", .values = "1m..24h", .least = 60, .most = DAY,
	  .doc = "The time in which they count." },
	{ "penalty", "unwelcome-hold", OPTION_SECONDS, FIELD(penalty_unwelcome_hold_s), .initial = "24h", .values = "1m..30d", .least = 60, .most = 30 * DAY,
	  .doc = "How long an unwelcome client is held." },
	{ "penalty", "unretried", OPTION_NUMBER, FIELD(penalty_unretried), .initial = "20", .values = "5..100000 | 0", .least = 5, .most = 100000,
	  .or_zero = true, .doc = "A client whose identity has had so many triplets waiting since unretried-after, and never a good retry, waits "
	  "longer. 0: nobody does." },
	{ "penalty", "unretried-after", OPTION_SECONDS, FIELD(penalty_unretried_after_s), .initial = "12h", .values = "1h..30d", .least = 3600,
	  .most = 30 * DAY, .doc = "How long it has had the chance to retry." },
	{ "penalty", "unretried-delay", OPTION_SECONDS, FIELD(penalty_unretried_delay_s), .initial = "1h", .values = "0..24h", .most = DAY,
	  .doc = "The delay of such a client." },
	{ "penalty", "misbehaved-hold", OPTION_SECONDS, FIELD(penalty_misbehaved_hold_s), .initial = "0", .values = "1m..30d | 0", .least = 60,
	  .most = 30 * DAY, .or_zero = true, .doc = "How long a client is held that talks before the greeting or hangs up in it, as a door or a log "
	  "reports. 0: it only is a stranger again." },
	{ "penalty", "spam-hold", OPTION_SECONDS, FIELD(penalty_spam_hold_s), .initial = "24h", .values = "1m..30d | 0", .least = 60,
	  .most = 30 * DAY, .or_zero = true, .doc = "How long a client is held that was reported to send spam. 0: not at all." },
	{ "outbound", "keep", OPTION_SECONDS, FIELD(outbound_keep_s), .initial = "36d", .values = "1h..3650d | 0", .least = 3600, .most = 3650 * DAY,
	  .or_zero = true, .doc = "How long an answer is awaited: whom one of ours has written to (authenticated, or by an outgoing rule) may "
	  "write back to him without delay. 0: nothing is remembered." },
	{ "outbound", "expect", OPTION_SECONDS, FIELD(outbound_expect_s), .initial = "0", .values = "1m..24h | 0", .least = 60, .most = DAY,
	  .or_zero = true, .doc = "How long all mail to one of ours that has just sent some passes without delay, whoever writes. 0: not at all." },
	{ "amnesty", NULL, OPTION_SECONDS, FIELD(amnesty_s), .initial = "0", .values = "10m..30d | 0", .least = 600, .most = 30 * DAY, .or_zero = true,
	  .at_start = true, .doc = "How long nothing is delayed, and all is remembered, after a start with a store that knows nothing of the last "
	  "such time: a new one, a restored one, one that stood still. 0: never." },
	{ "history", "keep", OPTION_SECONDS, FIELD(history_keep_s), .initial = "400d", .values = "1d..3650d | 0", .least = DAY,
	  .most = 3650 * DAY, .or_zero = true, .doc = "How long the counters of each hour are kept, for greylag report. 0: nothing is counted." },
	{ "dns", "servers", OPTION_TEXT, FIELD(dns_servers), .initial = "", .values = "ADDRESS[:PORT] ...", .check = optioncheck_plain,
	  .at_start = true, .doc = "Name servers for dnsbl, dnswl, rhsbl and spf; empty: the system's." },
	{ "dns", "budget", OPTION_MILLISECONDS, FIELD(dns_budget_ms), .initial = "2s", .values = "50ms..30s", .least = 50, .most = 30000,
	  .doc = "How long a verdict waits for the DNS, all questions together. What comes later serves the next attempt." },
	{ "dns", "remember", OPTION_NUMBER, FIELD(dns_remember), .initial = "20000", .values = "1..10000000", .least = 1, .most = 10000000,
	  .at_start = true, .doc = "How many answers are remembered, as long as they may be; up to 1 KB each." },
	{ "country-database", NULL, OPTION_TEXT, FIELD(country_database), .initial = "", .values = "PATH", .check = optioncheck_plain,
	  .at_start = true, .doc = "The file (MMDB) that tells the country of an address, for the condition country." },
	{ "reply", "defer", OPTION_TEXT, FIELD(reply_defer), .initial = "DEFER_IF_PERMIT", .values = "DEFER_IF_PERMIT | DEFER | 4xx",
	  .check = optioncheck_defer, .doc = "The action that defers. DEFER_IF_PERMIT lets Postfix refuse for good what it would "
	  "refuse anyway; a code such as 451 is given at once." },
	{ "reply", "enhanced-code", OPTION_TEXT, FIELD(reply_enhanced_code), .initial = "4.2.0", .values = "4.x.y | none",
	  .check = optioncheck_enhanced, .doc = "Enhanced status code (RFC 3463) in front of the text." },
	{ "reply", "text", OPTION_TEXT, FIELD(reply_text), .initial = "Greylisted, please try again in %s seconds", .values = "text",
	  .check = optioncheck_text, .doc = "Text of a deferral: %s seconds left, %r recipient domain, %w reason, %u help URL, %% a per "
	  "cent sign. Log tools look for \"Greylisted\" at its start." },
	{ "reply", "help-url", OPTION_TEXT, FIELD(reply_help_url), .initial = "", .values = "text", .check = optioncheck_plain,
	  .doc = "What %u stands for: a page of your own that explains greylisting." },
	{ "reply", "block", OPTION_TEXT, FIELD(reply_block), .initial = "REJECT", .values = "REJECT | DEFER | 4xx | 5xx",
	  .check = optioncheck_block, .doc = "The action of block rules." },
	{ "reply", "block-text", OPTION_TEXT, FIELD(reply_block_text), .initial = "5.7.1 Access denied", .values = "text",
	  .check = optioncheck_text, .doc = "Text of block rules that have none of their own." },
	{ "reply", "header", OPTION_WORD, FIELD(reply_header), .initial = "yes", .values = "yes | no | all", .words = headers,
	  .doc = "Whether mail that was delayed gets an X-Greylist header that says how long. With all, mail that was not delayed "
		 "gets one that says why, a line for each recipient." },
	{ "hostname", NULL, OPTION_TEXT, FIELD(hostname), .initial = "", .values = "name", .check = optioncheck_plain,
	  .doc = "This machine's name in the X-Greylist header; empty: the system's." },
	{ "store", NULL, OPTION_STORE, FIELD(store_driver), .initial = "rocksdb /var/lib/greylag", .values = "rocksdb FOLDER | valkey WHERE | mariadb WHERE | memory | failing WHAT",
	  .at_start = true, .doc = "Where records are kept. rocksdb is the embedded store in a folder. valkey is a server "
	  "(Valkey, Redis) that several greylagds share: ADDRESS:PORT, unix:/PATH, "
	  "sentinel:NAME@ADDRESS:PORT,... or cluster:ADDRESS:PORT,.... mariadb is a database that they share "
	  "(MariaDB, MySQL, Galera): HOST/DATABASE, HOST:PORT/DATABASE or unix:/PATH/DATABASE, several servers separated by commas. memory forgets at the end. failing "
	  "fails on purpose (fail, hang, fail-merge), to see what then happens to mail." },
	{ "store", "durability", OPTION_WORD, FIELD(store_durability), .initial = "synced", .values = "synced | lazy", .words = durabilities,
	  .at_start = true, .doc = "synced: a deferral is answered when its record is on the disk. lazy: it is synced within a second, "
	  "and a power cut may forget that second." },
	{ "store", "deadline", OPTION_MILLISECONDS, FIELD(store_deadline_ms), .initial = "500ms", .values = "10ms..60s", .least = 10,
	  .most = 60000, .doc = "How long a request waits for the store before on-store-failure decides." },
	{ "store", "write-buffer", OPTION_SIZE, FIELD(store_write_buffer), .initial = "8M", .values = "1M..1G", .least = M, .most = 1024 * M,
	  .at_start = true, .doc = "Memory for records on their way to disk; up to three of this size." },
	{ "store", "block-cache", OPTION_SIZE, FIELD(store_block_cache), .initial = "16M", .values = "1M..16G", .least = M, .most = 16384 * M,
	  .at_start = true, .doc = "Memory for blocks read from disk." },
	{ "store", "user", OPTION_TEXT, FIELD(store_user), .initial = "", .values = "name", .at_start = true, .check = optioncheck_plain,
	  .doc = "valkey, mariadb: who we are at the server; empty: its default user, for mariadb the name of greylagd's user." },
	{ "store", "password-file", OPTION_TEXT, FIELD(store_password_file), .initial = "", .values = "PATH", .at_start = true,
	  .doc = "valkey, mariadb: a file whose first line is the password; greylagd's user must be able to read it." },
	{ "store", "database", OPTION_NUMBER, FIELD(store_database), .initial = "0", .values = "0..65535", .most = 65535,
	  .at_start = true, .doc = "valkey: number of the server's database." },
	{ "store", "prefix", OPTION_TEXT, FIELD(store_prefix), .initial = "greylag:", .values = "text", .at_start = true,
	  .check = optioncheck_prefix, .doc = "valkey: what the names of our keys begin with, up to 64 bytes." },
	{ "store", "tls-ca", OPTION_TEXT, FIELD(store_tls_ca), .initial = "", .values = "PATH", .at_start = true,
	  .doc = "mariadb: certificates of the authorities that the server's must come from; with it only TLS is spoken." },
	{ "store", "workers", OPTION_NUMBER, FIELD(store_workers), .initial = "4", .values = "1..64", .least = 1, .most = 64,
	  .at_start = true, .doc = "mariadb: connections, each with a thread." },
	{ "store", "consistent-reads", OPTION_BOOL, FIELD(store_consistent_reads), .initial = "no", .values = "yes | no",
	  .at_start = true, .doc = "mariadb: whether a node of a Galera cluster, before it reads, waits until it has applied what the "
	  "others wrote. A retry comes a minute later, a node is milliseconds behind." },
	{ "store", "journal", OPTION_TEXT, FIELD(store_journal), .initial = "", .values = "PATH", .at_start = true,
	  .doc = "valkey, mariadb: a file for what could not be stored while the server was away, so that a restart does not lose it; "
	  "greylagd's user must be able to write to its folder. Empty: it is kept in memory." },
	{ "store", "cache", OPTION_SECONDS, FIELD(store_cache_s), .initial = "0s", .values = "1s..5m | 0", .least = 1, .most = 300,
	  .or_zero = true, .at_start = true, .doc = "valkey, mariadb: how long it is believed, without asking the server again, that a "
	  "client proved itself and is not held. What another mail server did to it counts here so much later, what this one did "
	  "at once. 0: not at all." },
	{ "cap", "total", OPTION_NUMBER, FIELD(cap_total), .initial = "10000000", .values = "1000.. | 0", .least = 1000, .most = INT64_MAX,
	  .at_start = true, .or_zero = true, .doc = "Most triplets that wait for their retry; above it the oldest that never came back go first. 0: no cap." },
	{ "cap", "identity", OPTION_NUMBER, FIELD(cap_identity), .initial = "100000", .values = "100.. | 0", .least = 100, .most = INT64_MAX,
	  .at_start = true, .or_zero = true, .doc = "The same for one sender, so that a flood from one network cannot push out the others." },
	{ "log", NULL, OPTION_LOG, FIELD(log_target), .initial = "syslog", .values = "syslog | stderr | file PATH", .words = log_targets,
	  .doc = "Where the log goes. A file is opened anew at SIGHUP." },
	{ "log", "facility", OPTION_WORD, FIELD(log_facility), .initial = "mail", .values = "mail | daemon | user | local0..local7",
	  .words = facilities, .doc = "Syslog facility." },
	{ "log", "level", OPTION_WORD, FIELD(log_level), .initial = "info", .values = "error | warning | notice | info | debug", .words = levels,
	  .doc = "How much is logged; verdicts are info." },
	{ "log", "passes", OPTION_BOOL, FIELD(log_passes), .initial = "yes", .values = "yes | no",
	  .doc = "Whether verdicts that let mail pass are logged too. The first pass after a deferral always is." },
	{ "journal", NULL, OPTION_TEXT, FIELD(journal), .initial = "", .values = "PATH",
	  .doc = "A file in which greylagd records each request with its verdict, for greylag replay. Empty: none. It has nothing to do with "
		 "store journal, which keeps records while a store is away." },
	{ "journal", "size", OPTION_SIZE, FIELD(journal_size), .initial = "100M", .values = "1M..1T", .least = M, .most = M * M,
	  .doc = "A journal that would grow larger becomes PATH.1, PATH.1 becomes PATH.2, and so on. A request takes about 400 bytes." },
	{ "journal", "keep", OPTION_NUMBER, FIELD(journal_keep), .initial = "9", .values = "0..1000", .most = 1000,
	  .doc = "How many of the older files are kept." },
	{ "journal", "privacy", OPTION_WORD, FIELD(journal_privacy), .initial = "none", .values = "none | local-parts | client", .words = privacies,
	  .doc = "What is not recorded as it stands, but as a keyed hash, so that equal addresses stay equal: nothing; user names, in front of the @; or "
		 "all of addresses and logins, so that only who the client is can be read. The key is made in PATH.key and should stay there." },
	{ "user", NULL, OPTION_TEXT, FIELD(user), .initial = "greylag", .values = "name", .at_start = true, .check = optioncheck_plain,
	  .doc = "Whom greylagd becomes when it was started as root." },
	{ "group", NULL, OPTION_TEXT, FIELD(group), .initial = "", .values = "name", .at_start = true, .check = optioncheck_plain,
	  .doc = "Its group; empty: the user's." },
	{ "learn", "trusted", OPTION_TEXT, FIELD(learn_trusted), .initial = "", .values = "text", .check = optioncheck_networks,
	  .doc = "Relays of your own, or that forward to you, as addresses and prefixes with blanks between them: greylag learn looks "
		 "behind them for who handed a mail over, and learns nothing about them. Loopback always belongs to them." },
	{ "limit", "connections", OPTION_NUMBER, FIELD(limit_connections), .initial = "10000", .values = "10..1000000", .least = 10,
	  .most = 1000000, .doc = "Policy connections at once; for one more the one that has been idle longest is closed." },
	{ "limit", "in-flight", OPTION_NUMBER, FIELD(limit_in_flight), .initial = "10000", .values = "10..1000000", .least = 10,
	  .most = 1000000, .doc = "Requests that may wait for the store at once; others are answered by on-store-failure." },
	{ "limit", "request-size", OPTION_SIZE, FIELD(limit_request_size), .initial = "64K", .values = "4K..1M", .least = 4096, .most = M,
	  .doc = "Bytes of one policy request; a connection that sends more without an empty line is closed." },
	{ "limit", "request-time", OPTION_SECONDS, FIELD(limit_request_time_s), .initial = "60s", .values = "1s..1h", .least = 1, .most = 3600,
	  .doc = "How long a peer may take to send a request, or to take its answer." },
	{ "limit", "idle", OPTION_SECONDS, FIELD(limit_idle_s), .initial = "1h", .values = "10s..30d", .least = 10, .most = 30 * DAY,
	  .doc = "How long a connection without a request is kept." },
};

unsigned options_count(void)
{
	return sizeof options / sizeof *options;
}

const struct option *options_row(unsigned index)
{
	return &options[index];
}

bool options_group(struct span group)
{
	for (unsigned i = 0; i < options_count(); i++)
		if (span_ieq(group, span_of(options[i].group)))
			return true;
	return false;
}

int options_find(struct span group, struct span name)
{
	for (unsigned i = 0; i < options_count(); i++)
		if (span_ieq(group, span_of(options[i].group)) && span_ieq(name, span_of(options[i].name)))
			return (int)i;
	return -1;
}

static bool takes_target(struct span first)
{
	return span_ieq(first, span_of("rocksdb")) || span_ieq(first, span_of("failing")) ||
	       span_ieq(first, span_of("valkey")) || span_ieq(first, span_of("mariadb")) ||
	       span_ieq(first, span_of("file"));
}

unsigned options_words(const struct option *o, struct span first)
{
	return (o->type == OPTION_STORE || o->type == OPTION_LOG) && takes_target(first) ? 2 : 1;
}

/* --- Setting ----------------------------------------------------------------------- */

static void *field(const struct option *o, struct settings *s)
{
	return (char *)s + o->offset;
}

static const void *field_const(const struct option *o, const struct settings *s)
{
	return (const char *)s + o->offset;
}

static int set_word(const struct option *o, unsigned *out, struct span value, struct buf *why)
{
	for (const struct option_word *w = o->words; w->word; w++)
		if (span_ieq(value, span_of(w->word))) {
			*out = w->value;
			return 0;
		}
	buf_clear(why);
	buf_addc(why, '"');
	buf_addsafe(why, value, 60);
	buf_addf(why, "\" is none of: %s", o->values);
	return -1;
}

static int set_text(char *out, size_t size, struct span value, struct buf *why)
{
	if (value.n >= size)
		return buf_fail(why, "longer than %zu bytes", size - 1);
	memcpy(out, value.p, value.n);
	out[value.n] = '\0';
	return 0;
}

static int in_range(const struct option *o, uint64_t value, struct buf *why)
{
	if ((value >= o->least && value <= o->most) || (o->or_zero && value == 0))
		return 0;
	return buf_fail(why, "out of range: %s", o->values);
}

static bool is_store(struct span driver)
{
	static const char *const names[] = { "rocksdb", "valkey", "mariadb", "memory", "failing" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (span_ieq(driver, span_of(names[i])))
			return true;
	return false;
}

static int check_target(struct span driver, struct span target, struct buf *why)
{
	struct kvtarget servers;
	struct dbtarget database;

	if (span_ieq(driver, span_of("valkey")))
		return kvtarget_parse(target, &servers, why);
	return span_ieq(driver, span_of("mariadb")) ? dbtarget_parse(target, &database, why) : 0;
}

static int set_store(struct settings *s, struct span driver, struct span target, struct buf *why)
{
	if (!is_store(driver)) {
		buf_fail(why, "there is no store \"");
		buf_addsafe(why, driver, 60);
		buf_adds(why, "\"; there are: rocksdb FOLDER, valkey WHERE, mariadb WHERE, memory, failing WHAT");
		return -1;
	}
	if (takes_target(driver) && target.n == 0)
		return buf_fail(why, "the store needs a second word, for example rocksdb /var/lib/greylag");
	if (check_target(driver, target, why) != 0)
		return -1;
	struct buf name = buf_on(s->store_driver, sizeof s->store_driver);
	buf_addlower(&name, driver);
	return set_text(s->store_target, sizeof s->store_target, target, why);
}

static int set_log(const struct option *o, struct settings *s, struct span first, struct span path, struct buf *why)
{
	if (set_word(o, &s->log_target, first, why) != 0)
		return -1;
	if (s->log_target == LOG_TO_FILE && path.n == 0)
		return buf_fail(why, "the name of the log file is missing");
	return set_text(s->log_path, sizeof s->log_path, path, why);
}

int options_seconds(const struct option *o, struct span value, int64_t *out, struct buf *why)
{
	uint64_t ms;

	if (value_duration_ms(value, &ms, why) != 0)
		return -1;
	if (ms % 1000)
		return buf_fail(why, "whole seconds only");
	if (in_range(o, ms / 1000, why) != 0)
		return -1;
	*out = (int64_t)(ms / 1000);
	return 0;
}

int options_set(const struct option *o, struct settings *s, struct span first, struct span second,
		struct buf *why)
{
	uint64_t *number = field(o, s);

	if (o->check && o->check(first, why) != 0)
		return -1;
	switch (o->type) {
	case OPTION_SECONDS:
		return options_seconds(o, first, field(o, s), why);
	case OPTION_MILLISECONDS:
		return value_duration_ms(first, number, why) == 0 ? in_range(o, *number, why) : -1;
	case OPTION_SIZE:
		return value_size(first, number, why) == 0 ? in_range(o, *number, why) : -1;
	case OPTION_NUMBER:
		return value_number(first, number, why) == 0 ? in_range(o, *number, why) : -1;
	case OPTION_BOOL:
		return value_bool(first, field(o, s), why);
	case OPTION_WORD:
		return set_word(o, field(o, s), first, why);
	case OPTION_TEXT:
		return set_text(field(o, s), o->size, first, why);
	case OPTION_STORE:
		return set_store(s, first, second, why);
	case OPTION_LOG:
		return set_log(o, s, first, second, why);
	}
	return -1;
}

void options_defaults(struct settings *s)
{
	char text[200];
	struct buf why = BUF_ON(text);

	for (unsigned i = 0; i < options_count(); i++) {
		struct span rest = span_of(options[i].initial), first = rest;
		/* A default's own words, "rocksdb /var/lib/greylag"; a text keeps its blanks. */
		if (options[i].type == OPTION_STORE)
			span_cut(&rest, ' ', &first);
		else
			rest = span_make("", 0);
		/* The table's defaults are sound: a unit test sets each of them. */
		(void)options_set(&options[i], s, first, rest, &why);
	}
}

/* --- Showing ----------------------------------------------------------------------- */

static void add_quoted(struct buf *out, struct span text)
{
	buf_addc(out, '"');
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '"' || text.p[i] == '\\')
			buf_addc(out, '\\');
		buf_addc(out, text.p[i]);
	}
	buf_addc(out, '"');
}

static bool needs_quotes(struct span text)
{
	return text.n == 0 || text.p[0] == '#' || text.p[0] == '"' || text.p[text.n - 1] == '\\' ||
	       span_find(text, ' ') < text.n || span_find(text, '\t') < text.n;
}

static void add_text(struct buf *out, const char *text)
{
	struct span s = span_of(text);

	if (needs_quotes(s))
		add_quoted(out, s);
	else
		buf_addspan(out, s);
}

static void add_word(struct buf *out, const struct option *o, unsigned value)
{
	for (const struct option_word *w = o->words; w->word; w++)
		if (w->value == value) {
			buf_adds(out, w->word);
			return;
		}
}

static void add_with_target(struct buf *out, const char *target)
{
	if (target[0] == '\0')
		return;
	buf_addc(out, ' ');
	add_text(out, target);
}

void options_value(struct buf *out, const struct option *o, const struct settings *s)
{
	const void *p = field_const(o, s);

	switch (o->type) {
	case OPTION_SECONDS:
		buf_addduration(out, (uint64_t)*(const int64_t *)p);
		break;
	case OPTION_MILLISECONDS:
		value_add_duration_ms(out, *(const uint64_t *)p);
		break;
	case OPTION_SIZE:
		value_add_size(out, *(const uint64_t *)p);
		break;
	case OPTION_NUMBER:
		buf_addu(out, *(const uint64_t *)p);
		break;
	case OPTION_BOOL:
		buf_adds(out, *(const bool *)p ? "yes" : "no");
		break;
	case OPTION_WORD:
		add_word(out, o, *(const unsigned *)p);
		break;
	case OPTION_TEXT:
		add_text(out, p);
		break;
	case OPTION_STORE:
		buf_adds(out, s->store_driver);
		add_with_target(out, s->store_target);
		break;
	case OPTION_LOG:
		add_word(out, o, s->log_target);
		add_with_target(out, s->log_path);
		break;
	}
}

void options_name(struct buf *out, const struct option *o)
{
	buf_adds(out, o->group);
	if (o->name) {
		buf_addc(out, ' ');
		buf_adds(out, o->name);
	}
}
