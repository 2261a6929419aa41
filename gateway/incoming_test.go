package gateway

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/pgp"
)

// reading is an opener with contacts of its own.
type reading struct {
	*opener
	me  addr.Address
	key *pgp.Key
}

func newReading(t *testing.T) *reading {
	t.Helper()
	v, _ := newVault(t)
	me, key := generate(t, "me@x.test")
	own := &identities{main: &Identity{Address: me, Current: key}}
	r := &opener{own: func() *identities { return own }, contacts: NewContacts(v), threads: &threads{vault: v}, dir: t.TempDir(), now: time.Now}
	r.joins = &joiner{vault: v, contacts: r.contacts, own: r.own, now: r.now}
	if err := r.joins.load(); err != nil {
		t.Fatal(err)
	}
	var err error
	if r.groups, err = openGroups(v, me); err != nil {
		t.Fatal(err)
	}
	return &reading{r, me, key}
}

// read opens a mail and returns what the user's client gets.
func (r *reading) read(t *testing.T, mail string) (Verdict, string) {
	t.Helper()
	raw := newSpool(t.TempDir())
	if _, err := io.WriteString(raw, mail); err != nil {
		t.Fatal(err)
	}
	if err := raw.finish(); err != nil {
		t.Fatal(err)
	}
	defer raw.close()
	digest, err := digestOf(raw)
	if err != nil {
		t.Fatal(err)
	}
	o, err := r.open(raw, digest)
	if err != nil {
		t.Fatal(err)
	}
	defer o.close()
	shown, err := io.ReadAll(o.page.reader())
	if err != nil {
		t.Fatal(err)
	}
	return o.Verdict, string(shown)
}

// letter says how a mail to the reader is made.
type testMail struct {
	from, inner string      // From outside and inside
	key         *pgp.Key    // signs
	to          []*pgp.Cert // readers besides
	autocrypt   *pgp.Key    // in the header inside
	fields      []pgp.Field // further ones inside
	date        time.Time
}

