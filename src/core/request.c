#include "core/request.h"

const char *stage_word(enum stage s)
{
	switch (s) {
	case STAGE_RCPT: return "RCPT";
	case STAGE_DATA: return "DATA";
	case STAGE_END_OF_MESSAGE: return "END-OF-MESSAGE";
	case STAGE_CONNECT: return "CONNECT";
	case STAGE_HELO: return "HELO";
	case STAGE_MAIL: return "MAIL";
	case STAGE_OTHER: return "OTHER";
	}
	return "?";
}

struct span request_name(struct span name)
{
	static const struct span unknown = SPAN("unknown");

	return span_ieq(name, unknown) ? span_make("", 0) : name;
}

struct span address_domain(struct span address)
{
	return span_from(address, span_rfind(address, '@') + 1);
}

struct span address_local(struct span address)
{
	return span_head(address, span_rfind(address, '@'));
}
