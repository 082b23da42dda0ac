/* The event loop: a thin layer over libevent's core, so that one file knows
 * libevent. One thread runs the loop and owns everything registered with it;
 * only loop_wake may be called from another thread. */
#ifndef GREYLAG_BASE_LOOP_H
#define GREYLAG_BASE_LOOP_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/buf.h"

struct loop;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

struct loop_watch;
typedef void loop_io_fn(struct loop_watch *w, int ready);
/* A file descriptor under watch; embed it in what it serves. Level-triggered. */
struct loop_watch {
	struct event event;
	struct loop *loop;
	loop_io_fn *fn;
	void *arg;
	int fd;
	int interest;		/* LOOP_READ | LOOP_WRITE, 0 while not watched */
};

struct loop_timer;
typedef void loop_timer_fn(struct loop_timer *t);
struct loop_timer {
	struct event event;
	struct loop *loop;
	loop_timer_fn *fn;
	void *arg;
};

typedef void loop_turn_fn(void *arg);

/* NULL with a reason in why when the system gives no event base. */
struct loop *loop_new(struct buf *why);
void loop_free(struct loop **loop);

/* Runs until loop_stop; after each batch of events the turn hooks run in the
 * order they were added (flush the log, hand over store writes). Returns 0, or
 * -1 when the kernel's poll failed for good. */
int loop_run(struct loop *loop);
/* One batch of events, waiting for the first at most wait_ms (for tests and shutdown). */
void loop_once(struct loop *loop, unsigned wait_ms);
void loop_stop(struct loop *loop);
/* At most 8 hooks. */
void loop_each_turn(struct loop *loop, loop_turn_fn *fn, void *arg);

void loop_watch_init(struct loop_watch *w, struct loop *loop, int fd, loop_io_fn *fn, void *arg);
/* Changes what is waited for; 0 stops watching. Returns -1 when the kernel refuses. */
int loop_watch_set(struct loop_watch *w, int interest);

void loop_timer_init(struct loop_timer *t, struct loop *loop, loop_timer_fn *fn, void *arg);
/* Fires once after ms; setting it again moves it. */
void loop_timer_set(struct loop_timer *t, unsigned ms);
void loop_timer_cancel(struct loop_timer *t);

/* A signal as an event. At most 8. */
typedef void loop_signal_fn(int signal, void *arg);
int loop_on_signal(struct loop *loop, int signal, loop_signal_fn *fn, void *arg);

/* A bell that other threads ring: fn runs on the loop's thread, once for any
 * number of rings that came before it ran. */
struct loop_bell;
typedef void loop_bell_fn(void *arg);
struct loop_bell *loop_bell_new(struct loop *loop, loop_bell_fn *fn, void *arg, struct buf *why);
void loop_bell_ring(struct loop_bell *bell);	/* any thread */
void loop_bell_free(struct loop_bell **bell);

#endif
