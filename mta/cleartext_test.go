package mta

import (
	"bytes"
	"fmt"
	"net/textproto"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/pgp"
)

// letter is a mail that is not encrypted.
const letter = "Received: from a by b\r\nFrom: Zoe <zoe@there.example>\r\nTo: Bert <bert@here.example>\r\n" +
	"Subject: the marked subject\r\nMessage-ID: <1@there.example>\r\nDate: Sun, 01 Mar 2026 12:00:00 +0100\r\n" +
	"MIME-Version: 1.0 (marked mailer)\r\nContent-Type: text/plain; charset=utf-8;\r\nX-Restante: forged\r\n\r\nthe marked text\r\n"

// takesClear makes bert take mail that is not encrypted.
func takesClear(t *testing.T, r *relay) {
	t.Helper()
	if err := r.owner(t, "bert").SetAddressOptions(t.Context(), bert, mailbox.AddressOptions{Cleartext: true}); err != nil {
		t.Fatal(err)
	}
}

// publishes gives bert a key, which is published.
func publishes(t *testing.T, r *relay) *pgp.Key {
	t.Helper()
	key, err := pgp.Generate(bert, pgp.KeyOptions{Now: func() time.Time { return noon.Add(-time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	c := mailbox.Certificate{Fingerprint: string(key.Fingerprint()), Bytes: key.Cert().Bytes()}
	if err := r.service.Publish(t.Context(), r.owner(t, "bert").Account(), bert, c); err != nil {
		t.Fatal(err)
	}
	return key
}

func ownersClear(o *Options) { o.Gate, o.OwnersClear = gate, true }

// Mail that came in clear is encrypted to its owner's certificate before it is kept:
// the header inside, outside what other mail has there.
func TestClearIsEncryptedOnArrival(t *testing.T) {
	t.Parallel()
	r := newRelay(t, ownersClear)
	takesClear(t, r)
	key := publishes(t, r)
	for range 2 { // a repeated delivery is one message, though it is encrypted anew
		if code, text := bring(t, r, []byte(letter)); code != 250 {
			t.Fatalf("%d %s", code, text)
		}
	}
	all, err := r.inbox(t.Context(), "bert")
	if err != nil || len(all) != 1 {
		t.Fatalf("%d messages, %v", len(all), err)
	}
	if bytes.Contains(all[0], []byte("marked")) || bytes.Contains(all[0], []byte("Zoe <")) || bytes.Contains(all[0], []byte("forged")) {
		t.Errorf("cleartext is kept:\n%s", all[0])
	}
	var inside bytes.Buffer
	opened, err := pgp.Open(&inside, bytes.NewReader(all[0]), pgp.DecryptOptions{Keys: []*pgp.Key{key}})
	if err != nil {
		t.Fatalf("%v\n%s", err, all[0])
	}
	if !strings.HasSuffix(inside.String(), "\r\n\r\nthe marked text\r\n") || !opened.Protected || opened.Signer != "" {
		t.Errorf("protected %v, inside is\n%s", opened.Protected, inside.String())
	}
	want := []pgp.Field{
		{Name: "X-Restante", Value: "this message was not encrypted when it arrived"},
		{Name: "From", Value: "Zoe <zoe@there.example>"}, {Name: "To", Value: "Bert <bert@here.example>"},
		{Name: "Subject", Value: "the marked subject"}, {Name: "Message-ID", Value: "<1@there.example>"},
		{Name: "Date", Value: "Sun, 01 Mar 2026 11:00:00 +0000"},
	}
	if fmt.Sprint(opened.Header) != fmt.Sprint(want) {
		t.Errorf("the header inside is\n%v, want\n%v", opened.Header, want)
	}
	if len(opened.OuterCopy) != len(want) || opened.OuterCopy[3].Value != "[...]" {
		t.Errorf("the copy of the outer header is %v", opened.OuterCopy)
	}
	if got := opened.Outer.Envelope.Subject; got != "[...]" {
		t.Errorf("the outer subject is %q", got)
	}
}

// Without a certificate such mail is kept as it is, sealed like all, and marked.
func TestClearWithoutCertificate(t *testing.T) {
	t.Parallel()
	r := newRelay(t, ownersClear)
	takesClear(t, r)
	if code, text := bring(t, r, []byte(letter)); code != 250 {
		t.Fatalf("%d %s", code, text)
	}
	all, err := r.inbox(t.Context(), "bert")
	if err != nil || len(all) != 1 {
		t.Fatalf("%d messages, %v", len(all), err)
	}
	if got := string(all[0]); !strings.HasPrefix(got, clearMark+"From: Zoe") || strings.Contains(got, "forged") || !strings.Contains(got, "the marked subject") {
		t.Errorf("what is kept is\n%s", got)
	}
}

// Encrypted mail to somebody who takes cleartext is kept as it came, without a mark;
// what only claims to be encrypted is refused.
func TestEncryptedToWhoTakesCleartext(t *testing.T) {
	t.Parallel()
	r := newRelay(t, ownersClear)
	takesClear(t, r)
	publishes(t, r)
	for i, file := range corpusFiles(t, "pass/*.eml")[:4] {
		sent := read(t, file)
		if code, text := bring(t, r, sent); code != 250 {
			t.Fatalf("%s: %d %s", file, code, text)
		}
		all, err := r.inbox(t.Context(), "bert")
		if err != nil || len(all) != i+1 {
			t.Fatalf("%s: %d messages, %v", file, len(all), err)
		}
		stored := all[i]
		if !bytes.Equal(stored[blockEnd(stored, 0):], sent[blockEnd(sent, 0):]) || bytes.Contains(stored, []byte("X-Restante")) {
			t.Errorf("%s: it was changed:\n%s", file, stored)
		}
	}
	half, err := os.ReadFile(corpus + "refuse/nested-multipart.eml")
	if err != nil {
		t.Fatal(err)
	}
	if code, text := bring(t, r, half); code != 523 {
		t.Errorf("what only claims to be encrypted: %d %s", code, text)
	}
}

func TestClearIsRefused(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(*testing.T) *relay{
		"the owner has not chosen": func(t *testing.T) *relay { return newRelay(t, ownersClear) },
		"the relay does not allow it": func(t *testing.T) *relay {
			r := newRelay(t, func(o *Options) { o.Gate = gate })
			takesClear(t, r)
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if code, text := bring(t, f(t), []byte(letter)); code != 523 {
				t.Errorf("%d %s", code, text)
			}
		})
	}
	t.Run("from a user of the relay", func(t *testing.T) {
		t.Parallel()
		r := newRelay(t, ownersClear)
		takesClear(t, r)
		if err := send(sender(t, r, "anna"), "anna", "bert", numbered("anna", 1, 100)); err == nil || !strings.Contains(err.Error(), gateText) {
			t.Errorf("got %v", err)
		}
	})
}

// talk says lines to a listener, and returns the codes of the replies.
func (r *relay) talk(t *testing.T, kind string, lines ...string) (codes []int) {
	t.Helper()
	nc, err := r.dial(t.Context(), kind)
	if err != nil {
		t.Fatal(err)
	}
	c := textproto.NewConn(nc)
	defer c.Close()
	for _, line := range append([]string{""}, lines...) {
		if line != "" {
			if err := c.PrintfLine("%s", line); err != nil {
				t.Fatal(err)
			}
		}
		code, _, err := c.ReadResponse(0)
		if err != nil && code == 0 {
			t.Fatal(err)
		}
		codes = append(codes, code)
	}
	return codes
}

// Whoever takes cleartext is alone in his transaction, whichever comes first.
func TestClearComesApart(t *testing.T) {
	t.Parallel()
	r := newRelay(t, ownersClear)
	takesClear(t, r)
	for _, to := range [][2]string{{"anna", "bert"}, {"bert", "anna"}} {
		got := r.talk(t, "mx", "EHLO client.example", "MAIL FROM:<zoe@there.example>",
			"RCPT TO:<"+to[0]+"@here.example>", "RCPT TO:<"+to[1]+"@here.example>", "RCPT TO:<"+to[0]+"@here.example>")
		if fmt.Sprint(got) != "[220 250 250 250 452 250]" {
			t.Errorf("%v: got %v", to, got)
		}
	}
}

// A blocked sender is refused at RCPT, wherever the mail comes from, and can still
// write to others.
func TestBlockedSender(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	for _, sender := range []string{"zoe@there.example", "@else.example", "anna@here.example"} {
		if err := r.owner(t, "bert").Block(t.Context(), sender); err != nil {
			t.Fatal(err)
		}
	}
	for from, want := range map[string]string{
		"zoe@there.example": "[220 250 250 550 250]", "ZOE@there.example": "[220 250 250 550 250]", "joe@else.example": "[220 250 250 550 250]",
		"joe@there.example": "[220 250 250 250 250]", "": "[220 250 250 250 250]",
	} {
		got := r.talk(t, "mx", "EHLO client.example", "MAIL FROM:<"+from+">", "RCPT TO:<bert@here.example>", "RCPT TO:<anna@here.example>")
		if fmt.Sprint(got) != want {
			t.Errorf("%s: got %v, want %s", from, got, want)
		}
	}
	if err := send(sender(t, r, "anna"), "anna", "bert", numbered("anna", 1, 100)); err == nil || !strings.Contains(err.Error(), "550") && !strings.Contains(err.Error(), "no mail from this sender") {
		t.Errorf("a user of the relay who is blocked: %v", err)
	}
}
