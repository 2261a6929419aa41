package main

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzSheet: what a sheet says is read as it was printed, whatever stands around it.
func FuzzSheet(f *testing.F) {
	f.Add("a@b.example", "secret", "r1-abcd", "noise")
	f.Add("a@b.example", "two  words", "r1-abcd", "  Address  other@b.example")
	f.Fuzz(func(t *testing.T, address, password, code, noise string) {
		want := sheet{Address: address, Password: password, IMAP: "i:993", SMTP: "s:465", Proxy: "socks5h://127.0.0.1:9050", Code: code}
		for _, s := range []string{address, password, code} {
			if s != strings.TrimSpace(s) || s == "" || strings.ContainsAny(s, "\r\n") {
				return // no sheet says so
			}
		}
		var b bytes.Buffer
		b.WriteString(noise + "\n")
		want.print(&b)
		if b.Len() > maxSheet {
			return
		}
		got, err := parseSheet(&b)
		if got.User = ""; err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	})
}
