package scram

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/xdg-go/scram"
)

// TestStandard is the example of RFC 7677, 3.
func TestStandard(t *testing.T) {
	t.Parallel()
	salt, err := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	if err != nil {
		t.Fatal(err)
	}
	keys, client, err := Derive("pencil", salt, 4096)
	if err != nil {
		t.Fatal(err)
	}
	x := &Exchange{nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"}
	user, err := x.Begin([]byte("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"))
	if user != "user" || err != nil {
		t.Fatalf("got %q and %v", user, err)
	}
	const first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
	if got := string(x.Challenge(salt, 4096)); got != first {
		t.Errorf("got %s", got)
	}
	final := "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
	if err := x.Finish([]byte(final)); err != nil {
		t.Fatal(err)
	}
	if key, ok := x.Prove(keys); !ok || key != client {
		t.Errorf("the proof is not good: %v", ok)
	}
	if got := string(x.Signature(keys)); got != "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" {
		t.Errorf("got %s", got)
	}
	keys.Stored[0] ^= 1
	if _, ok := x.Prove(keys); ok {
		t.Error("the proof is good for other keys")
	}
}

// converse logs in with another implementation's client.
func converse(t *testing.T, o Options, c *scram.ClientConversation, password string) error {
	t.Helper()
	salt := bytes.Repeat([]byte{5}, SaltSize)
	keys, _, err := Derive(password, salt, Iterations)
	if err != nil {
		t.Fatal(err)
	}
	x := New(o)
	message, err := c.Step("")
	if err != nil {
		t.Fatal(err)
	}
	user, err := x.Begin([]byte(message))
	if err != nil {
		return err
	}
	if user != "anna=,bert@here.example" {
		t.Errorf("got user %q", user)
	}
	if message, err = c.Step(string(x.Challenge(salt, Iterations))); err != nil {
		t.Fatal(err)
	}
	if err := x.Finish([]byte(message)); err != nil {
		return err
	}
	if _, ok := x.Prove(keys); !ok {
		return errWrong
	}
	if _, err := c.Step(string(x.Signature(keys))); err != nil || !c.Valid() {
		t.Errorf("the client does not believe the server: %v", err)
	}
	return nil
}

var errWrong = errors.New("wrong password")

func TestOtherClient(t *testing.T) {
	t.Parallel()
	binding, other := bytes.Repeat([]byte{1}, ExporterSize), bytes.Repeat([]byte{2}, ExporterSize)
	bound := func(data []byte) func(*scram.Client) *scram.ClientConversation {
		return func(c *scram.Client) *scram.ClientConversation {
			return c.NewConversationWithChannelBinding(scram.ChannelBinding{Type: scram.ChannelBindingTLSExporter, Data: data})
		}
	}
	for _, test := range []struct {
		name     string
		options  Options
		client   func(*scram.Client) *scram.ClientConversation
		password string
		want     error
	}{
		{"plain", Options{}, (*scram.Client).NewConversation, "pencil", nil},
		{"plain, where binding is offered", Options{Offered: true, Binding: binding}, (*scram.Client).NewConversation, "pencil", nil},
		{"wrong password", Options{}, (*scram.Client).NewConversation, "pen", errWrong},
		{"bound", Options{Plus: true, Binding: binding}, bound(binding), "pencil", nil},
		{"bound to another connection", Options{Plus: true, Binding: binding}, bound(other), "pencil", ErrBinding},
		{"bound, without the mechanism", Options{Binding: binding}, bound(binding), "pencil", ErrBinding},
		{"the offer was taken out", Options{Offered: true, Binding: binding}, (*scram.Client).NewConversationAdvertisingChannelBinding, "pencil", ErrBinding},
		{"there was no offer", Options{Binding: binding}, (*scram.Client).NewConversationAdvertisingChannelBinding, "pencil", nil},
		{"bound, where there is nothing to bind to", Options{Plus: true}, bound(binding), "pencil", ErrBinding},
		{"not bound, with the mechanism", Options{Plus: true, Binding: binding}, (*scram.Client).NewConversation, "pencil", ErrSyntax},
	} {
		client, err := scram.SHA256.NewClient("anna=,bert@here.example", "pencil", "")
		if err != nil {
			t.Fatal(err)
		}
		if err := converse(t, test.options, test.client(client), test.password); err != test.want {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
	}
}

func TestFirstMessages(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]error{
		"n,,n=anna,r=x":            nil,
		"n,a=anna,n=anna,r=x":      nil,
		"n,,n=anna,r=x,ext=1":      nil,
		"n,a=bert,n=anna,r=x":      ErrSyntax,
		"n,,m=must,n=anna,r=x":     ErrSyntax,
		"n,,n=,r=x":                ErrSyntax,
		"n,,n=an=na,r=x":           ErrSyntax,
		"n,,n=anna,r=":             ErrSyntax,
		"n,,n=anna,r=a b":          ErrSyntax,
		"n,,n=anna":                ErrSyntax,
		"n,n=anna":                 ErrSyntax,
		"":                         ErrSyntax,
		"x,,n=anna,r=x":            ErrSyntax,
		"p=tls-unique,,n=anna,r=x": ErrBinding,
		"n,,n=" + strings.Repeat("a", maxMessage): ErrSyntax,
	} {
		if _, err := New(Options{}).Begin([]byte(message)); err != want {
			t.Errorf("%.40q: got %v, want %v", message, err, want)
		}
	}
}

func TestFinalMessages(t *testing.T) {
	t.Parallel()
	proof := ",p=" + base64.StdEncoding.EncodeToString(make([]byte, KeySize))
	for message, want := range map[string]error{
		"c=biws,r=xS" + proof:                     nil,
		"c=biws,r=xS,ext=1" + proof:               nil,
		"c=biws,r=x" + proof:                      ErrSyntax,
		"r=xS,c=biws" + proof:                     ErrSyntax,
		"c=?,r=xS" + proof:                        ErrSyntax,
		"c=eSws,r=xS" + proof:                     ErrBinding,
		"c=biws,r=xS,p=AAAA":                      ErrSyntax,
		"c=biws,r=xS,p=?":                         ErrSyntax,
		"c=biws,r=xS":                             ErrSyntax,
		"c=biws,r=xS" + strings.Repeat(",", 5000): ErrSyntax,
		"c=biws" + proof:                          ErrSyntax,
	} {
		x := &Exchange{nonce: "S"}
		if _, err := x.Begin([]byte("n,,n=anna,r=x")); err != nil {
			t.Fatal(err)
		}
		if err := x.Finish([]byte(message)); err != want {
			t.Errorf("%.40q: got %v, want %v", message, err, want)
		}
	}
}

// FuzzExchange: whatever a client sends, a message that was taken says who it is
// from, and proves nothing about keys that it did not have.
func FuzzExchange(f *testing.F) {
	f.Add([]byte("n,,n=anna,r=x"), []byte("c=biws,r=xS,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), false)
	f.Add([]byte("p=tls-exporter,a=anna,n=anna,r=x"), []byte("c=,r=,p="), true)
	f.Fuzz(func(t *testing.T, first, final []byte, plus bool) {
		x := &Exchange{nonce: "S", o: Options{Plus: plus, Binding: []byte("binding")}}
		user, err := x.Begin(first)
		if err != nil {
			return
		}
		if user == "" || x.header+x.first != string(first) {
			t.Errorf("got %q from %q", user, first)
		}
		x.Challenge([]byte("salt"), Iterations)
		if err := x.Finish(final); err != nil {
			return
		}
		if !strings.HasPrefix(string(final), x.final+",p=") {
			t.Errorf("got %q from %q", x.final, final)
		}
		if _, ok := x.Prove(Keys{Stored: [KeySize]byte{1}}); ok {
			t.Error("proven without the password")
		}
	})
}
