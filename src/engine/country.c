#include "engine/country.h"

#include <maxminddb.h>
#include <netinet/in.h>

struct country {
	MMDB_s db;
};

struct country *country_new(const char *path, struct buf *why)
{
	struct country *c = calloc(1, sizeof *c);

	if (!c) {
		buf_fail(why, "out of memory");
		return NULL;
	}
	int status = MMDB_open(path, MMDB_MODE_MMAP, &c->db);
	if (status != MMDB_SUCCESS) {
		buf_fail(why, "%s", MMDB_strerror(status));
		free(c);
		return NULL;
	}
	return c;
}

void country_free(struct country **c)
{
	if (*c)
		MMDB_close(&(*c)->db);
	free(*c);
	*c = NULL;
}

struct span country_of(const struct country *c, const struct netaddr *address)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	const struct sockaddr *sa = address->family == 4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6;
	MMDB_entry_data_s code;
	int error;

	memcpy(&v4.sin_addr, address->bytes, sizeof v4.sin_addr);
	memcpy(&v6.sin6_addr, address->bytes, sizeof v6.sin6_addr);
	MMDB_lookup_result_s found = MMDB_lookup_sockaddr(&c->db, sa, &error);
	if (error != MMDB_SUCCESS || !found.found_entry ||
	    MMDB_get_value(&found.entry, &code, "country", "iso_code", NULL) != MMDB_SUCCESS ||
	    !code.has_data || code.type != MMDB_DATA_TYPE_UTF8_STRING)
		return span_make("", 0);
	return span_make(code.utf8_string, code.data_size);
}
