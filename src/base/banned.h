/* Functions that this tree does not use: each has a bounded or checked
 * counterpart in base/. Including this header turns a call into a compile
 * error. Every module includes it through base/span.h. */
#ifndef GREYLAG_BASE_BANNED_H
#define GREYLAG_BASE_BANNED_H

/* Some C libraries wrap these in macros when they check buffer sizes. */
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf
#pragma GCC poison strtok atoi atol atoll atof

#endif
