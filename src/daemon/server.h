/* The running daemon: what its sockets, connections and commands share. One
 * object, loop thread only. */
#ifndef GREYLAG_DAEMON_SERVER_H
#define GREYLAG_DAEMON_SERVER_H

#include "base/inherit.h"
#include "base/loop.h"
#include "engine/engine.h"
#include "engine/livingdomains.h"
#include "engine/livinglists.h"
#include "requestlog/writer.h"

struct conn;
struct control_conn;
struct greylistdconn;
struct recent;

/* A listening socket and what it is for. */
struct listener {
	struct server *server;
	struct listen_spec spec;
	struct loop_watch watch;	/* watch.fd < 0: slot unused */
	struct loop_timer pause;	/* after the system ran out of descriptors */
	uint64_t inode;			/* of the UNIX socket we made; 0: TCP, or inherited */
	bool refuses;			/* turns away all: no `listen` line */
};

struct server_counters {
	uint64_t accepted;		/* connections */
	uint64_t shed;			/* idle connections closed to make room */
	uint64_t no_descriptors;	/* accept() found none free */
	uint64_t broken;		/* connections closed for a broken request */
	uint64_t slow;			/* closed: request or reply took too long */
	uint64_t reloads, reloads_failed;
	uint64_t clock_jumps;
};

struct server {
	struct loop *loop;
	const struct clock *clock;
	struct engine *engine;
	struct store *store;
	struct livinglists *living;
	struct livingdomains *domains;
	struct names *names;
	const char *config_path;
	bool foreground;		/* log to stderr where the settings say syslog */
	char hostname[REQUEST_NAME_MAX + 1];
	int64_t started_at;
	struct listener listeners[CONFIG_LISTEN_MAX];
	struct listener unnamed[INHERIT_MAX];	/* handed over, and in no `listen` line */
	unsigned unnamed_count;
	struct conn *idlest, *busiest;	/* policy connections, least recently used first */
	struct conn *graves;		/* closed ones that wait for conn_reap */
	unsigned conn_count;		/* of these and the next */
	struct greylistdconn *greylistds, *greylistd_graves;
	struct control_conn *controls;
	struct requestlog *requestlog;	/* NULL: no journal of requests */
	struct requestlog *requestlogs_left;	/* former ones that may still write */
	struct recent *recent;		/* the last verdicts */
	struct loop_timer housekeeping;
	int64_t last_wall_s;		/* for noticing that the clock was set */
	uint64_t last_mono_ns;
	int64_t distrust_until_s;	/* monotonic: no expiry before */
	struct server_counters counters;
	bool stopping;
};

/* Opens the log that the settings name; also the way to reopen it after rotation. */
int server_open_log(const struct server *s, const struct config *config, struct buf *why);

/* A reload that is asked for from now on happens once the server runs. To be called
 * before there are sockets, by which others see that it starts: SIGHUP would end it. */
int server_watch_hangup(struct server *s, struct buf *why);
/* Opens the store and builds the engine; config becomes the engine's, on
 * failure too. Listeners are already open. */
int server_start(struct server *s, struct config *config, struct buf *why);
/* Runs until SIGTERM or SIGINT. */
int server_run(struct server *s);
/* Answers what is on its way, closes everything, the store last; false when the store
 * hangs (store_close). */
bool server_stop(struct server *s);

/* Runs the `test` lines of a configuration; findings go to diag. True when all hold. */
bool server_rules_hold(const struct names *names, const struct config *config, struct diag *diag);
/* Reads the configuration anew and swaps it in. Findings go to the log and, one
 * a line, to findings (may be NULL). Returns 0, or -1: the running configuration stays. */
int server_reload(struct server *s, struct buf *findings);

#endif
