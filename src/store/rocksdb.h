/* Driver "rocksdb", the embedded default: the target is a folder on this machine
 * that one process at a time may open. Gets that memory can answer are answered
 * at once; all else happens on the threads of rocksdb_reader and rocksdb_writer.
 * Loop thread. */
#ifndef GREYLAG_STORE_ROCKSDB_H
#define GREYLAG_STORE_ROCKSDB_H

#include "store/driver.h"

/* Salvages what can be salvaged of the damaged store in a folder that nobody has
 * open; only when a person asks for it. Returns 0, or -1 with text in why. */
int store_rocksdb_repair(const char *folder, struct buf *why);

#endif