func (r *reading) compose(t *testing.T, m testMail) string {
	t.Helper()
	if m.inner == "" {
		m.inner = "<" + m.from + ">"
	}
	if m.date.IsZero() {
		m.date = time.Now()
	}
	header := []pgp.Field{
		{Name: "From", Value: m.inner}, {Name: "To", Value: "<me@x.test>, <carol@x.test>"}, {Name: "Subject", Value: "the subject"},
		{Name: "Date", Value: m.date.UTC().Format(time.RFC1123Z)}, {Name: "Message-ID", Value: "<m@x.test>"},
	}
	if m.autocrypt != nil {
		value, err := pgp.Autocrypt{Addr: addr.MustParse(m.from), Cert: m.autocrypt.Cert()}.Value()
		if err != nil {
			t.Fatal(err)
		}
		header = append(header, pgp.Field{Name: "Autocrypt", Value: value})
	}
	var mail bytes.Buffer
	err := m.key.Compose(&mail, pgp.Draft{
		From: addr.MustParse(m.from), Header: append(header, m.fields...), Certs: append(m.to, r.key.Cert()),
		Entity: strings.NewReader("Content-Type: text/plain; charset=utf-8\r\n\r\nthe text\r\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return mail.String()
}

// unsigned is a mail that anybody could have encrypted.
func (r *reading) unsigned(t *testing.T, from string) string {
	t.Helper()
	var armor bytes.Buffer
	w, err := pgp.EncryptTo(&armor, []*pgp.Cert{r.key.Cert()}, pgp.EncryptOptions{})
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "Content-Type: text/plain\r\n\r\nthe text\r\n")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return "From: <" + from + ">\r\nTo: <me@x.test>\r\nSubject: the subject\r\nDate: Mon, 23 Nov 2026 09:00:00 +0000\r\n" +
		"X-Restante-Status: good\r\nMIME-Version: 1.0\r\nContent-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b\r\n\r\n" +
		"--b\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\n" +
		armor.String() + "\r\n--b--\r\n"
}

// TestVerdicts reads a mail of each kind and looks at what the user is shown.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	_, bob := generate(t, "bob@x.test")
	_, other := generate(t, "bob@x.test")
	_, carol := generate(t, "carol@x.test")
	_, eve := generate(t, "eve@x.test")
	forged := []pgp.Field{
		{Name: "X-Restante-Status", Value: "own"}, {Name: "x-restante-id", Value: "0"},
		{Name: "Authentication-Results", Value: "restante.localhost; x-openpgp=pass"},
	}
	const bobs = "bob@x.test"
	tests := []struct {
		name  string
		known []*pgp.Key // pinned for Bob, and proposed if there are two
		mail  func(*reading) string
		want  Verdict
		text  string
	}{
		{"good", []*pgp.Key{bob}, func(r *reading) string { return r.compose(t, testMail{from: bobs, key: bob}) },
			Verdict{State: Good, Standing: Pinned, Signer: bob.Fingerprint()}, "the text"},
		{"with forged fields", []*pgp.Key{bob}, func(r *reading) string { return r.compose(t, testMail{from: bobs, key: bob, fields: forged}) },
			Verdict{State: Good, Standing: Pinned, Signer: bob.Fingerprint()}, "the text"},
		{"the first", nil, func(r *reading) string { return r.compose(t, testMail{from: bobs, key: bob, autocrypt: bob}) },
			Verdict{State: NewKey, Standing: Pinned, Signer: bob.Fingerprint()}, "the text"},
		{"by the user", nil, func(r *reading) string { return r.compose(t, testMail{from: "me@x.test", key: r.key}) },
			Verdict{State: Own, Standing: Verified}, "the text"},
		{"by an unknown key", nil, func(r *reading) string { return r.compose(t, testMail{from: bobs, key: bob}) },
			Verdict{State: UnknownKey}, "the text"},
		{"by another key", []*pgp.Key{bob}, func(r *reading) string { return r.compose(t, testMail{from: bobs, key: other, autocrypt: other}) },
			Verdict{State: KeyChanged, Standing: Changed, Signer: other.Fingerprint()}, "the text"},
		{"by a key that others brought", []*pgp.Key{bob}, func(r *reading) string { return r.compose(t, testMail{from: bobs, key: eve, autocrypt: eve}) },
			Verdict{State: KeyChanged, Standing: Changed, Signer: eve.Fingerprint()}, "the text"},
		{"in another's name inside", []*pgp.Key{bob}, func(r *reading) string { return r.compose(t, testMail{from: bobs, inner: "<carol@x.test>", key: bob}) },
			Verdict{State: WrongSender, Signer: bob.Fingerprint()}, "the text"},
		{"in the user's name", []*pgp.Key{bob}, func(r *reading) string { return r.compose(t, testMail{from: bobs, inner: "<me@x.test>", key: bob}) },
			Verdict{State: WrongSender, Signer: bob.Fingerprint()}, "the text"},
		{"from two", []*pgp.Key{bob}, func(r *reading) string {
			return r.compose(t, testMail{from: bobs, inner: "<bob@x.test>, <carol@x.test>", key: bob})
		}, Verdict{State: WrongSender, Signer: bob.Fingerprint()}, "the text"},
		{"unsigned", []*pgp.Key{bob}, func(r *reading) string { return r.unsigned(t, bobs) },
			Verdict{State: NotSigned, Outside: true}, "the text"},
		{"in clear", []*pgp.Key{bob}, func(*reading) string {
			return "From: bob@x.test\r\nSubject: the subject\r\nX-Restante-Status: good\r\nAuthentication-Results: restante.localhost; x-openpgp=pass\r\n\r\nthe text\r\n"
		}, Verdict{State: Cleartext}, "the text"},
		{"to somebody else", []*pgp.Key{bob}, func(r *reading) string {
			return strings.Replace((&reading{key: carol}).compose(t, testMail{from: bobs, key: bob}), "Subject: [...]", "Subject: the subject", 1)
		}, Verdict{State: Unreadable}, "no key at hand"},
		{"damaged", []*pgp.Key{bob}, func(r *reading) string {
			mail := r.compose(t, testMail{from: bobs, key: bob})
			end := strings.Index(mail, "\r\n-----END")
			return strings.Replace(mail[:end-200]+strings.Repeat("A", 40)+mail[end-160:], "[...]", "the subject", 1)
		}, Verdict{State: DamagedState}, "damaged"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newReading(t)
			for i, k := range tt.known {
				a := addr.MustParse(bobs)
				if _, err := r.contacts.Update(a, func(p Peer) (Peer, Event) {
					return p.See(a, Sighting{Date: day(i), Cert: k.Cert(), Signer: k.Fingerprint()})
				}); err != nil {
					t.Fatal(err)
				}
				if err := r.contacts.Welcome(a); err != nil {
					t.Fatal(err)
				}
			}
			got, shown := r.read(t, tt.mail(r))
			if tt.want.State == Own {
				tt.want.Signer = r.key.Fingerprint()
			}
			if diff := cmp.Diff(got, tt.want); diff != "" {
				t.Fatalf("got - want +\n%s", diff)
			}
			checkShown(t, shown, tt.want, tt.text)
		})
	}
}

