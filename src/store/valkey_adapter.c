#include "store/valkey_adapter.h"

#include <poll.h>

static void on_ready(struct loop_watch *w, int ready)
{
	struct valkey_adapter *a = w->arg;

	/* What is read may end the connection. */
	if (ready & LOOP_READ && a->context)
		redisAsyncHandleRead(a->context);
	if (ready & LOOP_WRITE && a->context)
		redisAsyncHandleWrite(a->context);
}

/* A watch that the kernel refuses shows as a call that meets its deadline. */
static void want(void *data, int more, int less)
{
	struct valkey_adapter *a = data;

	loop_watch_set(&a->watch, (a->watch.interest | more) & ~less);
}

static void add_read(void *data)
{
	want(data, LOOP_READ, 0);
}

static void del_read(void *data)
{
	want(data, 0, LOOP_READ);
}

static void add_write(void *data)
{
	want(data, LOOP_WRITE, 0);
}

static void del_write(void *data)
{
	want(data, 0, LOOP_WRITE);
}

static void cleanup(void *data)
{
	struct valkey_adapter *a = data;

	loop_watch_set(&a->watch, 0);
	a->gone(a->arg);
	a->context = NULL;
}

void valkey_adapter_attach(struct valkey_adapter *a, struct loop *loop, redisAsyncContext *context)
{
	loop_watch_init(&a->watch, loop, context->c.fd, on_ready, a);
	a->context = context;
	context->ev.data = a;
	context->ev.addRead = add_read;
	context->ev.delRead = del_read;
	context->ev.addWrite = add_write;
	context->ev.delWrite = del_write;
	context->ev.cleanup = cleanup;
}

void valkey_adapter_poll(struct valkey_adapter *a, int ms)
{
	int interest = a->context ? a->watch.interest : 0;
	struct pollfd p = { .fd = a->watch.fd };

	if (!interest)
		return;
	p.events = (short)((interest & LOOP_READ ? POLLIN : 0) | (interest & LOOP_WRITE ? POLLOUT : 0));
	if (poll(&p, 1, ms) <= 0)
		return;
	bool broken = p.revents & (POLLERR | POLLHUP | POLLNVAL);
	on_ready(&a->watch, ((p.revents & POLLIN) || broken ? LOOP_READ : 0) | (p.revents & POLLOUT ? LOOP_WRITE : 0));
}
