#include "store/thread.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"

void thread_signals_off(sigset_t *old)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, old);
}

void thread_signals_back(const sigset_t *old)
{
	pthread_sigmask(SIG_SETMASK, old, NULL);
}

int thread_start(pthread_t *thread, thread_fn *fn, void *arg, struct buf *why)
{
	sigset_t old;

	thread_signals_off(&old);
	int error = pthread_create(thread, NULL, fn, arg);
	thread_signals_back(&old);
	return error ? buf_fail(why, "cannot start a thread: %s", strerror(error)) : 0;
}

int thread_cond_init(pthread_cond_t *cond, struct buf *why)
{
	pthread_condattr_t attributes;
	int error = pthread_condattr_init(&attributes);

	if (!error) {
		pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
		error = pthread_cond_init(cond, &attributes);
		pthread_condattr_destroy(&attributes);
	}
	return error ? buf_fail(why, "cannot make a condition: %s", strerror(error)) : 0;
}

uint64_t thread_now_ns(void)
{
	return clock_mono(&clock_system);
}

bool thread_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t until_ns)
{
	struct timespec at = { .tv_sec = (time_t)(until_ns / CLOCK_NS_PER_S),
			       .tv_nsec = (long)(until_ns % CLOCK_NS_PER_S) };

	return pthread_cond_timedwait(cond, lock, &at) != ETIMEDOUT;
}
