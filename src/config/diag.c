#include "config/diag.h"

#include <stdarg.h>

void diag_at(struct diag *d, enum diag_severity severity, const char *file, unsigned line,
	     unsigned column, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	if (vsnprintf(text, sizeof text, format, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	/* A file of nonsense should not give a log of nonsense; and bad lines in a
	 * list must not hide why a configuration is refused. */
	unsigned count = severity == DIAG_ERROR ? ++d->errors : ++d->warnings;
	if (count > DIAG_MAX)
		return;
	if (count == DIAG_MAX)
		snprintf(text, sizeof text, "too many %s, the rest is not shown",
			 severity == DIAG_ERROR ? "errors" : "warnings");
	d->report(d, severity, file, line, column, text);
}

void diag_text(struct buf *out, enum diag_severity severity, const char *file, unsigned line,
	       unsigned column, const char *text)
{
	buf_adds(out, file);
	buf_addc(out, ':');
	if (line) {
		buf_addu(out, line);
		buf_addc(out, ':');
	}
	if (column) {
		buf_addu(out, column);
		buf_addc(out, ':');
	}
	buf_adds(out, severity == DIAG_ERROR ? " error: " : " warning: ");
	buf_adds(out, text);
}
