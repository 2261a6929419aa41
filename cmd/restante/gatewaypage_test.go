//go:build unix

package main

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// usePage presses a button of a gateway's page, or with "-" only looks at it, and writes
// what it shows to a file: `page READYFILE ACTION FILE [NAME=VALUE]`.
func usePage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 4 {
		ts.Fatalf("usage: page READYFILE ACTION FILE [NAME=VALUE]")
	}
	form := url.Values{}
	if len(args) == 4 {
		var err error
		form, err = url.ParseQuery(args[3])
		ts.Check(err)
	}
	client := http.Client{Timeout: time.Minute}
	at := gatewayAt(ts, args[0]).Page
	var resp *http.Response
	var err error
	if args[1] == "-" {
		resp, err = client.Get(at)
	} else {
		resp, err = client.PostForm(at+args[1], form)
	}
	ts.Check(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), b, 0o600))
}
