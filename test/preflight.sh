#!/bin/sh
# Says what is missing to build Restante, and the exact command that adds it.
go=${1:-go}
need_minor=26

fail() { printf 'restante: %s\n  fix: %s\n' "$1" "$2" >&2; exit 1; }

command -v "$go" >/dev/null 2>&1 ||
	fail "Go is not installed" "install Go 1.$need_minor or newer: https://go.dev/doc/install"

version=$("$go" env GOVERSION 2>/dev/null | sed 's/^go//; s/[^0-9.].*//')
minor=$(printf '%s' "$version" | cut -d. -f2)
[ "${minor:-0}" -ge "$need_minor" ] 2>/dev/null ||
	fail "Go $version is too old, Go 1.$need_minor or newer is needed" "install it from https://go.dev/doc/install"

# Without cgo the pure-Go SQLite driver is used and no compiler is needed. Go would
# choose that silently where there is no compiler; it is slower, so we ask.
[ "${CGO_ENABLED:-}" = 0 ] && exit 0
cc=$("$go" env CC)
command -v "${cc%% *}" >/dev/null 2>&1 && exit 0
if command -v apt-get >/dev/null 2>&1; then fix="sudo apt-get install -y gcc libc6-dev"
elif command -v dnf >/dev/null 2>&1; then fix="sudo dnf install -y gcc"
elif command -v apk >/dev/null 2>&1; then fix="sudo apk add gcc musl-dev"
elif [ "$(uname)" = Darwin ]; then fix="xcode-select --install"
else fix="install gcc or clang"; fi
fail "no C compiler ($cc) for the SQLite driver" "$fix   (or build without one: CGO_ENABLED=0 make)"
