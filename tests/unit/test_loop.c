#include "check.h"

#include <pthread.h>
#include <unistd.h>

#include "base/loop.h"

struct seen {
	struct loop *loop;
	struct loop_bell *bell;
	unsigned timers, reads, turns, bells;
	unsigned work;			/* added by another thread, taken by the bell */
	pthread_mutex_t lock;
};

static void on_timer(struct loop_timer *t)
{
	struct seen *s = t->arg;

	if (++s->timers == 3)
		loop_stop(s->loop);
	else
		loop_timer_set(t, 1);
}

static void on_turn(void *arg)
{
	struct seen *s = arg;
	s->turns++;
}

static void timers_and_turns(void **state)
{
	char problem[200];
	struct buf why = BUF_ON(problem);
	struct seen s = { .loop = loop_new(&why) };
	struct loop_timer t, never;

	(void)state;
	assert_non_null(s.loop);
	loop_each_turn(s.loop, on_turn, &s);
	loop_timer_init(&t, s.loop, on_timer, &s);
	loop_timer_init(&never, s.loop, on_timer, &s);
	loop_timer_set(&t, 1);
	loop_timer_set(&never, 2);
	loop_timer_cancel(&never);
	assert_int_equal(loop_run(s.loop), 0);
	assert_int_equal(s.timers, 3);
	assert_int_equal(s.turns, 3);
	loop_free(&s.loop);
	assert_null(s.loop);
}

static void on_read(struct loop_watch *w, int ready)
{
	struct seen *s = w->arg;
	char c;

	assert_int_equal(ready, LOOP_READ);
	assert_int_equal(read(w->fd, &c, 1), 1);
	s->reads++;
}

static void watches(void **state)
{
	char problem[200];
	struct buf why = BUF_ON(problem);
	struct seen s = { .loop = loop_new(&why) };
	struct loop_watch w;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	loop_watch_init(&w, s.loop, ends[0], on_read, &s);
	assert_int_equal(write(ends[1], "ab", 2), 2);
	loop_once(s.loop, 10);
	assert_int_equal(s.reads, 0);	/* not watched yet */
	assert_int_equal(loop_watch_set(&w, LOOP_READ), 0);
	loop_once(s.loop, 10);
	loop_once(s.loop, 10);
	assert_int_equal(s.reads, 2);	/* level-triggered */
	assert_int_equal(loop_watch_set(&w, 0), 0);
	assert_int_equal(write(ends[1], "c", 1), 1);
	loop_once(s.loop, 10);
	assert_int_equal(s.reads, 2);
	loop_free(&s.loop);
	close(ends[0]);
	close(ends[1]);
}

#define RINGS 100000

static void *ring(void *arg)
{
	struct seen *s = arg;

	for (unsigned i = 0; i < RINGS; i++) {
		pthread_mutex_lock(&s->lock);
		s->work++;
		pthread_mutex_unlock(&s->lock);
		loop_bell_ring(s->bell);
	}
	return NULL;
}

static void on_bell(void *arg)
{
	struct seen *s = arg;

	pthread_mutex_lock(&s->lock);
	s->bells += s->work;
	s->work = 0;
	pthread_mutex_unlock(&s->lock);
	if (s->bells == 2 * RINGS)
		loop_stop(s->loop);
}

/* No ring may be lost between the bell's write, read and its callback. */
static void bells_from_threads(void **state)
{
	char problem[200];
	struct buf why = BUF_ON(problem);
	struct seen s = { .loop = loop_new(&why), .lock = PTHREAD_MUTEX_INITIALIZER };
	pthread_t threads[2];

	(void)state;
	s.bell = loop_bell_new(s.loop, on_bell, &s, &why);
	assert_non_null(s.bell);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ring, &s), 0);
	alarm(60);	/* a lost ring would wait for ever */
	assert_int_equal(loop_run(s.loop), 0);
	alarm(0);
	assert_int_equal(s.bells, 2 * RINGS);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	loop_bell_free(&s.bell);
	loop_free(&s.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_and_turns), cmocka_unit_test(watches),
		cmocka_unit_test(bells_from_threads),
	};
	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
