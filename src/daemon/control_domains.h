/* The domains of a change of the living lists: their first resolution, or the removal of
 * their networks, waited for. Loop thread only. */
#ifndef GREYLAG_DAEMON_CONTROL_DOMAINS_H
#define GREYLAG_DAEMON_CONTROL_DOMAINS_H

#include <jansson.h>

#include "daemon/server.h"

#define CONTROL_DOMAINS_WAIT_MS 8000	/* greylag(1) gives up after 10 s of silence */

struct control_domains;

/* Takes up the domains among the items of a batch that was done. When `wait`, calls done(arg) when
 * it is known what became of all, or the time is up: once, perhaps before this returns; `found` is
 * the callee's. An added domain for which there is nothing to list is taken off again before. False,
 * and no call, when nothing is to be waited for. The batch must stay as long as `found`. */
bool control_domains_follow(struct server *s, const struct living_batch *b, bool wait,
			    void (*done)(void *arg, struct control_domains *found), void *arg);
void control_domains_free(struct control_domains **found);

/* Adds to a row what is known of an item: "networks", "complete", "skipped". */
void control_domains_tell(const struct control_domains *found, unsigned item, json_t *row);
/* NULL, or why the item was taken off again. */
const char *control_domains_refused(const struct control_domains *found, unsigned item);

#endif
