/* Output for people. */
#ifndef GREYLAG_CLI_OUTPUT_H
#define GREYLAG_CLI_OUTPUT_H

#include <jansson.h>

#include "base/buf.h"

/* Fields of a row; "" and 0 when they are missing. */
const char *output_text(const json_t *row, const char *name);
json_int_t output_number(const json_t *row, const char *name);

/* "12,345" */
void output_count(struct buf *b, json_int_t n);
/* "1.2 MB" */
void output_bytes(struct buf *b, json_int_t n);
/* "label   text", the label padded. */
void output_line(const char *label, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Columns a text takes in a terminal, counted in code points. */
size_t output_width(const char *text);
/* Prints text and blanks up to width columns. */
void output_cell(const char *text, size_t width);
/* Prints a heading, bold on a terminal unless NO_COLOR is set. */
void output_heading(const char *text);
/* Prints a field of CSV (RFC 4180); what a spreadsheet would take for a formula has a
 * quote in front. */
void output_csv(const char *text);

#endif
