#include "web/source.h"

#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "client/client.h"

struct source {
	const char *path;
	pthread_t thread;
	bool running;			/* there is a thread */
	_Atomic unsigned asking;	/* questions under way */
	pthread_mutex_t lock;		/* what follows */
	pthread_cond_t stopped;
	bool stop;
	json_t *status;			/* the latest; NULL: greylagd owes it */
	char problem[700];		/* why there is none */
};

struct source *source_new(const char *path)
{
	struct source *s = calloc(1, sizeof *s);
	pthread_condattr_t steady;

	if (!s)
		return NULL;
	s->path = path;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&steady);
	pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
	pthread_cond_init(&s->stopped, &steady);
	pthread_condattr_destroy(&steady);
	return s;
}

void source_free(struct source **s)
{
	if (!*s)
		return;
	pthread_mutex_lock(&(*s)->lock);
	(*s)->stop = true;
	pthread_cond_signal(&(*s)->stopped);
	pthread_mutex_unlock(&(*s)->lock);
	if ((*s)->running)
		pthread_join((*s)->thread, NULL);
	json_decref((*s)->status);
	pthread_cond_destroy(&(*s)->stopped);
	pthread_mutex_destroy(&(*s)->lock);
	free(*s);
	*s = NULL;
}

/* --- Questions ---------------------------------------------------------------------------- */

/* 1 at the end or at `most`, 0 when greylagd refuses, -1 when it falls silent. */
static int gather(struct client *c, json_t *rows, size_t most, bool *cut)
{
	json_t *row;
	int more;

	while ((more = client_row(c, &row)) == 1) {
		if (json_array_size(rows) == most) {
			json_decref(row);
			*cut = true;
			return 1;
		}
		json_array_append_new(rows, row);
	}
	return more == 0 ? 1 : c->refused ? 0 : -1;
}

static int ask(const struct source *s, json_t *request, unsigned limit_ms, size_t most, json_t **rows, bool *cut,
	       struct buf *why)
{
	uint64_t until_ns = clock_mono(&clock_system) + limit_ms * (uint64_t)CLOCK_NS_PER_MS;
	struct client c;
	json_t *got = json_array();
	bool more = false;
	int result = -1;

	int opened = client_open(&c, s->path, limit_ms);
	c.until_ns = until_ns;
	if (!got || !request)
		snprintf(c.problem, sizeof c.problem, "out of memory");
	else if (opened == STATUS_OK && client_send(&c, request) == STATUS_OK)
		result = gather(&c, got, most, &more);
	json_decref(request);
	client_close(&c);
	if (result == 1) {
		*rows = got;
		if (cut)
			*cut = more;
		return 1;
	}
	json_decref(got);
	buf_clear(why);
	buf_adds(why, c.problem);
	return result;
}

int source_ask(struct source *s, json_t *request, unsigned limit_ms, size_t most, json_t **rows, bool *cut,
	       struct buf *why)
{
	json_t *status = source_status(s, why);
	int result = -1;

	json_decref(status);
	if (s->asking++ >= SOURCE_MOST)
		buf_fail(why, "too many questions are under way: try again");
	else if (status)
		result = ask(s, json_incref(request), limit_ms, most, rows, cut, why);
	s->asking--;
	json_decref(request);
	return result;
}

/* --- The status --------------------------------------------------------------------------- */

static void refresh(struct source *s)
{
	char text[sizeof s->problem];
	struct buf why = BUF_ON(text);
	json_t *rows = NULL, *status = NULL;

	if (ask(s, json_pack("{s:s}", "cmd", "status"), SOURCE_LOOK_MS, 1, &rows, NULL, &why) == 1)
		status = json_incref(json_array_get(rows, 0));
	json_decref(rows);
	if (status && !json_is_object(status)) {
		json_decref(status);
		status = NULL;
	}
	pthread_mutex_lock(&s->lock);
	json_t *before = s->status;
	s->status = status;
	snprintf(s->problem, sizeof s->problem, "%s", why.n ? buf_str(&why) : "greylagd has no status");
	pthread_mutex_unlock(&s->lock);
	json_decref(before);
}

static void *keep_fresh(void *arg)
{
	struct source *s = arg;

	pthread_mutex_lock(&s->lock);
	while (!s->stop) {
		struct timespec next;
		clock_gettime(CLOCK_MONOTONIC, &next);
		next.tv_sec++;
		while (!s->stop && pthread_cond_timedwait(&s->stopped, &s->lock, &next) == 0)
			;
		if (s->stop)
			break;
		pthread_mutex_unlock(&s->lock);
		refresh(s);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

int source_start(struct source *s, struct buf *why)
{
	refresh(s);
	int error = pthread_create(&s->thread, NULL, keep_fresh, s);
	if (error)
		return buf_fail(why, "a thread: %s", strerror(error));
	s->running = true;
	return 0;
}

json_t *source_status(struct source *s, struct buf *why)
{
	pthread_mutex_lock(&s->lock);
	json_t *status = json_incref(s->status);
	if (!status)
		buf_fail(why, "%s", s->problem);
	pthread_mutex_unlock(&s->lock);
	return status;
}

bool source_read_only(struct source *s)
{
	pthread_mutex_lock(&s->lock);
	bool read_only = json_is_true(json_object_get(s->status, "read_only"));
	pthread_mutex_unlock(&s->lock);
	return read_only;
}
