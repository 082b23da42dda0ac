/* File descriptors of this process, setrlimit(2). */
#ifndef GREYLAG_BASE_DESCRIPTORS_H
#define GREYLAG_BASE_DESCRIPTORS_H

#include <stdint.h>

/* Raises the limit on open files to the hard limit; returns what it is then. */
uint64_t descriptors_raise(void);

#endif
