/* An entry put aside, in about as much memory as it needs. */
#ifndef GREYLAG_REQUESTLOG_ENTRYCOPY_H
#define GREYLAG_REQUESTLOG_ENTRYCOPY_H

#include "requestlog/entry.h"

struct entry_copy;

/* NULL when memory is out; free() releases it. */
struct entry_copy *entry_copy(const struct entry *e);
void entry_restore(struct entry *out, const struct entry_copy *c);

#endif
