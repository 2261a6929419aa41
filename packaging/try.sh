#!/usr/bin/env bash
# Tries the Debian package as a volunteer meets it: installed into a fresh Debian (made
# by debootstrap), started, used, upgraded to a newer one, removed. Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
relay=
cleanup() {
	status=$?
	if [ -n "$relay" ]; then kill -9 "$relay" 2>/dev/null || true; fi
	umount "$work/debian/proc" 2>/dev/null || true
	if [ "$status" -ne 0 ] && [ -f "$work/log" ]; then tail -n 50 "$work/log"; fi
	rm -rf "$work"
}
trap cleanup EXIT
say() { printf 'package: %s\n' "$*"; }
arch=$(dpkg --print-architecture)

TARGETS=linux/$arch ./packaging/release.sh "$work/one" >"$work/log" 2>&1
say "built twice with equal sums"
TARGETS=linux/$arch ./packaging/release.sh "$work/two" >>"$work/log" 2>&1
cmp "$work/one/SHA256SUMS" "$work/two/SHA256SUMS"

say "the unit is sound, and exposes little"
sed 's|/usr/bin/restante|/bin/true|; /^Documentation/d' cmd/restante/restante.service >"$work/restante.service"
systemd-analyze verify "$work/restante.service"
systemd-analyze security --offline=true --threshold=20 cmd/restante/restante.service >>"$work/log"

root=$work/debian
say "a fresh Debian"
debootstrap --variant=minbase --include=ca-certificates "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$root" >>"$work/log" 2>&1
mount -t proc proc "$root/proc"
deb=$(basename "$work"/one/*.deb)
cp "$work/one/$deb" "$root/tmp/"

in_debian() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
as_relay() { in_debian setpriv --reuid=restante --regid=restante --clear-groups "$@"; }

# start runs the relay as its unit does, and waits until every port listens.
start() {
	rm -f "$root/tmp/ready.json"
	as_relay /usr/bin/restante serve --config /etc/restante/config.toml --ready /tmp/ready.json >>"$work/log" 2>&1 &
	for _ in $(seq 300); do
		if [ -s "$root/tmp/ready.json" ]; then break; fi
		sleep 0.1
	done
	relay=$(sed -n 's/.*"pid": \([0-9]*\).*/\1/p' "$root/tmp/ready.json")
	[ -n "$relay" ]
}
# stop ends it, and waits for its end.
stop() {
	kill -TERM "$relay"
	for _ in $(seq 300); do
		if ! kill -0 "$relay" 2>/dev/null; then relay=; return; fi
		sleep 0.1
	done
	say "the relay does not stop"
	exit 1
}

say "install"
in_debian dpkg -i "/tmp/$deb" >>"$work/log" 2>&1
in_debian restante version
[ "$(in_debian stat -c %U:%a /usr/bin/restante)" = root:755 ]
in_debian getent passwd restante >/dev/null
in_debian test -s /usr/share/man/man1/restante-serve.1.gz
in_debian test -s /usr/share/bash-completion/completions/restante
install -d -m 0700 -o "$(chroot "$root" id -u restante)" -g "$(chroot "$root" id -g restante)" "$root/var/lib/restante"
{
	echo 'domain = "relay.test"'
	for l in smtps submission mx imaps imap https; do printf '[listen.%s]\naddress = "127.0.0.1:0"\nnetwork = "shared"\n' "$l"; done
} >"$root/etc/restante/config.toml"

say "start, and make an account"
start
as_relay restante account new alice >/dev/null
as_relay restante status >"$work/status"
grep -q 'accounts.*1,' "$work/status"

say "back it up while it runs"
as_relay restante backup /var/backups/restante --without-keys >>"$work/log" 2>&1
in_debian test -s /var/backups/restante/restante.db

say "upgrade while it runs"
# The same program with a higher version, as the next release has.
mkdir "$work/next"
dpkg-deb -R "$work/one/$deb" "$work/next/tree"
sed -i 's/^Version: .*/Version: 99.0.0/' "$work/next/tree/DEBIAN/control"
dpkg-deb -Zgzip -z1 -b --root-owner-group "$work/next/tree" "$root/tmp/next.deb" >>"$work/log"
in_debian dpkg -i /tmp/next.deb >>"$work/log" 2>&1
kill -0 "$relay"
stop
start
as_relay restante account show --addresses alice >"$work/alice"
grep -q alice@relay.test "$work/alice"
stop

say "remove, and purge: mail and keys stay"
in_debian dpkg -r restante >>"$work/log" 2>&1
in_debian test ! -e /usr/bin/restante
in_debian dpkg -P restante >>"$work/log" 2>&1
in_debian test -s /var/lib/restante/relay.key
in_debian test -s /etc/restante/config.toml
say "ok"
