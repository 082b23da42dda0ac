/* Plots for terminals, in block characters where the locale has UTF-8, else in ASCII;
 * colours only on a terminal, and not when NO_COLOR is set (no-color.org). */
#ifndef GREYLAG_CLI_PLOT_H
#define GREYLAG_CLI_PLOT_H

#include "core/reason.h"

enum plot_colour { PLOT_PLAIN, PLOT_GREEN, PLOT_YELLOW, PLOT_RED, PLOT_GREY };

enum plot_colour plot_verdict_colour(enum verdict v);

/* A bar of at most width columns, value of most; a value that is not 0 shows. */
void plot_bar(uint64_t value, uint64_t most, unsigned width, enum plot_colour colour);
/* One column of a row of small bars, 1/8 to 8/8 high; 0 is a blank. */
void plot_spark(uint64_t value, uint64_t most, enum plot_colour colour);
/* Between them all that is printed has the colour. */
void plot_begin(enum plot_colour colour);
void plot_end(enum plot_colour colour);

#endif
