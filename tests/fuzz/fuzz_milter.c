/* The milter's packets: whatever comes, a session answers or ends. greylagd is
 * away, so that each question gets the door's own choice. */
#include "base/log.h"
#include "doors/miltersession.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loop *loop;
static struct milter milter;
static struct door_options options = { .code = "451", .enhanced = "4.7.1" };

static void resume(void *arg)
{
	*(bool *)arg = true;
}

static void start(void)
{
	char text[200];
	struct buf why = BUF_ON(text);
	const struct log_options log = { .target = LOG_TO_NOWHERE, .ident = "fuzz" };
	struct pool_options pool = { .deadline_ms = 5, .connections = 1, .defer = true };

	log_open(&log, &why);
	loop = pool.loop = loop_new(&why);
	if (!loop || endpoint_parse(span_of("unix:/nonexistent/greylag"), &pool.endpoint, &why) != 0)
		abort();
	milter = (struct milter){ .pool = pool_new(&pool, &why), .options = &options };
}

/* Replies are packets of a kind that an MTA knows. */
static void check_replies(struct span out)
{
	static const char known[] = "Ocatryhis";
	struct milter_packet p;
	long n;

	while ((n = milter_packet(out, &p)) > 0) {
		if (!memchr(known, p.command, sizeof known - 1) || (p.command == 'y' && (p.data.n < 5 || p.data.n > 600)))
			abort();
		out = span_from(out, (size_t)n);
	}
	if (n < 0 || out.n)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out = buf_heap(1024 * 1024);
	struct span in = span_make((const char *)data, size);
	bool answered = false;

	if (!loop)
		start();
	struct milter_session *s = milter_session_new(&milter, resume, &answered);
	for (int i = 0; i < 200; i++) {
		size_t used = 0;
		enum milter_state state = milter_session_feed(s, in, &used, &out);
		if (used > in.n || (state == MILTER_WAITS && answered && used == 0 && i > 150))
			abort();
		in = span_from(in, used);
		answered = false;
		while (state == MILTER_WAITS && !answered)
			loop_once(loop, 10);
		if (state != MILTER_WAITS)
			break;
	}
	if (!out.over)
		check_replies(buf_span(&out));
	milter_session_free(&s);
	buf_free(&out);
	return 0;
}
