package mta

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// movingClock is a time that only a test moves.
type movingClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *movingClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *movingClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// The sender of mail whose subject is lost is told so in his mailbox: once a week, by
// the setting of his program.
func TestLostSubject(t *testing.T) {
	t.Parallel()
	clock := &movingClock{now: noon}
	r := newRelay(t, func(o *Options) { o.Gate, o.Now = gate, clock.Now })
	c := sender(t, r, "anna")
	body := bytes.ReplaceAll(read(t, corpus+"pass/gpg-encrypt-nozip.neomutt.eml"), []byte("\r\nSubject:"), []byte("\r\nX-Old:"))
	body = body[bytes.Index(body, []byte("\r\nMIME-Version:"))+2:]
	mail := func(n, subject, agent string) {
		t.Helper()
		head := "From: anna@here.example\r\nDate: Sun, 01 Mar 2026 11:00:00 +0000\r\nMessage-ID: <" + n + "@x>\r\nSubject: " + subject + "\r\nUser-Agent: " + agent + "\r\n"
		if err := send(c, "anna", "bert", append([]byte(head), body...)); err != nil {
			t.Fatal(err)
		}
	}
	want := func(n int, says string) {
		t.Helper()
		all, err := r.inbox(t.Context(), "anna")
		if err != nil || len(all) != n {
			t.Fatalf("%d notices, %v, want %d", len(all), err, n)
		}
		if n > 0 && !strings.Contains(string(all[n-1]), says) {
			t.Errorf("the notice is\n%s", all[n-1])
		}
	}
	for i, subject := range []string{"...", "[...]", "Encrypted Message", "Re: ..."} {
		mail(string(rune('a'+i)), subject, "Thunderbird")
	}
	want(0, "")
	mail("one", "what it is about", "NeoMutt/20220429")
	mail("two", "what it is about", "NeoMutt/20220429")
	want(1, "crypt_protected_headers_write=yes")
	clock.advance(3 * 24 * time.Hour)
	mail("three", "what it is about", "NeoMutt/20220429")
	want(1, "")
	mail("four", "something else", "Mozilla Thunderbird")
	want(1, "") // once a day, whatever the program
	clock.advance(24 * time.Hour)
	mail("five", "something else", "Mozilla Thunderbird")
	want(2, "Encrypt the\r\nsubject of OpenPGP messages")
	mail("six", "something else", "Unheard of")
	all, err := r.inbox(t.Context(), "bert")
	if err != nil || bytes.Contains(bytes.Join(all, nil), []byte("what it is")) {
		t.Errorf("a subject was kept; %v", err)
	}
}
