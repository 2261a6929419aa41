package config

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// An outdatedSetting is one of an earlier release that has another name now, or is gone.
type outdatedSetting struct {
	old   string // key in full
	now   string // key in full, "" if nothing took its place
	since string // the release that changed it

	// refused is set in the release after that one. Until then the old name works, or
	// is passed over, with a warning: nobody's relay stays down after an upgrade.
	refused bool
}

// outdated has the settings that were renamed or removed. Whoever changes one adds a
// line; whoever makes the next release sets refused.
var outdated = []outdatedSetting{}

// Outdated returns the settings in the file at path that were renamed or removed, each
// with what to write instead. They work in this release, and are faults in the next.
func Outdated(path string) ([]Fault, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	defer f.Close()
	return outdatedIn(f, outdated)
}

func outdatedIn(r io.Reader, settings []outdatedSetting) ([]Fault, error) {
	table, err := parseTable(r)
	if err != nil {
		return nil, err
	}
	warnings, _ := renew(table, settings)
	return warnings, nil
}

// renew puts the values of outdated settings where they belong now. It returns what to
// warn of, and what can't be.
func renew(table map[string]any, settings []outdatedSetting) (warnings, faults []Fault) {
	for _, s := range settings {
		value, found := takeKey(table, s.old)
		switch {
		case !found:
		case s.refused:
			faults = append(faults, Fault{s.old, s.advice()})
		case s.now == "" || putKey(table, s.now, value):
			warnings = append(warnings, Fault{s.old, s.advice() + "; the next release refuses it"})
		default:
			faults = append(faults, Fault{s.old, fmt.Sprintf("%s says the same, since release %s; leave this out", s.now, s.since)})
		}
	}
	return warnings, faults
}

func (s outdatedSetting) advice() string {
	if s.now == "" {
		return fmt.Sprintf("has no effect since release %s; leave it out", s.since)
	}
	return fmt.Sprintf("is called %s since release %s; write that", s.now, s.since)
}

// takeKey takes a setting out of nested tables.
func takeKey(table map[string]any, key string) (any, bool) {
	for {
		first, rest, nested := strings.Cut(key, ".")
		value, found := table[first]
		if !nested || !found {
			delete(table, key)
			return value, found
		}
		if table, found = value.(map[string]any); !found {
			return nil, false
		}
		key = rest
	}
}

// putKey puts a setting into nested tables, which are made where there are none. It
// refuses to overwrite one.
func putKey(table map[string]any, key string, value any) bool {
	for {
		first, rest, nested := strings.Cut(key, ".")
		have, found := table[first]
		if !nested {
			if !found {
				table[key] = value
			}
			return !found
		}
		if !found {
			have = map[string]any{}
			table[first] = have
		}
		if table, found = have.(map[string]any); !found {
			return false
		}
		key = rest
	}
}
