/* Giving up privileges, in one visible place: first the user, then what even
 * that user may do. */
#ifndef GREYLAG_DAEMON_PRIVILEGES_H
#define GREYLAG_DAEMON_PRIVILEGES_H

#include "config/config.h"

/* Makes a folder for the store (its last component) owned by the configured
 * user, when running as root and it is not there. 0, or -1 with why. */
int privileges_own_folder(const char *path, const struct settings *s, struct buf *why);

/* When started as root: becomes user and group of the settings for good, with
 * no supplementary groups but the user's own. Otherwise nothing. Refuses to
 * stay root unless the settings say user root. 0, or -1 with why. */
int privileges_drop(const struct settings *s, struct buf *why);

/* Landlock: from here on the process, all its threads to come included, may
 * write only below the given folders and read only what it needs to read
 * (configuration, lists, libraries, time zones); it can never gain
 * privileges. Returns 1 when in force, 0 when the kernel has no Landlock, -1
 * with why. paths ends with NULL; those that do not exist are passed over. */
int privileges_confine(const char *const writable[], const char *const readable[], struct buf *why);

#endif
