package web

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/restante/restante/internal/addr"
)

// FuzzAutodiscover: whatever is posted, the answer is XML of our own, and repeats
// nothing but an address of this relay.
func FuzzAutodiscover(f *testing.F) {
	f.Add(`<Autodiscover><Request><EMailAddress>joe@example.org</EMailAddress></Request></Autodiscover>`)
	f.Add(`<Autodiscover><Request><EMailAddress>&lt;x&gt;"@example.org</EMailAddress></Request></Autodiscover>`)
	f.Add(`<a><b>`)
	f.Add(`<?xml version="1.0"?><!DOCTYPE x [<!ENTITY y "z">]><Autodiscover><Request>&y;</Request></Autodiscover>`)
	s := &Server{domain: "example.org", o: Options{Hostname: "mail.example.org", Ports: Ports{IMAPS: 993, SMTPS: 465}}}
	f.Fuzz(func(t *testing.T, body string) {
		answer := s.discover(strings.NewReader(body))
		if _, err := xml.Marshal(answer); err != nil {
			t.Fatal(err)
		}
		if answer.Response.Account == nil {
			return
		}
		for _, p := range answer.Response.Account.Protocols {
			if !s.serves(p.Login) || p.Server != "mail.example.org" {
				t.Errorf("%q is answered with login %q", body, p.Login)
			}
		}
	})
}

// FuzzWKD: what is asked for is a hash in the directory's alphabet and a domain in
// canonical form, whatever the path.
func FuzzWKD(f *testing.F) {
	f.Add("hu/iy9q119eutrkn8s1mk4r39qejnbu3n5q")
	f.Add("example.org/hu/iy9q119eutrkn8s1mk4r39qejnbu3n5q")
	f.Add("example.org/policy")
	f.Add("../hu//policy")
	f.Fuzz(func(t *testing.T, path string) {
		q, ok := parseWKD(path)
		if !ok {
			if q != (wkdRequest{}) {
				t.Errorf("%q: no request, but %+v", path, q)
			}
			return
		}
		canonical := "policy"
		if q.hash != "" {
			canonical = "hu/" + q.hash
		}
		if q.domain != "" {
			canonical = q.domain + "/" + canonical
		}
		if again, ok := parseWKD(canonical); !ok || again != q {
			t.Errorf("%q is %+v, and %q is %+v", path, q, canonical, again)
		}
		if q.hash != "" && !addr.IsWKDHash(q.hash) {
			t.Errorf("%q has the hash %q", path, q.hash)
		}
	})
}
