/* What is known of messages or sessions whose last line in a log has not come yet: a
 * table of fixed size, in which the oldest makes room for a new one. */
#ifndef GREYLAG_LEARN_SESSIONS_H
#define GREYLAG_LEARN_SESSIONS_H

#include "learn/peer.h"

#define SESSIONS_MAX 32768
#define SESSIONS_KEY_MAX 63

struct session {
	struct netaddr client;
	uint8_t name_length;
	bool ours;		/* of a user who logged in */
	bool accepted;		/* a message was taken, or is going to be when the session ends well */
	uint8_t key_length;
	uint32_t next, newer, older;	/* the rest is the table's own */
	char name[254];
	char key[SESSIONS_KEY_MAX + 1];
};

struct sessions;

/* NULL when memory is out. */
struct sessions *sessions_new(void);
void sessions_free(struct sessions **s);
/* An empty session under this key, in place of an earlier one; NULL when the key is
 * empty or too long. `kind` keeps apart the keys of different logs. */
struct session *sessions_open(struct sessions *s, char kind, struct span key);
/* NULL when there is none. */
struct session *sessions_find(struct sessions *s, char kind, struct span key);
void sessions_drop(struct sessions *s, struct session *gone);

void session_set_peer(struct session *s, const struct peer *p);
struct peer session_peer(const struct session *s);

#endif
