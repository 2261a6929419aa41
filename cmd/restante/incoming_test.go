//go:build linux

package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/restante/restante/mta/queue"
)

// TestKeysOverHTTP: other relays find our DKIM keys where they look for those of an
// onion service.
func TestKeysOverHTTP(t *testing.T) {
	t.Parallel()
	r := newCountry(t, "here.test").relays["here.test"]
	records, err := r.dkim.keys.Load().Records()
	if err != nil || len(records) != 2 {
		t.Fatalf("%d keys, %v", len(records), err)
	}
	for _, record := range records {
		selector, _, _ := strings.Cut(record.Name, ".")
		answer, err := http.Get("http://" + r.ready().HTTP + queue.KeyPath + selector)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || strings.TrimSpace(string(text)) != record.Value {
			t.Errorf("%s: got %d, %q and %v", selector, answer.StatusCode, text, err)
		}
	}
}
