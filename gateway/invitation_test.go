package gateway

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

const (
	testPrint = "0123456789ABCDEF0123456789ABCDEF01234567"
	testAuth  = "AAAAAAAAAAAAAAAAAAAAAAAA"
)

func sameAddress(a, b addr.Address) bool { return a.String() == b.String() }

func TestParseInvitation(t *testing.T) {
	t.Parallel()
	alice := addr.MustParse("alice@relay.test")
	base := Invitation{Fingerprint: testPrint, Address: alice, Auth: testAuth}
	with := func(f func(*Invitation)) Invitation {
		i := base
		f(&i)
		return i
	}
	tests := []struct {
		name, link string
		want       Invitation
	}{
		{"the least", "https://i.delta.chat/#" + testPrint + "&s=" + testAuth + "&a=alice%40relay.test", base},
		{"in lower case, with blanks around", " https://I.delta.chat/#" + strings.ToLower(testPrint) + "&v=3&s=" + testAuth + "&a=alice%40relay.test\n", base},
		{"without the slash", "https://i.delta.chat#" + testPrint + "&v=3&s=" + testAuth + "&a=alice%40relay.test", base},
		{"with the sign encoded", "https://i.delta.chat/%23" + testPrint + "&v=3&s=" + testAuth + "&a=alice%40relay.test", base},
		{"as codes had it before", "OPENPGP4FPR:" + testPrint + "#v=3&s=" + testAuth + "&a=alice%40relay.test", base},
		{"and that encoded", "openpgp4fpr:" + testPrint + "%23v=3&s=" + testAuth + "&a=alice%40relay.test", base},
		{"with a name", "https://i.delta.chat/#" + testPrint + "&v=3&i=BBBBBBBBBBBB&s=" + testAuth + "&a=alice%40relay.test&n=Alice+%23A%0d%0aX",
			with(func(i *Invitation) { i.Name, i.Number = "Alice #A X", "BBBBBBBBBBBB" })},
		{"to a group", "https://i.delta.chat/#" + testPrint + "&v=3&x=CCCCCCCCCCCC&s=" + testAuth + "&a=alice%40relay.test&g=The+family",
			with(func(i *Invitation) { i.Group, i.GroupName = "CCCCCCCCCCCC", "The family" })},
		{"with more addresses", "https://i.delta.chat/#" + testPrint + "&v=3&s=" + testAuth + "&a=alice%40relay.test&r=a%40x.test,b%40x.test",
			with(func(i *Invitation) { i.More = []addr.Address{addr.MustParse("a@x.test"), addr.MustParse("b@x.test")} })},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseInvitation(tt.link)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got, tt.want, cmp.Comparer(sameAddress)); diff != "" {
				t.Errorf("got - want +\n%s", diff)
			}
			again, err := ParseInvitation(got.Link())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(again, got, cmp.Comparer(sameAddress)); diff != "" {
				t.Errorf("written and read again: got - want +\n%s", diff)
			}
			if code, err := got.QR(); err != nil || code.Size == 0 {
				t.Errorf("code of size %d, %v", code.Size, err)
			}
		})
	}
}

func TestParseInvitationRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"nothing":               "",
		"another link":          "https://example.org/#" + testPrint + "&v=3&s=" + testAuth + "&a=alice%40relay.test",
		"no secret":             "https://i.delta.chat/#" + testPrint + "&v=3&a=alice%40relay.test",
		"a secret with a blank": "https://i.delta.chat/#" + testPrint + "&v=3&s=AAAAAAAAAAAA+A&a=alice%40relay.test",
		"no address":            "https://i.delta.chat/#" + testPrint + "&v=3&s=" + testAuth,
		"half a fingerprint":    "https://i.delta.chat/#" + testPrint[:20] + "&v=3&s=" + testAuth + "&a=alice%40relay.test",
		"an old one":            "https://i.delta.chat/#" + testPrint + "&i=BBBBBBBBBBBB&s=" + testAuth + "&a=alice%40relay.test",
		"a channel":             "https://i.delta.chat/#" + testPrint + "&v=3&x=CCCCCCCCCCCC&j=BBBBBBBBBBBB&s=" + testAuth + "&a=alice%40relay.test&b=news",
		"a group with no name":  "https://i.delta.chat/#" + testPrint + "&v=3&x=CCCCCCCCCCCC&s=" + testAuth + "&a=alice%40relay.test",
		"too long":              "https://i.delta.chat/#" + testPrint + "&v=3&s=" + testAuth + "&a=alice%40relay.test&n=" + strings.Repeat("n", maxLink),
	}
	for name, link := range tests {
		if got, err := ParseInvitation(link); !errors.Is(err, ErrInvitation) {
			t.Errorf("%s: got %v, %v, want ErrInvitation", name, got, err)
		}
	}
}

// FuzzParseInvitation: what is read is fit for headers, and reads the same when it is
// written again.
func FuzzParseInvitation(f *testing.F) {
	f.Add("https://i.delta.chat/#" + testPrint + "&v=3&x=CCCCCCCCCCCC&i=BBBBBBBBBBBB&s=" + testAuth + "&a=alice%40relay.test&r=b%40x.test&n=A&g=G")
	f.Add("OPENPGP4FPR:" + testPrint + "#a=alice%40relay.test&s=" + testAuth + "&n=%E2%80%A8%0a")
	f.Fuzz(func(t *testing.T, link string) {
		i, err := ParseInvitation(link)
		if err != nil {
			return
		}
		if strings.ContainsAny(i.Name+i.GroupName+i.Auth+i.Group+i.Number+string(i.Fingerprint), "\r\n\x00") {
			t.Errorf("%q would break a header", i)
		}
		again, err := ParseInvitation(i.Link())
		if len(i.Link()) > maxLink {
			return // it was as long as can be, and names need more room encoded
		}
		if err != nil {
			t.Fatalf("%q, written again: %v", link, err)
		}
		if diff := cmp.Diff(again, i, cmp.Comparer(sameAddress)); diff != "" {
			t.Errorf("%q, written and read again: got - want +\n%s", link, diff)
		}
	})
}

func TestNewInvitation(t *testing.T) {
	t.Parallel()
	a := NewInvitation(addr.MustParse("alice@relay.test"), pgp.Fingerprint(testPrint), "Alice")
	b := NewInvitation(addr.MustParse("alice@relay.test"), pgp.Fingerprint(testPrint), "Alice")
	if len(a.Auth) != 24 || a.Auth == b.Auth || a.Number == a.Auth {
		t.Errorf("secrets %q and %q", a.Auth, b.Auth)
	}
	if got, want := string(a.secret()), "securejoin/"+testPrint+"/"+a.Auth; got != want {
		t.Errorf("got the secret %q, want %q", got, want)
	}
}
