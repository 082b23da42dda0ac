/* The same behaviour as greylag-milter's on libmilter, as a reference for what goes
 * over the wire: defers the recipients of alice, adds a header to other mail.
 * Usage: libmilter_reference SOCKET */
#include <libmilter/mfapi.h>
#include <stdlib.h>
#include <string.h>

static sfsistat negotiate(SMFICTX *ctx, unsigned long f0, unsigned long f1, unsigned long f2, unsigned long f3,
			  unsigned long *pf0, unsigned long *pf1, unsigned long *pf2, unsigned long *pf3)
{
	static const unsigned long without = SMFIP_NOBODY | SMFIP_NOHDRS | SMFIP_NOEOH | SMFIP_NOUNKNOWN |
					     SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL;

	(void)ctx; (void)f2; (void)f3;
	*pf0 = f0 & SMFIF_ADDHDRS;
	*pf1 = f1 & without;
	*pf2 = *pf3 = 0;
	return SMFIS_CONTINUE;
}

static sfsistat from(SMFICTX *ctx, char **args)
{
	smfi_setpriv(ctx, strcmp(args[0], "<alice@example.org>") == 0 ? ctx : NULL);
	return SMFIS_NOREPLY;
}

static sfsistat to(SMFICTX *ctx, char **args)
{
	static char codes[] = "451", enhanced[] = "4.7.1", text[] = "Greylisted, 100%% sure";

	(void)args;
	if (!smfi_getpriv(ctx))
		return SMFIS_CONTINUE;
	smfi_setreply(ctx, codes, enhanced, text);
	return SMFIS_TEMPFAIL;
}

static sfsistat data(SMFICTX *ctx)
{
	(void)ctx;
	return SMFIS_CONTINUE;
}

static sfsistat end(SMFICTX *ctx)
{
	static char name[] = "X-Greylist", value[] = "delayed";

	smfi_insheader(ctx, 0, name, value);
	return SMFIS_CONTINUE;
}

static sfsistat connected(SMFICTX *ctx, char *host, _SOCK_ADDR *address)
{
	(void)ctx; (void)host; (void)address;
	return SMFIS_NOREPLY;
}

static sfsistat helo(SMFICTX *ctx, char *name)
{
	(void)ctx; (void)name;
	return SMFIS_NOREPLY;
}

int main(int argc, char **argv)
{
	static char name[] = "reference";
	struct smfiDesc milter = {
		.xxfi_name = name, .xxfi_version = SMFI_VERSION, .xxfi_flags = SMFIF_ADDHDRS, .xxfi_connect = connected,
		.xxfi_helo = helo, .xxfi_envfrom = from, .xxfi_envrcpt = to, .xxfi_data = data, .xxfi_eom = end,
		.xxfi_negotiate = negotiate,
	};

	if (argc != 2 || smfi_setconn(argv[1]) != MI_SUCCESS || smfi_register(milter) != MI_SUCCESS)
		return EXIT_FAILURE;
	return smfi_main() == MI_SUCCESS ? EXIT_SUCCESS : EXIT_FAILURE;
}
