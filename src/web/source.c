#include "web/source.h"

#include <pthread.h>

#include "base/clock.h"
#include "client/client.h"

#define FRESH_MS 1000

struct source {
	const char *path;
	pthread_mutex_t lock;		/* what follows */
	json_t *status;
	char problem[600];		/* why there is none */
	uint64_t asked_ns;		/* 0: not yet */
};

struct source *source_new(const char *path)
{
	struct source *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->path = path;
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

void source_free(struct source **s)
{
	if (!*s)
		return;
	json_decref((*s)->status);
	pthread_mutex_destroy(&(*s)->lock);
	free(*s);
	*s = NULL;
}

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

int source_ask(struct source *s, json_t *request, unsigned limit_ms, size_t most, json_t **rows, bool *cut,
	       struct buf *why)
{
	struct client c;
	json_t *got = json_array();
	bool more = false;
	int result = -1;

	int opened = client_open(&c, s->path, limit_ms);
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

static void refresh(struct source *s)
{
	struct buf why = BUF_ON(s->problem);
	json_t *rows;

	json_decref(s->status);
	s->status = NULL;
	if (source_ask(s, json_pack("{s:s}", "cmd", "status"), SOURCE_LOOK_MS, 1, &rows, NULL, &why) != 1)
		return;
	s->status = json_incref(json_array_get(rows, 0));
	json_decref(rows);
	if (!json_is_object(s->status))
		buf_fail(&why, "greylagd has no status");
}

json_t *source_status(struct source *s, struct buf *why)
{
	pthread_mutex_lock(&s->lock);
	if (s->asked_ns == 0 || clock_mono(&clock_system) - s->asked_ns > FRESH_MS * (uint64_t)CLOCK_NS_PER_MS) {
		refresh(s);
		/* Counted from the answer, which may have taken longer than it stays fresh. */
		s->asked_ns = clock_mono(&clock_system);
	}
	json_t *status = json_incref(s->status);
	if (!status)
		buf_fail(why, "%s", s->problem);
	pthread_mutex_unlock(&s->lock);
	return status;
}
