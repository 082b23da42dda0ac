/* Stands in for country.c where libmaxminddb is missing. */
#include "engine/country.h"

struct country *country_new(const char *path, struct buf *why)
{
	(void)path;
	buf_fail(why, "this greylagd was built without libmaxminddb");
	return NULL;
}

void country_free(struct country **c)
{
	*c = NULL;
}

struct span country_of(const struct country *c, const struct netaddr *address)
{
	(void)c;
	(void)address;
	return span_make("", 0);
}
