//go:build e2e && linux

package e2e

import (
	"html"
	"regexp"
	"testing"
)

// tags are what stands between the words of a page.
var tags = regexp.MustCompile(`(?s)<style>.*?</style>|<[^>]*>`)

// TestDeltaChatQuota: Delta Chat's view of its connections shows how much of the account's
// room is used.
func TestDeltaChatQuota(t *testing.T) {
	t.Parallel()
	r, _ := serveOne(t)
	alice := newCore(t).device(r, r.Accounts[0])
	var view string
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(view)
		}
	})
	eventually(t, "Delta Chat shows the quota", func() bool {
		var page string
		alice.call(&page, "get_connectivity_html", alice.id)
		view = html.UnescapeString(tags.ReplaceAllString(page, " "))
		return regexp.MustCompile(`\d+(\.\d+)? \w+ of \d+(\.\d+)? [MG]i?B used`).MatchString(view)
	})
}
