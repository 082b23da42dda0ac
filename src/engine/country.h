/* The country of an address, from a MaxMind database (libmaxminddb). Loop thread. */
#ifndef GREYLAG_ENGINE_COUNTRY_H
#define GREYLAG_ENGINE_COUNTRY_H

#include "base/buf.h"
#include "base/netaddr.h"

struct country;

/* Opens the file. NULL with the reason in why: there is no such file, it is no database
 * of countries, or this greylagd was built without libmaxminddb. */
struct country *country_new(const char *path, struct buf *why);
void country_free(struct country **c);
/* Two letters (ISO 3166), or empty. Valid as long as c. */
struct span country_of(const struct country *c, const struct netaddr *address);

#endif