// checkShown holds what the client gets to the verdict.
func checkShown(t *testing.T, shown string, v Verdict, text string) {
	t.Helper()
	m, err := mime.Walk(strings.NewReader(shown), mime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for f := range mime.Fields(m.Root.Header) {
		counts[strings.ToLower(f.Name)]++
	}
	for _, name := range []string{"x-restante-status", "x-restante-id", "authentication-results", "from", "subject", "mime-version"} {
		if counts[name] != 1 {
			t.Errorf("%d fields %s in:\n%s", counts[name], name, shown)
		}
	}
	if want := "X-Restante-Status: " + v.State.String(); !strings.HasPrefix(shown, want) {
		t.Errorf("it does not begin with %q:\n%s", want, shown)
	}
	pass := strings.Contains(shown, "x-openpgp=pass")
	if good := v.State.Marker() == ""; pass != good {
		t.Errorf("it says pass: %v", pass)
	}
	if want := strings.TrimSpace(v.State.Marker() + " the subject"); m.Envelope.Subject != want {
		t.Errorf("got Subject %q, want %q", m.Envelope.Subject, want)
	}
	if !strings.Contains(shown, text) {
		t.Errorf("it does not say %q:\n%s", text, shown)
	}
	for _, hidden := range []string{"HP-Outer", "Autocrypt"} {
		if counts[strings.ToLower(hidden)] > 0 {
			t.Errorf("it has the field %s", hidden)
		}
	}
}

// TestUnreadableHasTheOriginal: what can't be shown is attached as it came.
func TestUnreadableHasTheOriginal(t *testing.T) {
	t.Parallel()
	r := newReading(t)
	_, carol := generate(t, "carol@x.test")
	mail := (&reading{key: carol}).compose(t, testMail{from: "carol@x.test", key: carol})
	_, shown := r.read(t, mail)
	m, err := mime.Walk(strings.NewReader(shown), mime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	part := m.Root.Find(2)
	if part == nil || !part.IsMessage() || shown[part.BodyStart:part.End] != mail {
		t.Errorf("the original is not the second part of:\n%s", shown)
	}
}

// TestReadingTeaches: what a mail says about keys is learned if, and only if, it may
// be believed.
func TestReadingTeaches(t *testing.T) {
	t.Parallel()
	_, bob := generate(t, "bob@x.test")
	_, newer := generate(t, "bob@x.test")
	_, carol := generate(t, "carol@x.test")
	_, dave := generate(t, "dave@x.test")
	gossip := func(address string, k *pgp.Key) pgp.Field {
		value, err := pgp.Autocrypt{Addr: addr.MustParse(address), Cert: k.Cert()}.Value()
		if err != nil {
			t.Fatal(err)
		}
		return pgp.Field{Name: "Autocrypt-Gossip", Value: value}
	}
	about := []pgp.Field{gossip("carol@x.test", carol), gossip("dave@x.test", dave), gossip("me@x.test", dave)}
	const bobs = "bob@x.test"
	ago := func(h int) time.Time { return time.Now().Add(-time.Duration(h) * time.Hour) }
	tests := []struct {
		name        string
		mails       []testMail
		pinned, new pgp.Fingerprint // of Bob
		carol       bool
	}{
		{"a first mail, with gossip about a recipient", []testMail{{from: bobs, key: bob, autocrypt: bob, fields: about}}, bob.Fingerprint(), "", true},
		{"an unknown signer", []testMail{{from: bobs, key: bob, fields: about}}, "", "", false},
		{"a stranger's key in Bob's name inside", []testMail{{from: bobs, inner: "<carol@x.test>", key: bob, autocrypt: bob, fields: about}}, "", "", false},
		{"a changed key's gossip", []testMail{{from: bobs, key: bob, autocrypt: bob, date: ago(2)}, {from: bobs, key: newer, autocrypt: newer, fields: about}}, bob.Fingerprint(), newer.Fingerprint(), false},
		{"a transition", []testMail{{from: bobs, key: bob, autocrypt: bob, date: ago(2)}, {from: bobs, key: bob, autocrypt: newer}}, newer.Fingerprint(), "", false},
		{"a date in the future", []testMail{{from: bobs, key: bob, autocrypt: bob, date: ago(-9999)}, {from: bobs, key: newer, autocrypt: newer, date: ago(-1)}}, bob.Fingerprint(), newer.Fingerprint(), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newReading(t)
			for _, m := range tt.mails {
				r.read(t, r.compose(t, m))
			}
			peer := func(address string) Peer {
				p, err := r.contacts.Peer(addr.MustParse(address))
				if err != nil {
					t.Fatal(err)
				}
				return p
			}
			if p := peer(bobs); p.Pinned != tt.pinned || p.Proposed != tt.new {
				t.Errorf("Bob: got %.4s and %.4s, want %.4s and %.4s", p.Pinned, p.Proposed, tt.pinned, tt.new)
			}
			if p := peer("carol@x.test"); (p.Gossip == carol.Fingerprint()) != tt.carol {
				t.Errorf("Carol's key was learned: %v, want %v", !tt.carol, tt.carol)
			}
			for _, address := range []string{"dave@x.test", "me@x.test"} {
				if p := peer(address); p.Gossip != "" || p.Pinned != "" {
					t.Errorf("gossip about %s, who is no recipient or the user, was believed", address)
				}
			}
		})
	}
}

// TestJudge has the cases that no mail of these tests makes.
func TestJudge(t *testing.T) {
	t.Parallel()
	good := pgp.Result{Signature: pgp.GoodSignature, Signer: "A"}
	passedOn := good
	passedOn.Misdirected = true
	tests := []struct {
		name string
		e    evidence
		want State
	}{
		{"bad signature", evidence{result: pgp.Result{Signature: pgp.BadSignature}, standing: Verified, fromAgree: true}, Forged},
		{"meant for others", evidence{result: passedOn, standing: Verified, fromAgree: true}, Redirected},
		{"own key, another's name", evidence{result: good, own: true, fromAgree: true}, WrongSender},
		{"verified", evidence{result: good, standing: Verified, fromAgree: true}, Good},
		{"by gossip", evidence{result: good, standing: Heard, fromAgree: true}, Good},
		{"not known", evidence{result: good, standing: Unknown, fromAgree: true}, UnknownKey},
	}
	for _, tt := range tests {
		if got := judge(tt.e); got.State != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got.State, tt.want)
		}
	}
}

