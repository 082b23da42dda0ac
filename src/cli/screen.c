#include "cli/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"

#define COLUMNS 80
#define LINES 24

static struct {
	bool on, has_keys;
	unsigned columns, lines, used;
	struct termios before;
} screen = { .columns = COLUMNS, .lines = LINES };

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
	(void)number;
	ended = 1;
}

static void on_resize(int number)
{
	(void)number;
}

bool screen_begin(void)
{
	const struct sigaction stop = { .sa_handler = on_signal }, resize = { .sa_handler = on_resize };
	struct termios keys;

	screen.on = isatty(STDOUT_FILENO);
	if (!screen.on)
		return false;
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGHUP, &stop, NULL);
	sigaction(SIGQUIT, &stop, NULL);
	sigaction(SIGPIPE, &stop, NULL);
	sigaction(SIGWINCH, &resize, NULL);
	screen.has_keys = tcgetattr(STDIN_FILENO, &screen.before) == 0;
	if (screen.has_keys) {
		keys = screen.before;
		keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		/* A shell would get the terminal as it is now. */
		keys.c_cc[VSUSP] = _POSIX_VDISABLE;
		tcsetattr(STDIN_FILENO, TCSANOW, &keys);
	}
	/* The other screen, so that what was there comes back; no cursor. */
	fputs("\033[?1049h\033[?25l", stdout);
	return true;
}

void screen_end(void)
{
	if (!screen.on)
		return;
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	if (screen.has_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &screen.before);
	screen.on = false;
}

void screen_clear(void)
{
	struct winsize size;

	if (!screen.on)
		return;
	bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row;
	screen.columns = known ? size.ws_col : COLUMNS;
	screen.lines = known ? size.ws_row : LINES;
	screen.used = 0;
	fputs("\033[H\033[2J", stdout);
}

unsigned screen_columns(void)
{
	return screen.columns;
}

unsigned screen_left(void)
{
	return !screen.on ? LINES : screen.used < screen.lines ? screen.lines - screen.used : 0;
}

/* The last line has no end, which would scroll. */
void screen_newline(void)
{
	screen.used++;
	if (!screen.on)
		putchar('\n');
	else if (screen.used < screen.lines)
		fputs("\r\n", stdout);
}

void screen_line(const char *format, ...)
{
	char text[2000];
	unsigned columns = 0;
	va_list ap;

	if (screen_left() == 0)
		return;
	va_start(ap, format);
	int n = vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	for (const char *p = text; n > 0 && *p; p++) {
		columns += ((unsigned char)*p & 0xc0) != 0x80;
		if (screen.on && columns > screen.columns)
			break;
		putchar(*p);
	}
	screen_newline();
}

static int64_t now_ms(void)
{
	return (int64_t)(clock_mono(&clock_system) / CLOCK_NS_PER_MS);
}

/* Other keys than q change nothing: one that is held down must not ask the daemon each time. */
bool screen_wait(unsigned seconds)
{
	struct pollfd keys = { .fd = screen.has_keys ? STDIN_FILENO : -1, .events = POLLIN };
	int64_t until = now_ms() + (int64_t)seconds * 1000, left;
	char key = 0;

	if (fflush(stdout) != 0 || !screen.on)
		return false;
	while (!ended && (left = until - now_ms()) > 0) {
		int ready = poll(&keys, 1, (int)left);
		if (ready < 0)
			return errno == EINTR && !ended;
		/* A terminal that has gone reads as its end. */
		if (ready > 0 && (read(STDIN_FILENO, &key, 1) <= 0 || key == 'q' || key == 'Q'))
			return false;
	}
	return !ended;
}
