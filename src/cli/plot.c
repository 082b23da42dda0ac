#include "cli/plot.h"

#include <langinfo.h>
#include <locale.h>
#include <unistd.h>

static bool unicode(void)
{
	static int known = -1;

	if (known < 0) {
		setlocale(LC_CTYPE, "");
		known = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	}
	return known == 1;
}

static bool coloured(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && (!no || !no[0]) && (!term || strcmp(term, "dumb") != 0);
}

static const char *code(enum plot_colour colour)
{
	switch (colour) {
	case PLOT_PLAIN: return "";
	case PLOT_GREEN: return "\033[32m";
	case PLOT_YELLOW: return "\033[33m";
	case PLOT_RED: return "\033[31m";
	case PLOT_GREY: return "\033[90m";
	}
	return "";
}

void plot_begin(enum plot_colour colour)
{
	if (colour != PLOT_PLAIN && coloured())
		fputs(code(colour), stdout);
}

void plot_end(enum plot_colour colour)
{
	if (colour != PLOT_PLAIN && coloured())
		fputs("\033[0m", stdout);
}

/* Without overflow, rounded down. */
static uint64_t scaled(uint64_t value, uint64_t most, unsigned steps)
{
	return most ? (uint64_t)((double)(value < most ? value : most) / (double)most * steps) : 0;
}

void plot_bar(uint64_t value, uint64_t most, unsigned width, enum plot_colour colour)
{
	static const char *const parts[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
	uint64_t eighths = scaled(value, most, width * 8);

	if (value && eighths == 0)
		eighths = 1;
	plot_begin(colour);
	if (unicode()) {
		for (uint64_t i = 0; i < eighths / 8; i++)
			fputs("█", stdout);
		fputs(parts[eighths % 8], stdout);
	} else {
		for (uint64_t i = 0; i < (eighths + 7) / 8; i++)
			putchar('#');
	}
	plot_end(colour);
}

void plot_spark(uint64_t value, uint64_t most, enum plot_colour colour)
{
	static const char *const blocks[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
	static const char ascii[] = " ..--==##";
	uint64_t height = scaled(value, most, 8);

	if (value && height == 0)
		height = 1;
	plot_begin(colour);
	if (unicode())
		fputs(blocks[height], stdout);
	else
		putchar(ascii[height]);
	plot_end(colour);
}

enum plot_colour plot_verdict_colour(enum verdict v)
{
	switch (v) {
	case VERDICT_PASS: return PLOT_GREEN;
	case VERDICT_DEFER: return PLOT_YELLOW;
	case VERDICT_REJECT: return PLOT_RED;
	case VERDICT_OBSERVE: return PLOT_GREY;
	}
	return PLOT_PLAIN;
}
