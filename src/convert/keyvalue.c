#include "convert/keyvalue.h"

void keyvalue_take(struct convert *c, const struct keyvalue *rows, void *arg, struct span name, struct span value)
{
	for (; rows->name; rows++) {
		if (!span_ieq(name, span_of(rows->name)))
			continue;
		if (rows->take)
			rows->take(arg, value);
		else if (rows->missing)
			convert_missing(c, span_make("", 0), rows->why);
		else
			convert_needless(c, rows->why);
		return;
	}
	convert_missing(c, convert_harmless(name), "no setting that we know");
}
