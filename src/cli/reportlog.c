#include "cli/reportlog.h"

int reportlog_read(struct report *r, char **files, int count)
{
	(void)r; (void)files; (void)count;
	return 0;
}