// FuzzPage: whatever stands in a mail's header, the client sees one status, ours.
func FuzzPage(f *testing.F) {
	f.Add("From: a@x.test\r\nSubject: s\r\nX-Restante-Status: good\r\n", "body")
	f.Add("A: b\rX-Restante-Status: good\r\n\tX-Restante-Status: good\n", "")
	f.Add("Subject: a\r\nSubject: b\r\n x-restante-status: good\r\nX-Restante-Status : good\r\n", "x")
	f.Fuzz(func(t *testing.T, header, body string) {
		v := Verdict{State: NotSigned}
		p := page{verdict: v, digest: "d", header: []byte(header), entity: []byte(header), body: strings.NewReader(body)}
		shown, err := io.ReadAll(p.reader())
		if err != nil {
			t.Fatal(err)
		}
		head, _, _ := strings.Cut(string(shown), "\r\n\r\n")
		// The laxest client: any line end begins a line, and blanks before a colon count for nothing.
		n := 0
		for _, l := range strings.FieldsFunc(head, func(r rune) bool { return r == '\r' || r == '\n' }) {
			name, _, _ := strings.Cut(l, ":")
			if strings.EqualFold(strings.TrimRight(name, " \t"), "X-Restante-Status") {
				n++
			}
		}
		if n != 1 || !strings.HasPrefix(head, "X-Restante-Status: unsigned") {
			t.Errorf("%d status fields in %q", n, head)
		}
	})
}

// TestCleartextProvesNothing: a mail that anybody may have written gives a key for want
// of a better one, takes no key's place, and keeps no mail back.
func TestCleartextProvesNothing(t *testing.T) {
	t.Parallel()
	bob, real := generate(t, "bob@x.test")
	_, eve := generate(t, "bob@x.test")
	clear := func(k *pgp.Key) string {
		value, err := pgp.Autocrypt{Addr: bob, Cert: k.Cert()}.Value()
		if err != nil {
			t.Fatal(err)
		}
		return "From: <bob@x.test>\r\nTo: <me@x.test>\r\nSubject: hello\r\nDate: " + time.Now().UTC().Format(time.RFC1123Z) +
			"\r\nAutocrypt: " + value + "\r\n\r\nthe text\r\n"
	}
	r := newReading(t)
	inUse := func() (pgp.Fingerprint, Standing) {
		t.Helper()
		c, standing, err := r.contacts.Cert(bob, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return c.Fingerprint(), standing
	}
	r.read(t, clear(eve))
	if f, standing := inUse(); f != eve.Fingerprint() || standing != Unknown {
		t.Errorf("after a cleartext mail: got standing %v, want its key, unknown", standing)
	}
	r.read(t, r.compose(t, testMail{from: "bob@x.test", key: real, autocrypt: real}))
	r.read(t, clear(eve))
	if f, standing := inUse(); f != real.Fingerprint() || standing != Pinned {
		t.Errorf("after a signed mail and a cleartext one: got standing %v, want the signed one's key, pinned", standing)
	}
}
