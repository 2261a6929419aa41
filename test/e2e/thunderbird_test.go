//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestThunderbird sets Thunderbird up by autoconfig alone, makes a key in it, reads an
// encrypted mail from a user of gpg, and answers it.
func TestThunderbird(t *testing.T) {
	b, g, r := thunderbirdAndGnuPG(t)
	alice, bob := r.Accounts[0], r.Accounts[1]
	submit(t, r, bob, alice, g.discreet(t, bob, alice, "Dear Alice, this was written with gpg."))
	b.read(bob, "Dear Alice, this was written with gpg.", "message-signed-verified.svg")

	b.act(nil, "reply")
	b.awaitCompose(true)
	b.act(nil, "type", "Dear Bob, this was written in Thunderbird.")
	b.shoot("reply")
	b.act(nil, "press", "button-send")
	b.awaitSent(1)

	mails := imapFetchAll(t, r, bob)
	if len(mails) != 1 {
		t.Fatalf("Bob has %d messages, want 1", len(mails))
	}
	if text := g.decrypt(t, mails[0]); !strings.Contains(text, "Dear Bob, this was written in Thunderbird.") {
		t.Errorf("Bob reads:\n%s", text)
	}
	if flags := imapFlags(t, r, alice, "INBOX"); len(flags) != 1 || !strings.Contains(flags[0], `\Seen`) || !strings.Contains(flags[0], `\Answered`) {
		t.Errorf("flags after the answer: %q, want one message with \\Seen and \\Answered", flags)
	}
}

// TestThunderbirdPlain sends a mail without encryption, which the relay refuses.
// Thunderbird shows why, and sends the mail once it is encrypted.
func TestThunderbirdPlain(t *testing.T) {
	b, g, r := thunderbirdAndGnuPG(t)
	bob := r.Accounts[1]
	b.act(nil, "compose", bob.Address, "a subject", "Dear Bob, can you read this?")
	b.awaitCompose(false)
	b.act(nil, "press", "button-send")
	text := b.awaitAlert()
	for _, want := range []string{"the message is plain text", "turn on OpenPGP encryption"} {
		if !strings.Contains(text, want) {
			t.Errorf("Thunderbird says %q, want %q in it", text, want)
		}
	}
	if mails := imapFetchAll(t, r, bob); len(mails) != 0 {
		t.Fatalf("Bob has %d messages, want none", len(mails))
	}

	b.awaitCompose(false)
	b.act(nil, "press", "button-encryption")
	b.awaitCompose(true)
	b.act(nil, "press", "button-send")
	b.awaitSent(1)
	mails := imapFetchAll(t, r, bob)
	if len(mails) != 1 {
		t.Fatalf("Bob has %d messages, want 1", len(mails))
	}
	if text := g.decrypt(t, mails[0]); !strings.Contains(text, "can you read this?") {
		t.Errorf("Bob reads:\n%s", text)
	}
}

// thunderbirdAndGnuPG returns Thunderbird for the first account of a relay, with a
// key of its own, and gpg for the second. Each knows the other's key.
func thunderbirdAndGnuPG(t *testing.T) (*thunderbird, gnupg, *relay) {
	t.Helper()
	r := start(t)
	g := newGnuPG(t, r.Accounts[1:])
	b := newThunderbird(t, r, r.Accounts[0])
	var key, fault string
	b.act(&key, "makeKey")
	run(t, key, g.env, "gpg", "--batch", "--quiet", "--import")
	b.act(&fault, "acceptKey", run(t, "", g.env, "gpg", "--armor", "--export", r.Accounts[1].Address))
	if fault != "" {
		t.Fatalf("Thunderbird does not take gpg's key: %s", fault)
	}
	return b, g, r
}

// read opens the message of an author, and waits until it shows a text with the sign
// of good encryption and a sign for its signature.
func (b *thunderbird) read(author account, text, signature string) {
	b.t.Helper()
	b.poll(func() (bool, string) {
		var listed bool
		b.act(&listed, "lists", author.Address)
		return listed, "the list shows no message of the author"
	})
	b.act(nil, "open", author.Address)
	b.poll(func() (bool, string) {
		var shown struct{ Text, Encryption, Signature string }
		b.act(&shown, "shown")
		return strings.Contains(shown.Text, text) && shown.Encryption == "message-encrypted-ok.svg" && shown.Signature == signature,
			fmt.Sprintf("Thunderbird shows %+v", shown)
	})
	b.shoot("read")
}

// awaitCompose waits for a window that takes a message, and that is about to
// encrypt and sign it, or to do neither.
func (b *thunderbird) awaitCompose(encrypted bool) {
	b.t.Helper()
	b.poll(func() (bool, string) {
		var c *struct{ Encrypt, Sign bool }
		b.act(&c, "composing")
		if c == nil {
			return false, "no window takes a message"
		}
		return c.Encrypt == encrypted && c.Sign == encrypted, fmt.Sprintf("the window encrypts: %v, signs: %v", c.Encrypt, c.Sign)
	})
}

// awaitAlert waits for a message box, closes it, and returns its text.
func (b *thunderbird) awaitAlert() (text string) {
	b.t.Helper()
	b.poll(func() (bool, string) {
		b.act(&text, "closeAlert")
		return text != "", "no message box opens"
	})
	return text
}

// awaitSent waits until a message is gone and its copy is the n-th in Sent. The
// relay is asked for that: Thunderbird 153 counts a copy that it has put there and one
// that the relay tells it of as two, until it has seen that they are the same.
func (b *thunderbird) awaitSent(n int) {
	b.t.Helper()
	b.poll(func() (bool, string) {
		var text string
		if b.act(&text, "closeAlert"); text != "" {
			b.t.Fatalf("Thunderbird says: %s", text)
		}
		var windows int
		b.act(&windows, "composeWindows")
		return windows == 0, "the window of the message is still open"
	})
	b.poll(func() (bool, string) {
		flags := imapFlags(b.t, b.relay, b.user, "Sent")
		return len(flags) == n, fmt.Sprintf("messages in Sent have the flags %q, want %d messages", flags, n)
	})
}
