/* Postfix's main.cf and master.cf, postconf(5) and master(5): read, nothing run. */
#ifndef GREYLAG_DOCTOR_POSTFIXCONF_H
#define GREYLAG_DOCTOR_POSTFIXCONF_H

#include "base/buf.h"

#define POSTFIX_PARAMETERS_MAX 2000
#define POSTFIX_SERVICES_MAX 300
#define POSTFIX_VALUE_MAX ((size_t)64 * 1024)	/* that is judged, expanded */

struct postfix_parameter {
	struct span name;
	char *value;		/* line breaks as blanks, not expanded; owned */
	unsigned line;
};

struct postfix_service {
	struct span name, type, chroot, command;
	char *text;		/* the whole line; owned */
	struct span arguments;
	unsigned line;
};

struct postfixconf {
	struct buf main, master;
	struct postfix_parameter parameters[POSTFIX_PARAMETERS_MAX];
	unsigned parameter_count;
	struct postfix_service services[POSTFIX_SERVICES_MAX];
	unsigned service_count;
};

/* Takes the texts, heap bufs, which it frees in the end. NULL when memory is out. */
struct postfixconf *postfixconf_new(struct buf main, struct buf master);
void postfixconf_free(struct postfixconf **c);

/* The parameter's last definition; NULL: it has its default. */
const struct postfix_parameter *postfixconf_find(const struct postfixconf *c, struct span name);
/* Appends its value, $name and ${name} expanded; fallback where it is not set. `service` may
 * be NULL: else what it overrides by -o counts. Returns the line, 0 for the default. *in_master
 * (may be NULL): it was overridden there. */
unsigned postfixconf_value(const struct postfixconf *c, const struct postfix_service *service, const char *name,
			   const char *fallback, struct buf *out, bool *in_master);
/* The next element of a list: words between blanks or commas, {...} as one. False at the end. */
bool postfixconf_element(struct span *rest, struct span *element);

#endif
