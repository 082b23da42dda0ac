#include "daemon/control.h"

#include <errno.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#include "daemon/control_command.h"

#define REQUEST_MAX ((size_t)256 * 1024)	/* a batch of a list's entries */
#define UNSENT_ENOUGH ((size_t)128 * 1024)
#define UNSENT_MAX ((size_t)4 * 1024 * 1024)
#define CONNECTIONS_MAX 64
#define READ_ONLY_MAX 32	/* apart, so that whoever may only look locks nobody out */
#define IDLE_MS (300 * 1000)

struct control_conn {
	struct server *server;
	struct loop_watch watch;
	struct loop_timer idle;
	struct control_conn *next;
	const struct listener *listener;
	struct buf in, out;
	bool read_only;
	bool busy;			/* a command has not ended yet */
	bool ended;			/* the peer sends no more */
	bool dead;			/* socket closed; goes when the command has ended */
	bool running;			/* run() is on the stack */
	void (*resume)(void *job);
	void *job;
};

static const struct {
	const char *name;
	control_fn *run;
	bool harmless;			/* changes nothing, so a read-only socket has it too */
} commands[] = {
	{ "status", control_status, true }, { "config", control_config, true }, { "version", control_version, true },
	{ "why", control_why, true }, { "show", control_show, true }, { "lists", control_lists, true },
	{ "recent", control_recent, true }, { "history", control_history, true }, { "export", control_export, true },
	{ "reload", control_reload, false }, { "forget", control_forget, false }, { "backup", control_backup, false },
	{ "learn", control_learn, false }, { "import", control_import, false },
	{ "list_add", control_list_add, false }, { "list_remove", control_list_remove, false },
};

static void run(struct control_conn *c);

/* --- Closing ------------------------------------------------------------------------ */

static void bury(struct control_conn *c)
{
	for (struct control_conn **p = &c->server->controls; *p; p = &(*p)->next)
		if (*p == c) {
			*p = c->next;
			break;
		}
	buf_free(&c->in);
	buf_free(&c->out);
	free(c);
}

static void wake(struct control_conn *c)
{
	void (*resume)(void *job) = c->resume;

	c->resume = NULL;
	if (resume)
		resume(c->job);
}

static void close_control(struct control_conn *c)
{
	if (!c->dead) {
		loop_watch_set(&c->watch, 0);
		loop_timer_cancel(&c->idle);
		close(c->watch.fd);
		c->dead = true;
	}
	if (c->busy)
		wake(c);
	else if (!c->running)
		bury(c);
}

/* --- Writing ------------------------------------------------------------------------ */

static void flush_out(struct control_conn *c)
{
	ssize_t w = c->out.n ? write(c->watch.fd, c->out.p, c->out.n) : 0;

	if (w < 0 && errno != EAGAIN && errno != EINTR) {
		close_control(c);
		return;
	}
	if (w > 0) {
		buf_drop(&c->out, (size_t)w);
		loop_timer_set(&c->idle, IDLE_MS);
	}
}

static void send_line(struct control_conn *c, const char *text)
{
	if (c->dead)
		return;
	buf_adds(&c->out, text);
	buf_addc(&c->out, '\n');
	if (c->out.over) {
		log_msg(LOG_LEVEL_WARNING, "control connection closed: it takes no answers");
		c->ended = true;
		buf_clear(&c->out);
	}
}

void control_send(struct control_conn *c, json_t *row)
{
	char *text = row ? json_dumps(row, JSON_COMPACT) : NULL;

	json_decref(row);
	send_line(c, text ? text : "{\"error\":\"out of memory\"}");
	free(text);
}

static void end_command(struct control_conn *c)
{
	c->busy = false;
	if (c->running)
		return;
	if (c->dead)
		bury(c);
	else
		run(c);
}

void control_end(struct control_conn *c)
{
	send_line(c, "{\"end\":true}");
	end_command(c);
}

void control_error(struct control_conn *c, const char *format, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, format);
	if (vsnprintf(text, sizeof text, format, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	control_send(c, json_pack("{s:o}", "error", control_string(span_of(text))));
	end_command(c);
}

bool control_read_only(const struct control_conn *c)
{
	return c->read_only;
}

bool control_gone(const struct control_conn *c)
{
	return c->dead;
}

bool control_full(const struct control_conn *c)
{
	return !c->dead && c->out.n > UNSENT_ENOUGH;
}

void control_wait(struct control_conn *c, void (*resume)(void *job), void *job)
{
	c->resume = resume;
	c->job = job;
	loop_watch_set(&c->watch, LOOP_WRITE);
}

/* --- Commands ----------------------------------------------------------------------- */

static void dispatch(struct control_conn *c, struct span line)
{
	json_error_t error;
	json_t *arguments = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, &error);
	const char *name = control_text(arguments, "cmd");
	size_t i = 0;

	c->busy = true;
	while (name && i < sizeof commands / sizeof *commands && strcmp(commands[i].name, name) != 0)
		i++;
	if (!arguments)
		control_error(c, "not a JSON object: %s", error.text);
	else if (!name)
		control_error(c, "no \"cmd\"");
	else if (i == sizeof commands / sizeof *commands)
		control_error(c, "unknown command %.60s", name);
	else if (c->read_only && !commands[i].harmless)
		control_error(c, "%s changes something, and this socket is read-only", name);
	else
		commands[i].run(c, arguments);
	json_decref(arguments);
}

