#include "base/loop.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define HOOKS_MAX 8
#define SIGNALS_MAX 8

struct loop_signal {
	struct event *event;
	loop_signal_fn *fn;
	void *arg;
};

struct loop {
	struct event_base *base;
	struct { loop_turn_fn *fn; void *arg; } hooks[HOOKS_MAX];
	unsigned hook_count;
	struct loop_signal signals[SIGNALS_MAX];
	unsigned signal_count;
	bool stop;
};

struct loop_bell {
	struct loop_watch watch;
	loop_bell_fn *fn;
	void *arg;
	int rung;
};

struct loop *loop_new(struct buf *why)
{
	struct loop *loop = calloc(1, sizeof *loop);

	if (!loop) {
		buf_fail(why, "event loop: out of memory");
		return NULL;
	}
	struct event_config *config = event_config_new();
	if (config) {
		event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
		loop->base = event_base_new_with_config(config);
		event_config_free(config);
	}
	if (!loop->base) {
		buf_fail(why, "event loop: %s", strerror(errno));
		free(loop);
		return NULL;
	}
	return loop;
}

void loop_free(struct loop **loop)
{
	if (!*loop)
		return;
	for (unsigned i = 0; i < (*loop)->signal_count; i++)
		event_free((*loop)->signals[i].event);
	event_base_free((*loop)->base);
	free(*loop);
	*loop = NULL;
}

static void run_hooks(struct loop *loop)
{
	for (unsigned i = 0; i < loop->hook_count; i++)
		loop->hooks[i].fn(loop->hooks[i].arg);
}

int loop_run(struct loop *loop)
{
	while (!loop->stop) {
		if (event_base_loop(loop->base, EVLOOP_ONCE) < 0)
			return -1;
		run_hooks(loop);
	}
	loop->stop = false;
	return 0;
}

static void wait_over(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

void loop_once(struct loop *loop, unsigned wait_ms)
{
	struct timeval tv = { .tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000 };
	struct event limit;

	event_assign(&limit, loop->base, -1, 0, wait_over, NULL);
	event_add(&limit, &tv);
	event_base_loop(loop->base, EVLOOP_ONCE);
	event_del(&limit);
	run_hooks(loop);
}

void loop_stop(struct loop *loop)
{
	loop->stop = true;
	event_base_loopbreak(loop->base);
}

void loop_each_turn(struct loop *loop, loop_turn_fn *fn, void *arg)
{
	if (loop->hook_count == HOOKS_MAX)
		abort();
	loop->hooks[loop->hook_count].fn = fn;
	loop->hooks[loop->hook_count++].arg = arg;
}

static void on_io(evutil_socket_t fd, short what, void *arg)
{
	struct loop_watch *w = arg;

	(void)fd;
	w->fn(w, (what & EV_READ ? LOOP_READ : 0) | (what & EV_WRITE ? LOOP_WRITE : 0));
}

void loop_watch_init(struct loop_watch *w, struct loop *loop, int fd, loop_io_fn *fn, void *arg)
{
	w->loop = loop;
	w->fn = fn;
	w->arg = arg;
	w->fd = fd;
	w->interest = 0;
	event_assign(&w->event, loop->base, fd, EV_PERSIST, on_io, w);
}

int loop_watch_set(struct loop_watch *w, int interest)
{
	if (interest == w->interest)
		return 0;
	if (w->interest)
		event_del(&w->event);
	w->interest = interest;
	if (interest == 0)
		return 0;
	short what = EV_PERSIST;
	if (interest & LOOP_READ)
		what |= EV_READ;
	if (interest & LOOP_WRITE)
		what |= EV_WRITE;
	event_assign(&w->event, w->loop->base, w->fd, what, on_io, w);
	if (event_add(&w->event, NULL) == 0)
		return 0;
	w->interest = 0;
	return -1;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *t = arg;

	(void)fd;
	(void)what;
	t->fn(t);
}

void loop_timer_init(struct loop_timer *t, struct loop *loop, loop_timer_fn *fn, void *arg)
{
	t->loop = loop;
	t->fn = fn;
	t->arg = arg;
	event_assign(&t->event, loop->base, -1, 0, on_timer, t);
}

void loop_timer_set(struct loop_timer *t, unsigned ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_add(&t->event, &tv);
}

void loop_timer_cancel(struct loop_timer *t)
{
	event_del(&t->event);
}

static void on_signal(evutil_socket_t signal, short what, void *arg)
{
	struct loop_signal *s = arg;

	(void)what;
	s->fn((int)signal, s->arg);
}

int loop_on_signal(struct loop *loop, int signal, loop_signal_fn *fn, void *arg)
{
	if (loop->signal_count == SIGNALS_MAX)
		return -1;
	struct loop_signal *s = &loop->signals[loop->signal_count];
	*s = (struct loop_signal){ .fn = fn, .arg = arg };
	s->event = evsignal_new(loop->base, signal, on_signal, s);
	if (!s->event)
		return -1;
	loop->signal_count++;
	return event_add(s->event, NULL);
}

static void on_bell(struct loop_watch *w, int ready)
{
	struct loop_bell *bell = w->arg;
	uint64_t rings;

	(void)ready;
	/* Read, then unset, then look: a ring that falls between the first two is
	 * seen by fn, one that falls later writes again. */
	if (read(w->fd, &rings, sizeof rings) != (ssize_t)sizeof rings)
		return;
	__atomic_store_n(&bell->rung, 0, __ATOMIC_SEQ_CST);
	bell->fn(bell->arg);
}

struct loop_bell *loop_bell_new(struct loop *loop, loop_bell_fn *fn, void *arg, struct buf *why)
{
	struct loop_bell *bell = calloc(1, sizeof *bell);
	int fd = bell ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;

	if (fd < 0) {
		buf_fail(why, "eventfd: %s", strerror(errno));
		free(bell);
		return NULL;
	}
	bell->fn = fn;
	bell->arg = arg;
	loop_watch_init(&bell->watch, loop, fd, on_bell, bell);
	loop_watch_set(&bell->watch, LOOP_READ);
	return bell;
}

void loop_bell_ring(struct loop_bell *bell)
{
	static const uint64_t one = 1;

	/* One system call for any number of rings before the loop looks. */
	if (__atomic_exchange_n(&bell->rung, 1, __ATOMIC_SEQ_CST) == 0)
		(void)!write(bell->watch.fd, &one, sizeof one);
}

void loop_bell_free(struct loop_bell **bell)
{
	if (!*bell)
		return;
	loop_watch_set(&(*bell)->watch, 0);
	close((*bell)->watch.fd);
	free(*bell);
	*bell = NULL;
}
