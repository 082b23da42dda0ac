/* Who may see and do what: one token, and sessions of browsers that showed it. Every
 * comparison of a secret takes the same time wherever it differs. Any thread. */
#ifndef GREYLAG_WEB_AUTH_H
#define GREYLAG_WEB_AUTH_H

#include "base/buf.h"

#define AUTH_TOKEN_LEAST 16	/* bytes: shorter ones can be guessed */
#define AUTH_TOKEN_MOST 200
#define AUTH_ID 33		/* a session's id or CSRF word: 128 bits in hex, and NUL */
#define AUTH_SESSION_S (12 * 3600)

struct auth;

/* token as read by auth_read_token, or empty: everybody may look, nobody may act.
 * NULL when memory is out. */
struct auth *auth_new(struct span token);
void auth_free(struct auth **a);

/* Appends the first line of the file. It must be of a good length, and not for others to
 * read. 0, or -1 with why. */
int auth_read_token(const char *path, struct buf *token, struct buf *why);

/* There is a token, so that nothing is shown without it. */
bool auth_required(const struct auth *a);
bool auth_token_is(const struct auth *a, struct span token);

/* A new session; of too many the oldest ends. False when there is no randomness. */
bool auth_begin(struct auth *a, char id[AUTH_ID]);
/* True with the session's CSRF word when there is such a session. */
bool auth_find(struct auth *a, struct span id, char csrf[AUTH_ID]);
void auth_end(struct auth *a, struct span id);
/* Whether two secrets are the same. */
bool auth_same(struct span a, struct span b);

#endif
