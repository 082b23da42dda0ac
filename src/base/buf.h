/* A buf builds bytes up to a fixed maximum. Its invariants:
 *   - n <= max; what does not fit is dropped and `over` is set, so a long
 *     value can cut a text short but never write past the end;
 *   - after the first append p[n] is NUL, so content can be read as a C string
 *     (use buf_str, which is "" before that);
 *   - a buf over caller storage (BUF_ON, buf_on) never allocates; a heap buf
 *     (buf_heap) grows by doubling up to max and is freed by buf_free. An
 *     allocation that fails counts as "over".
 * One thread at a time. */
#ifndef GREYLAG_BASE_BUF_H
#define GREYLAG_BASE_BUF_H

#include "base/span.h"

struct buf {
	char *p;
	size_t n;
	size_t cap;	/* bytes at p, one of them for the NUL */
	size_t max;	/* most bytes of content */
	bool heap;
	bool over;
};

/* A buf over a char array: struct buf b = BUF_ON(storage); */
#define BUF_ON(array) { .p = (array), .cap = sizeof(array), .max = sizeof(array) - 1 }

/* A buf over size bytes of caller storage, size >= 1; starts empty. */
struct buf buf_on(char *storage, size_t size);
/* A buf that grows on the heap up to max bytes of content. */
struct buf buf_heap(size_t max);
/* Frees a heap buf's memory and empties it; harmless on the others. */
void buf_free(struct buf *b);
/* Empties it, keeps the memory, clears over. */
void buf_clear(struct buf *b);
/* Drops the first n bytes (at most all). */
void buf_drop(struct buf *b, size_t n);
/* Makes room for n more bytes; false when max or memory forbids. */
bool buf_room(struct buf *b, size_t n);

static inline struct span buf_span(const struct buf *b)
{
	return span_make(b->p, b->n);
}

/* NUL-terminated content; "" before the first byte. */
const char *buf_str(const struct buf *b);

/* Each appends as much as fits. The common case, where there is room, is inline:
 * a log line is made of some fifty pieces. */
void buf_add_slow(struct buf *b, const void *bytes, size_t n);
static inline void buf_add(struct buf *b, const void *bytes, size_t n)
{
	if (n == 0 || n >= b->cap || b->n >= b->cap - n || n > b->max - b->n) {
		buf_add_slow(b, bytes, n);
		return;
	}
	memcpy(b->p + b->n, bytes, n);
	b->n += n;
	b->p[b->n] = '\0';
}
static inline void buf_addc(struct buf *b, char c) { buf_add(b, &c, 1); }
static inline void buf_adds(struct buf *b, const char *s) { buf_add(b, s, strlen(s)); }
void buf_addspan(struct buf *b, struct span s);
void buf_addlower(struct buf *b, struct span s);
void buf_addu(struct buf *b, uint64_t value);
void buf_addi(struct buf *b, int64_t value);
void buf_addf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Untrusted bytes for a log or a terminal: at most `most` bytes of s; control
 * bytes, DEL, backslash, '"' and bytes >= 0x80 that are not part of valid
 * UTF-8 become \xHH; "..." marks a cut. */
void buf_addsafe(struct buf *b, struct span s, size_t most);
/* The same for lines of configurations, which are full of them: '"' and backslash stay. */
void buf_addshown(struct buf *b, struct span s, size_t most);
/* A duration in the words of the configuration: "36d", "90s", "1h30m". */
void buf_addduration(struct buf *b, uint64_t seconds);

/* For functions that report an error text: replaces the content and returns -1. */
int buf_fail(struct buf *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
