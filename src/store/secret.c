#include "store/secret.h"

#include <errno.h>

int secret_read(const char *file, char out[SECRET_MAX + 1], struct buf *why)
{
	char line[SECRET_MAX + 2];

	if (file[0] == '\0')
		return 0;
	FILE *f = fopen(file, "re");
	if (!f)
		return buf_fail(why, "%s: %s", file, strerror(errno));
	bool read = fgets(line, sizeof line, f) != NULL;
	fclose(f);
	struct span secret = span_trim(span_of(read ? line : ""));
	if (secret.n == 0 || secret.n > SECRET_MAX)
		return buf_fail(why, "%s: its first line must be a password of at most %d bytes", file, SECRET_MAX);
	memcpy(out, secret.p, secret.n);
	out[secret.n] = '\0';
	return 0;
}
