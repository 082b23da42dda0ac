/* Threads that leave all signals to the loop thread, and waiting with a limit. */
#ifndef GREYLAG_STORE_THREAD_H
#define GREYLAG_STORE_THREAD_H

#include <pthread.h>
#include <signal.h>

#include "base/buf.h"

typedef void *thread_fn(void *arg);

/* Returns 0, or -1 with text in why. */
int thread_start(pthread_t *thread, thread_fn *fn, void *arg, struct buf *why);
/* Blocks all signals for the caller and what it starts; *old for thread_signals_back. */
void thread_signals_off(sigset_t *old);
void thread_signals_back(const sigset_t *old);

/* Waiting conditions of this kind counts CLOCK_MONOTONIC. Returns 0 or -1. */
int thread_cond_init(pthread_cond_t *cond, struct buf *why);
/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t thread_now_ns(void);
/* False when that time has come; the mutex is held again in either case. */
bool thread_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t until_ns);

#endif
