#include "cli/output.h"

#include <stdarg.h>
#include <unistd.h>

#define LABEL_WIDTH 12

const char *output_text(const json_t *row, const char *name)
{
	const char *text = json_string_value(json_object_get(row, name));
	return text ? text : "";
}

json_int_t output_number(const json_t *row, const char *name)
{
	return json_integer_value(json_object_get(row, name));
}

void output_count(struct buf *b, json_int_t n)
{
	char digits[32];
	int length = snprintf(digits, sizeof digits, "%lld", (long long)n);

	for (int i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0 && digits[i - 1] != '-')
			buf_addc(b, ',');
		buf_addc(b, digits[i]);
	}
}

void output_bytes(struct buf *b, json_int_t n)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	double value = (double)n;
	unsigned unit = 0;

	while (value >= 1000 && unit < 4) {
		value /= 1000;
		unit++;
	}
	buf_addf(b, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void output_line(const char *label, const char *format, ...)
{
	va_list ap;

	printf("%-*s", LABEL_WIDTH, label);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
}

size_t output_width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

void output_cell(const char *text, size_t width)
{
	fputs(text, stdout);
	for (size_t n = output_width(text); n < width; n++)
		putchar(' ');
}

void output_heading(const char *text)
{
	bool bold = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");

	printf(bold ? "\033[1m%s\033[0m\n" : "%s\n", text);
}

/* A spreadsheet takes a field that begins so for a formula; a quote in front makes it text. */
static bool looks_like_formula(char c)
{
	return strchr("=+-@\t\r", c) != NULL;
}

void output_csv(const char *text)
{
	bool formula = text[0] && looks_like_formula(text[0]);

	if (!formula && !strpbrk(text, ",\"\r\n'; ")) {
		fputs(text, stdout);
		return;
	}
	putchar('"');
	if (formula)
		putchar('\'');
	for (; *text; text++) {
		if (*text == '"')
			putchar('"');
		putchar(*text);
	}
	putchar('"');
}
