#!/bin/sh
# Puts the sample where the configuration belongs, unless there is one already.
set -eu
to="${DESTDIR:-}$1/greylag.conf"
case $2 in
/*) from="${DESTDIR:-}$2/greylag.conf.sample" ;;
*) from="${MESON_INSTALL_DESTDIR_PREFIX}/$2/greylag.conf.sample" ;;
esac
[ -e "$to" ] && exit 0
mkdir -p "${to%/*}"
cp "$from" "$to"
chmod 0644 "$to"
