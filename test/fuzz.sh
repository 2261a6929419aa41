#!/bin/sh
# Runs every fuzz target of the module for the given time, one after another,
# and says how many there were. Stops at the first that finds something.
set -eu
time=${1:-10s}
n=0
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cache=$(go env GOCACHE)/fuzz
module=$(go list -m)

run() (
	cd "$1"
	"$dir/test" -test.run '^$' -test.fuzz "^$2\$" -test.fuzztime "$time" -test.fuzzminimizetime 1x -test.fuzzcachedir "$cache/$module/$1" >"$dir/log" 2>&1 || { cat "$dir/log"; return 1; }
)

for pkg in $(git ls-files '*_test.go' | xargs grep -l '^func Fuzz' | xargs -n1 dirname | sort -u); do
	# One binary for all targets of a package: to link it takes longer than most of them.
	go test -c -fuzz=Fuzz -o "$dir/test" "./$pkg"
	for target in $(grep -h '^func Fuzz' "$pkg"/*_test.go | sed 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/' | sort -u); do
		echo "fuzz $pkg $target $time"
		# The engine sometimes fails with no finding when the time is up in the
		# midst of a slow run: once more then.
		run "$pkg" "$target" || { grep -q 'Failing input' "$dir/log" && exit 1; run "$pkg" "$target" || exit 1; }
		n=$((n + 1))
	done
done
[ "$n" -gt 0 ] || { echo "no fuzz targets found" >&2; exit 1; }
echo "fuzz: $n targets passed"
