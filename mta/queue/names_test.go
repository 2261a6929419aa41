package queue

import (
	"errors"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNames: the resolver answers as net.Resolver does.
func TestNames(t *testing.T) {
	t.Parallel()
	z := newZone(t, `text.example. TXT "v=spf1 " "-all"`, `text.example. TXT "other"`, "text.example. MX 10 mail.example.",
		"mail.example. A 192.0.2.1", "mail.example. AAAA 2001:db8::1", "1.2.0.192.in-addr.arpa. PTR mail.example.")
	z.change(func() { z.broken["broken.example."] = true })
	r := z.resolver(t)
	ctx := t.Context()

	texts, err := r.LookupTXT(ctx, "text.example")
	if diff := cmp.Diff([]string{"v=spf1 -all", "other"}, texts); diff != "" || err != nil {
		t.Errorf("texts, with %v: %s", err, diff)
	}
	mx, err := r.LookupMX(ctx, "text.example")
	if diff := cmp.Diff([]*net.MX{{Host: "mail.example.", Pref: 10}}, mx); diff != "" || err != nil {
		t.Errorf("servers, with %v: %s", err, diff)
	}
	addresses, err := r.LookupIPAddr(ctx, "mail.example")
	if len(addresses) != 2 || addresses[0].String() != "192.0.2.1" || addresses[1].String() != "2001:db8::1" || err != nil {
		t.Errorf("addresses: got %v and %v", addresses, err)
	}
	names, err := r.LookupAddr(ctx, "192.0.2.1")
	if diff := cmp.Diff([]string{"mail.example."}, names); diff != "" || err != nil {
		t.Errorf("names, with %v: %s", err, diff)
	}
	if texts, err := r.LookupTXT(ctx, "mail.example"); len(texts) > 0 || err != nil {
		t.Errorf("a name without texts: got %q and %v", texts, err)
	}
}

// TestNamesUnknown: what is not there is told from what can't be asked, and the
// error has no name in it.
func TestNamesUnknown(t *testing.T) {
	t.Parallel()
	z := newZone(t)
	z.change(func() { z.broken["broken.example."] = true })
	r := z.resolver(t)
	for name, found := range map[string]bool{"none.example": true, "broken.example": false} {
		_, texts := r.LookupTXT(t.Context(), name)
		_, servers := r.LookupMX(t.Context(), name)
		_, addresses := r.LookupIPAddr(t.Context(), name)
		for _, err := range []error{texts, servers, addresses} {
			var known *net.DNSError
			if !errors.As(err, &known) || known.IsNotFound != found || known.IsTemporary == found || known.Name != "" {
				t.Errorf("%s: got %#v", name, err)
			}
		}
	}
	if _, err := r.LookupAddr(t.Context(), "not an address"); err == nil {
		t.Error("no error for what is not an address")
	}
}
