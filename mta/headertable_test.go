package mta

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestHeaderTable holds the table of fields in docs/threat-model.md to what is kept.
func TestHeaderTable(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "| field | what of it |\n")
	if !found {
		t.Fatal("there is no table of fields")
	}
	table, _, _ := strings.Cut(rest, "\n\n")
	var got []string
	for row := range strings.Lines(table) {
		names := strings.Split(row, "|")[1]
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(names, -1) {
			got = append(got, strings.ToLower(name[1]))
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(got, slices.Sorted(maps.Keys(strictRules))); diff != "" {
		t.Errorf("in the table - kept +\n%s", diff)
	}
}
