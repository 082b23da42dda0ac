# shellcheck shell=bash
# What the tests of the packages share; sourced, in the top folder. A fresh Debian made by
# debootstrap is kept in .cache.
suite=bookworm
kept=$PWD/.cache/install-test
passed=0 failed=0

skip() { echo "skip $*"; exit 0; }
ok() { passed=$((passed + 1)); echo "ok $1"; }
bad() { failed=$((failed + 1)); echo "not ok $1"; [ -n "${2:-}" ] && printf '%s\n' "$2" | sed 's/^/    /' | tail -40; return 0; }
# expect NAME WANTED GOT
expect() { if [ "$2" = "$3" ]; then ok "$1"; else bad "$1" "wanted: $2
got: $3"; fi; }
finish() { echo "$passed passed, $failed failed"; [ "$failed" -eq 0 ]; }

# can PROGRAM...: or the test is skipped.
can() {
	local program
	[ "$(id -u)" -eq 0 ] || skip "the packages in a fresh Debian: that needs root"
	for program in debootstrap unshare apt-get "$@"; do
		command -v "$program" >/dev/null || skip "the packages in a fresh Debian: there is no $program"
	done
	unshare --mount --net --pid --fork true 2>/dev/null || skip "the packages in a fresh Debian: namespaces are not to be had"
	ls build-package/greylag_*.deb >/dev/null 2>&1 || { echo "there are no packages: ./dev package"; exit 1; }
}

# The mirror that this machine itself uses.
mirror() {
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
		awk -v suite=$suite '$1 == "Debian" && $2 == suite { print $3; exit }'
}

# A tar of the fresh system; made once.
fresh() {
	local from folder
	[ -f "$kept/$suite.tar" ] && return
	from=$(mirror)
	[ -n "$from" ] || skip "apt here knows no mirror of Debian $suite"
	mkdir -p "$kept/archives"
	folder=$(mktemp -d)
	timeout 400 debootstrap --variant=minbase $suite "$folder" "$from" >"$kept/log" 2>&1 ||
		{ rm -rf --one-file-system "$folder"; skip "debootstrap: $(tail -1 "$kept/log")"; }
	chmod 0755 "$folder"
	tar cf "$kept/$suite.tar.new" --one-file-system -C "$folder" . && mv "$kept/$suite.tar.new" "$kept/$suite.tar"
	rm -rf --one-file-system "$folder"
}

# unpack ROOT: such a system with our packages in /packages. Within a mount namespace of
# one's own: what apt fetches is kept too.
unpack() {
	mkdir "$1"
	tar xf "$kept/$suite.tar" -C "$1"
	chmod 0755 "$1"
	mount -t proc proc "$1/proc"
	mount --bind "$kept/archives" "$1/var/cache/apt/archives"
	mkdir "$1/packages"
	cp build-package/*.deb "$1/packages"
	rm -f "$1"/packages/*-dbgsym_*
	cp -L /etc/resolv.conf "$1/etc/resolv.conf" 2>/dev/null
}

# in_root ROOT COMMAND...
in_root() { local root=$1; shift; chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive "$@"; }
# apt_in ROOT WORD...: apt-get, quietly
apt_in() {
	local root=$1; shift
	in_root "$root" apt-get -qq -o APT::Sandbox::User=root -o Dpkg::Use-Pty=0 -o APT::Keep-Downloaded-Packages=true "$@" 2>&1
}
ours() { in_root "$1" sh -c 'ls /packages/*.deb'; }
