#include "daemon/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The ids of the settings' user and group. */
static int look_up(const struct settings *s, uid_t *uid, gid_t *gid, struct buf *why)
{
	const struct passwd *user = getpwnam(s->user);

	if (!user)
		return buf_fail(why, "no user named %s (see the setting `user`)", s->user);
	*uid = user->pw_uid;
	*gid = user->pw_gid;
	if (s->group[0] == '\0')
		return 0;
	const struct group *group = getgrnam(s->group);
	if (!group)
		return buf_fail(why, "no group named %s (see the setting `group`)", s->group);
	*gid = group->gr_gid;
	return 0;
}

int privileges_own_folder(const char *path, const struct settings *s, struct buf *why)
{
	uid_t uid = 0;
	gid_t gid = 0;

	if (geteuid() != 0 || access(path, F_OK) == 0)
		return 0;
	if (look_up(s, &uid, &gid, why) != 0)
		return -1;
	if (mkdir(path, 0700) != 0 || chown(path, uid, gid) != 0)
		return buf_fail(why, "%s: %s", path, strerror(errno));
	return 0;
}

int privileges_drop(const struct settings *s, struct buf *why)
{
	uid_t uid = 0;
	gid_t gid = 0;

	if (geteuid() != 0)
		return 0;
	if (look_up(s, &uid, &gid, why) != 0)
		return -1;
	if (uid == 0)
		return 0;
	if (initgroups(s->user, gid) != 0 || setresgid(gid, gid, gid) != 0 ||
	    setresuid(uid, uid, uid) != 0)
		return buf_fail(why, "cannot become user %s: %s", s->user, strerror(errno));
	if (setuid(0) == 0)
		return buf_fail(why, "could become root again");
	/* Changing the user has made it undumpable; a core is worth more. */
	prctl(PR_SET_DUMPABLE, 1);
	return 0;
}

/* --- Landlock (landlock(7)); the C library has no wrappers for it ------------------ */

#define READ_RIGHTS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE_RIGHTS (READ_RIGHTS | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
	LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR | \
	LANDLOCK_ACCESS_FS_MAKE_SOCK)
/* Handled, and granted nowhere: running programs, devices, links. */
#define DENIED_RIGHTS (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | \
	LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM)
/* What of the rights makes sense for a file that is no folder. */
#define FILE_RIGHTS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE)

static int permit(int ruleset, const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = rights };
	struct stat st;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return errno == ENOENT || errno == EACCES || errno == ENOTDIR ? 0 : -1;
	if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= FILE_RIGHTS;
	long r = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(rule.parent_fd);
	return (int)r;
}

static int permit_all(int ruleset, const char *const paths[], uint64_t rights)
{
	for (size_t i = 0; paths[i]; i++)
		if (permit(ruleset, paths[i], rights) != 0)
			return -1;
	return 0;
}

int privileges_confine(const char *const writable[], const char *const readable[], struct buf *why)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = WRITE_RIGHTS | DENIED_RIGHTS };
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);

	if (ruleset < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP ? 0 :
		       buf_fail(why, "landlock: %s", strerror(errno));
	if (permit_all(ruleset, writable, WRITE_RIGHTS) != 0 ||
	    permit_all(ruleset, readable, READ_RIGHTS) != 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
		int error = errno;
		close(ruleset);
		return buf_fail(why, "landlock: %s", strerror(error));
	}
	close(ruleset);
	return 1;
}
