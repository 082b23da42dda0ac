#include "store/mariadb_where.h"

#include "base/log.h"
#include "store/driver.h"

int mariadb_where_read(struct mariadb_where *w, const struct store_options *options, struct buf *why)
{
	char text[700];
	struct buf reason = BUF_ON(text);

	*w = (struct mariadb_where){ .consistent_reads = options->consistent_reads };
	if (dbtarget_parse(span_of(options->target), &w->target, &reason) != 0)
		return buf_fail(why, "store mariadb: %s", buf_str(&reason));
	if (!store_text(w->user, sizeof w->user, options->user) ||
	    !store_text(w->password_file, sizeof w->password_file, options->password_file) ||
	    !store_text(w->tls_ca, sizeof w->tls_ca, options->tls_ca))
		return buf_fail(why, "store mariadb: user, password-file or tls-ca is too long");
	if (secret_read(w->password_file, w->password, &reason) != 0)
		return buf_fail(why, "store mariadb: %s", buf_str(&reason));
	return 0;
}

void mariadb_where_password(struct mariadb_where *w)
{
	char text[700];
	struct buf why = BUF_ON(text);

	if (secret_read(w->password_file, w->password, &why) != 0)
		log_msg(LOG_LEVEL_WARNING, "store mariadb: %s; the former password is used", buf_str(&why));
}
