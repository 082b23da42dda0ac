#include "web/auth.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define SESSIONS 64

struct session {
	char id[AUTH_ID], csrf[AUTH_ID];
	uint64_t until_ns;		/* 0: unused */
};

struct auth {
	char token[AUTH_TOKEN_MOST + 1];
	size_t token_n;
	pthread_mutex_t lock;		/* the sessions */
	struct session sessions[SESSIONS];
};

bool auth_same(struct span a, struct span b)
{
	volatile unsigned char differ = a.n != b.n;

	for (size_t i = 0; i < AUTH_TOKEN_MOST; i++)
		differ = differ | (unsigned char)((i < a.n ? a.p[i] : 0) ^ (i < b.n ? b.p[i] : 0));
	return !differ && a.n <= AUTH_TOKEN_MOST;
}

/* --- The token --------------------------------------------------------------------------- */

static int check_token(const char *path, struct span token, struct buf *why)
{
	if (token.n < AUTH_TOKEN_LEAST || token.n > AUTH_TOKEN_MOST)
		return buf_fail(why, "%s: a token has %d to %d characters", path, AUTH_TOKEN_LEAST, AUTH_TOKEN_MOST);
	for (size_t i = 0; i < token.n; i++)
		if (token.p[i] <= ' ' || token.p[i] > '~')
			return buf_fail(why, "%s: a token is made of printable ASCII without blanks", path);
	return 0;
}

int auth_read_token(const char *path, struct buf *token, struct buf *why)
{
	char bytes[AUTH_TOKEN_MOST + 100];
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 && fstat(fd, &st) == 0 ? read(fd, bytes, sizeof bytes) : -1;
	int error = errno;

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return buf_fail(why, "%s: %s", path, strerror(error));
	if (st.st_mode & 07)
		return buf_fail(why, "%s: others may read it; chmod o= %s", path, path);
	struct span text = span_make(bytes, (size_t)n);
	struct span line = span_trim(span_head(text, span_find(text, '\n')));
	buf_addspan(token, line);
	return check_token(path, line, why);
}

struct auth *auth_new(struct span token)
{
	struct auth *a = calloc(1, sizeof *a);

	if (!a)
		return NULL;
	token = span_head(token, AUTH_TOKEN_MOST);
	if (token.n)
		memcpy(a->token, token.p, token.n);
	a->token_n = token.n;
	pthread_mutex_init(&a->lock, NULL);
	return a;
}

void auth_free(struct auth **a)
{
	if (!*a)
		return;
	pthread_mutex_destroy(&(*a)->lock);
	explicit_bzero(*a, sizeof **a);
	free(*a);
	*a = NULL;
}

bool auth_required(const struct auth *a)
{
	return a->token_n > 0;
}

bool auth_token_is(const struct auth *a, struct span token)
{
	return auth_same(span_make(a->token, a->token_n), token) && a->token_n;
}

/* --- Sessions ---------------------------------------------------------------------------- */

static bool fill_random(char out[AUTH_ID])
{
	unsigned char random[(AUTH_ID - 1) / 2];

	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		return false;
	for (size_t i = 0; i < sizeof random; i++)
		snprintf(out + 2 * i, 3, "%02x", random[i]);
	return true;
}

bool auth_begin(struct auth *a, char id[AUTH_ID])
{
	struct session fresh = { .until_ns = clock_mono(&clock_system) + AUTH_SESSION_S * (uint64_t)CLOCK_NS_PER_S };

	if (!fill_random(fresh.id) || !fill_random(fresh.csrf))
		return false;
	memcpy(id, fresh.id, AUTH_ID);
	pthread_mutex_lock(&a->lock);
	struct session *oldest = a->sessions;
	for (struct session *s = a->sessions; s < a->sessions + SESSIONS; s++)
		if (s->until_ns < oldest->until_ns)
			oldest = s;
	*oldest = fresh;
	pthread_mutex_unlock(&a->lock);
	return true;
}

/* Looks at all of them, whichever it is. */
static struct session *find(struct auth *a, struct span id)
{
	uint64_t now = clock_mono(&clock_system);
	struct session *found = NULL;

	for (struct session *s = a->sessions; s < a->sessions + SESSIONS; s++)
		if (auth_same(span_of(s->id), id) && s->until_ns > now)
			found = s;
	return found;
}

bool auth_find(struct auth *a, struct span id, char csrf[AUTH_ID])
{
	pthread_mutex_lock(&a->lock);
	const struct session *s = find(a, id);
	if (s)
		memcpy(csrf, s->csrf, AUTH_ID);
	pthread_mutex_unlock(&a->lock);
	return s != NULL;
}

void auth_end(struct auth *a, struct span id)
{
	pthread_mutex_lock(&a->lock);
	struct session *s = find(a, id);
	if (s)
		explicit_bzero(s, sizeof *s);
	pthread_mutex_unlock(&a->lock);
}
