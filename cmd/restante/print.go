package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// printTable prints names and values, the values aligned.
func printTable(w io.Writer, rows [][2]string) {
	width := 0
	for _, r := range rows {
		width = max(width, len(r[0]))
	}
	for _, r := range rows {
		fmt.Fprintf(w, "%-*s  %s\n", width, r[0], r[1])
	}
}

// printColumns prints rows of equally many cells, aligned.
func printColumns(w io.Writer, rows [][]string) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(tw, strings.Join(r, "\t"))
	}
	tw.Flush()
}

// sizeString gives bytes in the unit that keeps them short.
func sizeString(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB"}
	v, i := float64(n), 0
	for v >= 1000 && i < len(units)-1 {
		v, i = v/1000, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}

// counted says how many there are of a thing.
func counted[T int | int64](n T, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// ofQuota says how much of a bound is used; a bound of zero is none.
func ofQuota(used string, bound int64, boundText string) string {
	if bound == 0 {
		return used + ", no limit"
	}
	return used + " of " + boundText
}
