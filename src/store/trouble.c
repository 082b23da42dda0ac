#include "store/trouble.h"

#include "base/clock.h"
#include "base/log.h"

void trouble_init(struct trouble *t)
{
	*t = (struct trouble){ .lock = PTHREAD_MUTEX_INITIALIZER };
}

void trouble_end(struct trouble *t)
{
	pthread_mutex_destroy(&t->lock);
}

static void compose(char out[TROUBLE_TEXT], const char *what, const char *folder, const char *text)
{
	struct buf b = buf_on(out, TROUBLE_TEXT);

	buf_addf(&b, "store %.100s: %s: ", folder, what);
	buf_addsafe(&b, span_of(text), 200);
}

void trouble_write(struct trouble *t, const char *folder, const char *text)
{
	char now[TROUBLE_TEXT];

	compose(now, "cannot be written", folder, text);
	pthread_mutex_lock(&t->lock);
	bool news = strcmp(now, t->write) != 0;
	memcpy(t->write, now, sizeof now);
	pthread_mutex_unlock(&t->lock);
	if (news)
		log_msg(LOG_LEVEL_ERROR, "%s", now);
}

void trouble_over(struct trouble *t, const char *folder)
{
	pthread_mutex_lock(&t->lock);
	t->write[0] = '\0';
	pthread_mutex_unlock(&t->lock);
	log_msg(LOG_LEVEL_NOTICE, "store %.100s: works again", folder);
}

void trouble_read(struct trouble *t, const char *folder, const char *text)
{
	uint64_t now = clock_mono(&clock_system);

	pthread_mutex_lock(&t->lock);
	bool news = t->read_ns == 0 || now - t->read_ns > TROUBLE_READ_S * (uint64_t)CLOCK_NS_PER_S;
	if (news) {
		compose(t->read, "cannot be read", folder, text);
		t->read_ns = now;
		log_msg(LOG_LEVEL_ERROR, "%s", t->read);
	}
	pthread_mutex_unlock(&t->lock);
}

const char *trouble_health(struct trouble *t)
{
	uint64_t now = clock_mono(&clock_system);

	pthread_mutex_lock(&t->lock);
	bool read = t->read_ns && now - t->read_ns <= TROUBLE_READ_S * (uint64_t)CLOCK_NS_PER_S;
	memcpy(t->shown, t->write[0] || !read ? t->write : t->read, sizeof t->shown);
	pthread_mutex_unlock(&t->lock);
	return t->shown[0] ? t->shown : NULL;
}
