package provider

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
)

var comparable = cmp.Comparer(func(a, b addr.Address) bool { return a == b })

func TestParse(t *testing.T) {
	t.Parallel()
	alice := addr.MustParse("alice@relay.example")
	servers := func(in, out Server) *Servers { return &Servers{IMAP: in, SMTP: out} }
	for _, c := range []struct {
		name, text string
		want       Code
	}{
		{"an address", " alice@relay.example\n", Code{Address: alice}},
		{"dcaccount with a link", "dcaccount:https://relay.example/new", Code{SignUp: &SignUp{URL: "https://relay.example/new", Host: "relay.example"}}},
		{"scanners shout", "DCACCOUNT:https://relay.example:8443/new", Code{SignUp: &SignUp{URL: "https://relay.example:8443/new", Host: "relay.example:8443"}}},
		{"dcaccount with a host", "dcaccount:relay.example", Code{SignUp: &SignUp{Host: "relay.example"}}},
		{"a relay's page", "https://relay.example/", Code{SignUp: &SignUp{URL: "https://relay.example/new", Host: "relay.example"}}},
		{"a page and a token", "https://relay.example/join#token=abc", Code{SignUp: &SignUp{URL: "https://relay.example/new", Host: "relay.example", Token: "abc"}}},
		{"dclogin, servers to be found", "dclogin:alice@relay.example?p=geheim%21&v=1", Code{Login: &Login{Address: alice, Password: "geheim!"}}},
		{"dclogin with slashes", "dclogin://alice@relay.example/?p=x&v=1", Code{Login: &Login{Address: alice, Password: "x"}}},
		{"dclogin of our relay", "dclogin:alice@relay.example?ic=3&ih=127.0.0.1&ip=9993&is=ssl&p=x&sh=127.0.0.1&sp=9465&ss=ssl&v=1",
			Code{Login: &Login{Address: alice, Password: "x", Servers: servers(Server{"127.0.0.1", 9993, false}, Server{"127.0.0.1", 9465, false})}}},
		{"dclogin with STARTTLS", "dclogin:alice@relay.example?ih=i&is=starttls&p=x&sh=s&ss=starttls&v=1",
			Code{Login: &Login{Address: alice, Password: "x", Servers: servers(Server{"i", 143, true}, Server{"s", 587, true})}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := Parse(c.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got, c.want, comparable); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, say string }{
		{"nothing", "", "no address"},
		{"a word", "hello", "no address"},
		{"no TLS", "http://relay.example/new", "without TLS"},
		{"no TLS in the code", "dcaccount:http://relay.example/new", "a host or an https link"},
		{"a mail server without TLS", "dclogin:a@b.example?ih=i&is=plain&sh=s&p=secret&v=1", "without TLS"},
		{"half the servers", "dclogin:a@b.example?ih=i&p=secret&v=1", "not the other"},
		{"no password", "dclogin:a@b.example?v=1", "password"},
		{"a version of the future", "dclogin:a@b.example?p=secret&v=2", "version 1"},
		{"a port out of range", "dclogin:a@b.example?ih=i&ip=70000&sh=s&p=secret&v=1", "port"},
		{"a user in the link", "https://a:secret@relay.example/", "no host"},
		{"too long", strings.Repeat("a", 5000), "too long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse(c.text)
			if err == nil || !strings.Contains(err.Error(), c.say) {
				t.Errorf("got %v, want it to say %q", err, c.say)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
	for _, link := range []string{"https://i.delta.chat/#ABC&a=b%40c", "OPENPGP4FPR:ABCD#a=b"} {
		if _, err := Parse(link); !errors.Is(err, ErrContactLink) {
			t.Errorf("%s: got %v, want ErrContactLink", link, err)
		}
	}
}

func TestParseServer(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Server{
		"mail.example.org":     {"mail.example.org", 993, false},
		"mail.example.org:143": {"mail.example.org", 143, true},
		"[::1]:9993":           {"::1", 9993, false},
		"":                     {},
		"host:0":               {},
		"host:x":               {},
	} {
		got, err := ParseServer(text, 993)
		if got != want || (err == nil) != (want != Server{}) {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
}

// FuzzParse: a code that is accepted names exactly one thing, and nothing without TLS.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"a@b.example", "dcaccount:relay.example", "dcaccount:https://r.example/new",
		"dclogin:a@b.example?p=x&v=1&ih=i&sh=s", "https://r.example/#token=t", "OPENPGP4FPR:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		n := 0
		if c.SignUp != nil {
			n++
			if c.SignUp.URL != "" && !strings.HasPrefix(c.SignUp.URL, "https://") {
				t.Errorf("%q: signs up at %q", text, c.SignUp.URL)
			}
		}
		if c.Login != nil {
			n++
			if c.Login.Password == "" || c.Login.Address.IsZero() {
				t.Errorf("%q: half a login", text)
			}
		}
		if !c.Address.IsZero() {
			n++
		}
		if n != 1 {
			t.Errorf("%q: %d things at once", text, n)
		}
	})
}
