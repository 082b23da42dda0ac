/* main.cf and master.cf: whatever they hold is read, values expand to something finite,
 * and lists end. The input is both, main.cf up to the first NUL. */
#include "doctor/postfixconf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_value(const struct postfixconf *c, const struct postfix_service *s, const char *name)
{
	char text[4000];
	struct buf b = BUF_ON(text);
	struct span rest, element;

	postfixconf_value(c, s, name, "permit_mynetworks, $mydomain", &b, NULL);
	rest = buf_span(&b);
	while (postfixconf_element(&rest, &element))
		if (element.n == 0)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span all = span_make((const char *)data, size), head = span_head(all, span_find(all, '\0'));
	struct buf main = buf_heap(1 << 20), master = buf_heap(1 << 20);

	buf_addspan(&main, head);
	buf_addspan(&master, span_from(all, head.n + 1));
	struct postfixconf *c = postfixconf_new(main, master);
	if (!c)
		return 0;
	read_value(c, NULL, "smtpd_recipient_restrictions");
	for (unsigned i = 0; i < c->service_count && i < 20; i++)
		read_value(c, &c->services[i], "smtpd_recipient_restrictions");
	for (unsigned i = 0; i < c->parameter_count && i < 20; i++) {
		char name[100];
		snprintf(name, sizeof name, "%.*s", SPAN_ARG(span_head(c->parameters[i].name, 99)));
		read_value(c, NULL, name);
	}
	postfixconf_free(&c);
	return 0;
}