static bool next_line(struct control_conn *c)
{
	struct span in = buf_span(&c->in);
	size_t end = span_find(in, '\n');

	if (end == in.n)
		return false;
	struct span line = span_trim(span_head(in, end));
	if (line.n)
		dispatch(c, line);
	buf_drop(&c->in, end + 1);
	return true;
}

static void run(struct control_conn *c)
{
	c->running = true;
	while (!c->dead && !c->busy && !control_full(c) && next_line(c))
		;
	if (!c->dead)
		flush_out(c);
	c->running = false;
	if (c->dead) {
		if (!c->busy)
			bury(c);
		return;
	}
	bool too_long = !c->busy && c->in.n >= REQUEST_MAX;
	if (too_long)
		log_msg(LOG_LEVEL_WARNING, "control connection closed: a request without end");
	if (too_long || (c->ended && !c->busy && c->out.n == 0)) {
		close_control(c);
		return;
	}
	loop_watch_set(&c->watch, (c->ended || c->in.n >= REQUEST_MAX ? 0 : LOOP_READ) | (c->out.n ? LOOP_WRITE : 0));
	if (!control_full(c) && c->resume)
		wake(c);
}

static void take_input(struct control_conn *c)
{
	char bytes[8192];
	ssize_t r = read(c->watch.fd, bytes, sizeof bytes);

	if (r > 0) {
		loop_timer_set(&c->idle, IDLE_MS);
		buf_add(&c->in, bytes, (size_t)r);
	} else if (r == 0) {
		c->ended = true;
	} else if (errno != EAGAIN && errno != EINTR) {
		close_control(c);
	}
}

static void on_ready(struct loop_watch *w, int ready)
{
	struct control_conn *c = w->arg;

	c->running = true;
	if (ready & LOOP_READ)
		take_input(c);
	run(c);
}

static void on_idle(struct loop_timer *t)
{
	close_control(t->arg);
}

void control_new(struct listener *l, int fd)
{
	struct server *s = l->server;
	bool read_only = l->spec.read_only;
	unsigned count = 0;

	for (struct control_conn *c = s->controls; c; c = c->next)
		count += c->read_only == read_only;
	struct control_conn *c = count < (read_only ? READ_ONLY_MAX : CONNECTIONS_MAX) ? calloc(1, sizeof *c) : NULL;
	if (!c) {
		log_msg(LOG_LEVEL_WARNING, "%scontrol connection refused: %u are open", read_only ? "read-only " : "", count);
		close(fd);
		return;
	}
	c->server = s;
	c->listener = l;
	c->read_only = read_only;
	c->in = buf_heap(REQUEST_MAX + 8192);
	c->out = buf_heap(UNSENT_MAX);
	c->next = s->controls;
	s->controls = c;
	loop_watch_init(&c->watch, s->loop, fd, on_ready, c);
	loop_timer_init(&c->idle, s->loop, on_idle, c);
	loop_timer_set(&c->idle, IDLE_MS);
	loop_watch_set(&c->watch, LOOP_READ);
}

unsigned control_close_all(struct server *s)
{
	unsigned busy = 0;

	for (struct control_conn *c = s->controls, *next; c; c = next) {
		next = c->next;
		busy += c->busy;
		close_control(c);
	}
	return busy;
}

/* Whoever asked for that reload, say, still gets the answer, but nothing else. */
void control_close_of(struct server *s, const struct listener *l)
{
	for (struct control_conn *c = s->controls, *next; c; c = next) {
		next = c->next;
		if (c->listener != l)
			continue;
		c->read_only = c->ended = true;
		if (!c->busy && c->out.n == 0)
			close_control(c);
	}
}

/* --- Helpers of the commands ----------------------------------------------------------- */

struct server *control_server(const struct control_conn *c)
{
	return c->server;
}

const char *control_text(const json_t *arguments, const char *name)
{
	return json_string_value(json_object_get(arguments, name));
}

json_t *control_string(struct span s)
{
	char text[8 * 1024];
	struct buf b = BUF_ON(text);

	buf_addsafe(&b, s, 2000);
	return json_stringn(b.n ? b.p : "", b.n);
}

json_t *control_time(int64_t t)
{
	char text[40] = "";
	time_t clock = (time_t)t;
	struct tm tm;

	if (t && gmtime_r(&clock, &tm))
		strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(text);
}

static void resume_scan(void *scan)
{
	recordscan_resume(scan);
}

enum recordscan_next control_scan_page(struct recordscan *s)
{
	struct control_conn *c = ((struct control_scan *)s)->conn;

	if (control_gone(c))
		return RECORDSCAN_STOP;
	if (!control_full(c))
		return RECORDSCAN_GO;
	control_wait(c, resume_scan, s);
	return RECORDSCAN_WAIT;
}

void *control_scan_new(struct control_conn *c, size_t bytes, bool (*row)(struct recordscan *s, struct span key, const struct record *r),
		       void (*done)(struct recordscan *s, const char *error))
{
	struct server *server = control_server(c);
	struct control_scan *new = calloc(1, bytes);

	if (!new) {
		control_error(c, "out of memory");
		return NULL;
	}
	new->scan = (struct recordscan){ .store = server->store, .row = row, .next = control_scan_page, .done = done };
	new->conn = c;
	new->now = clock_wall(server->clock);
	return new;
}
