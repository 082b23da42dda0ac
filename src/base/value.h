/* Values with units, as people write them. Pure. */
#ifndef GREYLAG_BASE_VALUE_H
#define GREYLAG_BASE_VALUE_H

#include "base/buf.h"

/* "500ms", "60s", "15m", "48h", "36d", "2w", "1h30m", "0": milliseconds.
 * 0, or -1 with why; a number without a unit is an error. */
int value_duration_ms(struct span s, uint64_t *out, struct buf *why);
/* "4096B", "64K", "8M", "1G", "0": bytes (powers of 1,024). */
int value_size(struct span s, uint64_t *out, struct buf *why);
int value_number(struct span s, uint64_t *out, struct buf *why);
/* yes/no, on/off, true/false. */
int value_bool(struct span s, bool *out, struct buf *why);

/* The same values in the words that are read back. */
void value_add_duration_ms(struct buf *b, uint64_t ms);
void value_add_size(struct buf *b, uint64_t bytes);

#endif
