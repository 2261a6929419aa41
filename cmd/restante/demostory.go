package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/restante/restante/gateway"
	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/config"
	"github.com/restante/restante/pgp"
)

// storyTimeout bounds the round trip; it takes milliseconds.
const storyTimeout = time.Minute

// person is one of the two in the story: an account, and a key that the relay
// never sees.
type person struct {
	gateway.Upstream
	key *pgp.Key
}

// tellStory sends one letter from the first account to the second and shows each
// step, what the relay could see, and what stands on its disk.
func tellStory(ctx context.Context, w io.Writer, r *relay, say ready, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, storyTimeout)
	defer cancel()
	alice, err := newPerson(r, say, 0)
	if err != nil {
		return err
	}
	bob, err := newPerson(r, say, len(say.Accounts)-1)
	if err != nil {
		return err
	}
	letter := gateway.Letter{
		From: alice.Address, To: bob.Address, Date: time.Now(), Subject: "Tonight at the old post office",
		Text: "Dear Bob,\nnobody but you can read this: not the relay, not its disk.\n",
	}
	fmt.Fprintln(w, "One letter")
	mail, err := sendLetter(ctx, step(w), letter, alice, bob)
	if err != nil {
		return err
	}
	printSeen(w, mail)
	kind, _, err := r.cfg.StoreTarget()
	if err != nil {
		return err
	}
	return printDisk(w, dir, kind, letter, mail)
}

// step returns a function that prints one step of the story.
func step(w io.Writer) func(name, format string, args ...any) {
	return func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-9s %s\n", name, fmt.Sprintf(format, args...))
	}
}

func newPerson(r *relay, say ready, i int) (person, error) {
	account := say.Accounts[i]
	a, err := addr.Parse(account.Address)
	if err != nil {
		return person{}, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(r.tls.CA())
	key, err := pgp.Generate(a, pgp.KeyOptions{})
	if err != nil {
		return person{}, err
	}
	return person{gateway.Upstream{
		Address: a, Password: account.Password, SMTPS: say.SMTPS, IMAPS: say.IMAPS,
		TLS: &tls.Config{RootCAs: roots, ServerName: "localhost"},
	}, key}, nil
}

// sendLetter writes, submits, fetches and opens the letter, and returns the mail
// as the relay kept it.
func sendLetter(ctx context.Context, show func(name, format string, args ...any), letter gateway.Letter, alice, bob person) ([]byte, error) {
	show("keys", "%s and %s make OpenPGP keys on their own machines", alice.Address.Local(), bob.Address.Local())
	sealed, err := letter.Seal(alice.key, bob.key.Cert())
	if err != nil {
		return nil, err
	}
	show("encrypt", "%q and %d bytes of text become a mail of %s", letter.Subject, len(letter.Text), sizeString(int64(len(sealed))))
	inbox, err := bob.Inbox(ctx)
	if err != nil {
		return nil, err
	}
	defer inbox.Close()
	show("wait", "%s's client is logged in by IMAP over TLS and waits in IDLE", bob.Address.Local())
	got, err := submitAndWait(ctx, show, sealed, alice, bob, inbox)
	if err != nil {
		return nil, err
	}
	opened, result, err := gateway.OpenLetter(got, bob.key, alice.key.Cert())
	if err != nil {
		return nil, err
	}
	if opened.Text != letter.Text || opened.Subject != letter.Subject || result.Signature != pgp.GoodSignature {
		return nil, errors.New("the letter came out changed: this is a bug, please report it")
	}
	show("decrypt", "%q, signed by %s: good", opened.Subject, alice.Address.Local())
	for line := range strings.Lines(opened.Text) {
		show("", "| %s", strings.TrimSuffix(line, "\n"))
	}
	return got, nil
}

// submitAndWait submits the mail while the recipient's client waits for it.
func submitAndWait(ctx context.Context, show func(name, format string, args ...any), mail []byte, alice, bob person, inbox *gateway.Inbox) ([]byte, error) {
	type arrival struct {
		mail []byte
		at   time.Time
		err  error
	}
	arrived := make(chan arrival, 1)
	go func() {
		got, err := inbox.Next(ctx)
		arrived <- arrival{got, time.Now(), err}
	}()
	start := time.Now()
	if err := alice.Submit(ctx, []addr.Address{bob.Address}, mail); err != nil {
		return nil, err
	}
	show("submit", "by SMTP over TLS: accepted, sealed and safe on disk after %s", milliseconds(time.Since(start)))
	a := <-arrived
	if a.err != nil {
		return nil, a.err
	}
	show("fetch", "%s's client was told at once and has the mail, %s after the first byte was sent", bob.Address.Local(), milliseconds(a.at.Sub(start)))
	return a.mail, nil
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}

// printSeen shows the header that passed through the relay's memory, which is all
// that it could read.
func printSeen(w io.Writer, mail []byte) {
	fmt.Fprintln(w, "\nWhat the relay could see of it, while it passed")
	header, body, _ := bytes.Cut(mail, []byte("\r\n\r\n"))
	lines := bufio.NewScanner(bytes.NewReader(header))
	for lines.Scan() {
		fmt.Fprintf(w, "  %s\n", lines.Text())
	}
	fmt.Fprintf(w, "  and %s of ciphertext\n", sizeString(int64(len(body))))
}

// printDisk looks for everything that is known of the letter in all that the
// relay keeps.
func printDisk(w io.Writer, dir string, kind config.StoreKind, l gateway.Letter, mail []byte) error {
	_, armor, _ := bytes.Cut(mail, []byte("\r\n\r\n-----BEGIN"))
	scan, err := scanDisk(dir, map[string]string{
		"the sender's address":    l.From.String(),
		"the recipient's address": l.To.String(),
		"the sender's name":       l.From.Local(),
		"the recipient's name":    l.To.Local(),
		"the subject":             l.Subject,
		"the text":                "nobody but you can read this",
		"a header field":          "multipart/encrypted",
		"the ciphertext":          string(armor[:min(len(armor), 60)]),
	})
	if err != nil {
		return fmt.Errorf("look at the disk: %w", err)
	}
	fmt.Fprintln(w, "\nWhat stands on its disk")
	fmt.Fprintf(w, "  %d files, %s, under %s\n", scan.files, sizeString(scan.bytes), filepath.Base(dir))
	if kind == config.Postgres {
		fmt.Fprintln(w, "  mail and accounts are on the PostgreSQL server, where nothing was looked for")
	}
	if len(scan.found) > 0 {
		return fmt.Errorf("the disk shows %s: this is a bug, please report it", strings.Join(scan.found, ", "))
	}
	fmt.Fprint(w, "  addresses, subject, text, header and even the ciphertext were looked for: nothing is readable\n\n")
	return nil
}
