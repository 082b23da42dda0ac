#include "cli/progress.h"

#include <unistd.h>

#define WIDTH 40
#define MEGABYTE ((uint64_t)1000000)

void progress_begin(struct progress *p, uint64_t total)
{
	*p = (struct progress){ .total = total, .shown = UINT64_MAX, .on = isatty(STDERR_FILENO) };
}

static void draw(const struct progress *p)
{
	char bar[WIDTH + 1];
	size_t filled = p->total ? (size_t)(p->shown * WIDTH / 100) : 0;

	if (p->total == 0) {
		fprintf(stderr, "\r%llu MB read", (unsigned long long)p->shown);
		return;
	}
	memset(bar, ' ', WIDTH);
	memset(bar, '#', filled);
	bar[WIDTH] = '\0';
	fprintf(stderr, "\r[%s] %3llu %%", bar, (unsigned long long)p->shown);
}

void progress_add(struct progress *p, uint64_t bytes)
{
	p->done += bytes;
	if (!p->on)
		return;
	uint64_t percent = p->total ? p->done * 100 / p->total : 0;
	uint64_t now = p->total ? (percent < 100 ? percent : 100) : p->done / MEGABYTE;
	if (now == p->shown)
		return;
	p->shown = now;
	draw(p);
}

void progress_end(struct progress *p)
{
	if (p->on && p->shown != UINT64_MAX)
		fprintf(stderr, "\r%*s\r", WIDTH + 20, "");
	p->shown = UINT64_MAX;
}
