package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testOutdated is what a release may have changed: a name, a place, and one setting
// that is no more; and what the release before it had changed.
var testOutdated = []outdatedSetting{
	{old: "limits.rcpts", now: "limits.recipients", since: "1.1"},
	{old: "operator", now: "policy.operator", since: "1.1"},
	{old: "limits.threads", since: "1.1"},
	{old: "limits.size", now: "limits.message_size", since: "1.0", refused: true},
	{old: "policy.color", since: "1.0", refused: true},
}

func TestOutdated(t *testing.T) {
	t.Parallel()
	const domain = "domain = \"relay.test\"\n"
	tests := []struct {
		name, text string
		warnings   []string // keys
		fault      string   // part of it, "" for none
		check      func(*Config) bool
	}{
		{"none", domain, nil, "", func(c *Config) bool { return c.Limits.Recipients == 100 }},
		{"renamed", domain + "[limits]\nrcpts = 7\n", []string{"limits.rcpts"}, "", func(c *Config) bool { return c.Limits.Recipients == 7 }},
		{"moved", domain + "operator = \"a@relay.test\"\n", []string{"operator"}, "", func(c *Config) bool { return c.Policy.Operator == "a@relay.test" }},
		{"gone", domain + "[limits]\nthreads = 3\nrecipients = 8\n", []string{"limits.threads"}, "", func(c *Config) bool { return c.Limits.Recipients == 8 }},
		{"both names", domain + "[limits]\nrcpts = 7\nrecipients = 8\n", nil, "limits.rcpts: limits.recipients says the same, since release 1.1; leave this out", nil},
		{"renamed, with a value that is wrong", domain + "[limits]\nrcpts = 0\n", nil, "limits.recipients: 0 is not possible", nil},
		{"renamed before", domain + "[limits]\nsize = \"1MB\"\n", nil, "limits.size: is called limits.message_size since release 1.0; write that", nil},
		{"gone before", domain + "[policy]\ncolor = \"red\"\n", nil, "policy.color: has no effect since release 1.0; leave it out", nil},
		{"no table", domain + "limits = 3\n", nil, "limits: write a table", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, err := parse(strings.NewReader(test.text), testOutdated)
			if test.fault != "" {
				if err == nil || !strings.Contains(err.Error(), test.fault) {
					t.Fatalf("got %v, want %q", err, test.fault)
				}
				return
			}
			if err != nil || !test.check(c) {
				t.Fatalf("got %+v, %v", c, err)
			}
			warnings, err := outdatedIn(strings.NewReader(test.text), testOutdated)
			if err != nil {
				t.Fatal(err)
			}
			var keys []string
			for _, w := range warnings {
				keys = append(keys, w.Key)
				if !strings.Contains(w.Problem, "since release 1.1") || !strings.HasSuffix(w.Problem, "the next release refuses it") {
					t.Errorf("got the warning %q", w.Problem)
				}
			}
			if diff := cmp.Diff(keys, test.warnings); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestOutdatedTable holds the table to the settings there are.
func TestOutdatedTable(t *testing.T) {
	t.Parallel()
	known := allKeys()
	for _, s := range outdated {
		if slices.Contains(known, s.old) {
			t.Errorf("%s is outdated, and there", s.old)
		}
		if s.now != "" && !slices.Contains(known, s.now) {
			t.Errorf("%s became %s, which is not there", s.old, s.now)
		}
		if s.since == "" {
			t.Errorf("%s does not say which release changed it", s.old)
		}
	}
}
