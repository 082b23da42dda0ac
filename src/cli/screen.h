/* A terminal whose whole screen is drawn anew now and then, by plain escape sequences. */
#ifndef GREYLAG_CLI_SCREEN_H
#define GREYLAG_CLI_SCREEN_H

#include "base/span.h"

/* True when standard output is a terminal; then the screen is ours until screen_end, which
 * must come also when a signal ends us: see screen_wait. */
bool screen_begin(void);
void screen_end(void);
/* At the top of an empty screen; finds out its size anew. */
void screen_clear(void);
unsigned screen_columns(void);
/* Lines that are left on it. */
unsigned screen_left(void);
/* Prints at most as many columns as there are, and ends the line; nothing when no line is
 * left. Without a screen: prints the line as it is. */
void screen_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The line has been printed otherwise: ends it. */
void screen_newline(void);
/* Shows what was drawn and waits. True when it should be drawn again, false when q was
 * pressed or a signal says to end. */
bool screen_wait(unsigned seconds);

#endif
