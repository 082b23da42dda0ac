/* Which of a cluster's slots a key is in. */
#ifndef GREYLAG_STORE_VALKEY_SLOT_H
#define GREYLAG_STORE_VALKEY_SLOT_H

#include "base/span.h"

#define VALKEY_SLOTS 16384

/* Of the key prefix + key, whose parts are at most VALKEY_PREFIX_MAX and KEY_MAX
 * bytes: CRC-16/XMODEM of it, or of what stands between its first '{' and the next
 * '}' when that is not empty, modulo the slots (Redis cluster specification, "Key
 * distribution model" and "Hash tags"). */
unsigned valkey_slot(struct span prefix, struct span key);

#endif
