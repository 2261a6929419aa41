#!/usr/bin/env bash
# Builds what is released into dist/: programs for every system, Debian packages, and
# their sums. The same commit and the same Go give the same sums, on any machine:
# nothing of the time, the folder or the user goes in.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-dist}
targets=${TARGETS:-linux/amd64 linux/arm64 darwin/arm64 darwin/amd64 windows/amd64}
nfpm=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.0

VERSION=$(git describe --tags --always --match 'v*' 2>/dev/null || echo 0)
case $VERSION in v*) VERSION=${VERSION#v} ;; *) VERSION=0.0.0~git.$VERSION ;; esac
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export VERSION SOURCE_DATE_EPOCH CGO_ENABLED=0

rm -rf "$out"
mkdir -p "$out"
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

build() { # OS ARCH FILE
	GOOS=$1 GOARCH=$2 go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.release=$VERSION" -o "$3" ./cmd/restante
}

for target in $targets; do
	os=${target%/*} arch=${target#*/} suffix=
	if [ "$os" = windows ]; then suffix=.exe; fi
	echo "build $target"
	build "$os" "$arch" "$out/restante-$os-$arch$suffix"
done

# What every package has besides the program.
go build -o "$stage/self" ./cmd/restante
mkdir "$stage/man"
"$stage/self" man "$stage/man"
gzip -9n "$stage"/man/*
gzip -9nc CHANGELOG.md >"$stage/changelog.gz"
"$stage/self" completion bash >"$stage/restante.bash"
"$stage/self" completion zsh >"$stage/_restante"
"$stage/self" completion fish >"$stage/restante.fish"
for target in $targets; do
	arch=${target#linux/}
	[ "$arch" != "$target" ] || continue
	echo "package $target"
	cp "$out/restante-linux-$arch" "$stage/restante"
	STAGE=$stage ARCH=$arch go run "$nfpm" package --config packaging/nfpm.yaml --packager deb --target "$out/restante_${VERSION}_$arch.deb"
done
(cd "$out" && sha256sum -- * >SHA256SUMS)
cat "$out/SHA256SUMS"
