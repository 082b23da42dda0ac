/* The values of a condition, as they stand in a line of greylag.conf. */
#ifndef GREYLAG_CONFIG_VALUES_H
#define GREYLAG_CONFIG_VALUES_H

#include "config/parse.h"
#include "lists/condition.h"

/* Reads values from token *at on into c, up to the next keyword or the line's
 * end, where *at is then. Findings are reported. */
void parse_values(struct parse *p, unsigned *at, struct condition *c, bool negated);
/* Ends the values of a condition: the next keyword, or the line's end. */
bool parse_is_keyword(const struct parse *p, unsigned token);
/* True for delay, window and the like. */
bool parse_is_parameter(const struct parse *p, unsigned token);

struct suggest;
/* Begins *near with the keywords of a rule that are near to word. */
void parse_near_keyword(struct suggest *near, struct span word);

#endif
