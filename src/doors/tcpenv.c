#include "doors/tcpenv.h"

#include "client/question.h"

struct span tcpenv(const char *name)
{
	return span_of(getenv(name));
}

bool tcpenv_exempt(void)
{
	static const struct span skip = SPAN("skip");

	return getenv("RELAYCLIENT") || span_ieq(tcpenv("GREYLAG"), skip);
}

void tcpenv_add(struct buf *question, bool confirmed)
{
	question_add(question, "client_address", tcpenv("TCPREMOTEIP"));
	question_add(question, "reverse_client_name", tcpenv("TCPREMOTEHOST"));
	if (confirmed)
		question_add(question, "client_name", tcpenv("TCPREMOTEHOST"));
	/* UCSPI-SSL: set where the server in front deciphers. */
	question_add(question, "encryption_protocol", tcpenv("SSL_PROTOCOL"));
	question_add(question, "server_address", tcpenv("TCPLOCALIP"));
	question_add(question, "server_port", tcpenv("TCPLOCALPORT"));
}

void tcpenv_instance(struct buf *out)
{
	buf_addspan(out, span_head(tcpenv("TCPREMOTEIP"), 50));
	buf_addc(out, '.');
	buf_addspan(out, span_head(tcpenv("TCPREMOTEPORT"), 10));
}
