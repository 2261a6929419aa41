#!/bin/sh
# Runs every fuzz target of the module for the given time, one after another,
# and says how many there were. Stops at the first that finds something.
set -eu
time=${1:-10s}
n=0
for dir in $(git ls-files '*_test.go' | xargs grep -l '^func Fuzz' | xargs -n1 dirname | sort -u); do
	for target in $(grep -h '^func Fuzz' "$dir"/*_test.go | sed 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/' | sort -u); do
		echo "fuzz $dir $target $time"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 1x "./$dir"
		n=$((n + 1))
	done
done
[ "$n" -gt 0 ] || { echo "no fuzz targets found" >&2; exit 1; }
echo "fuzz: $n targets passed"
