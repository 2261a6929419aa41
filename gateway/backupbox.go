package gateway

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/pgp"
)

// deviceBox is the mailbox on the server in which the user's devices keep what is for
// themselves. Our relay never lets what is in it expire (mailbox.UseRestante), up to 1 MiB.
// It is not synchronised with the local store.
const deviceBox = "Restante"

// maxDeviceMail bounds a mail in it.
const maxDeviceMail = 1 << 20

// deviceMail is a mail that one device of the user wrote for another, or for itself: an
// OpenPGP message under a secret, in a mail of the form that a relay's gate wants.
type deviceMail struct {
	uid     imap.UID
	purpose string // "backup", "pair-…"
	id      string // the whole Message-ID
	size    int64
}

// newDeviceID returns a Message-ID. It is all that tells the server what a mail is for.
func newDeviceID(purpose string, a addr.Address) string {
	return "<" + purpose + "." + rand.Text() + "@" + a.Domain() + ">"
}

// sealDeviceMail returns the mail that holds content. The secret has 128 random bits, or
// is that of nobody.
func sealDeviceMail(a addr.Address, id string, content []byte, secret string, now time.Time) ([]byte, error) {
	var mail bytes.Buffer
	boundary := "=_" + rand.Text()
	fmt.Fprintf(&mail, "From: <%[1]s>\r\nTo: <%[1]s>\r\nSubject: [...]\r\nDate: %[2]s\r\nMessage-ID: %[3]s\r\n"+
		"MIME-Version: 1.0\r\n"+
		"Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\";\r\n boundary=\"%[4]s\"\r\n\r\n"+
		"--%[4]s\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n"+
		"--%[4]s\r\nContent-Type: application/octet-stream\r\n\r\n",
		a, now.UTC().Format(time.RFC1123Z), id, boundary)
	w, err := pgp.EncryptTo(&mail, nil, pgp.EncryptOptions{Passphrase: []byte(secret), Generated: true})
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	mail.WriteString("\r\n--" + boundary + "--\r\n")
	if mail.Len() > maxDeviceMail {
		return nil, errBackupSize
	}
	return mail.Bytes(), nil
}

// errBackupSize: a mail for a device would be larger than the mailbox keeps for good.
var errBackupSize = errors.New("keys and contacts take more than 1 MiB: delete contacts that you no longer write to")

// openDeviceMail returns what sealDeviceMail was given. The error is pgp.ErrNoKey for
// another secret.
func openDeviceMail(mail []byte, secret string) ([]byte, error) {
	_, rest, ok := bytes.Cut(mail, []byte("-----BEGIN PGP MESSAGE-----"))
	if !ok {
		return nil, pgp.ErrNotMessage
	}
	armored := io.MultiReader(strings.NewReader("-----BEGIN PGP MESSAGE-----"), bytes.NewReader(rest))
	var content bytes.Buffer
	_, err := pgp.Decrypt(&content, armored, pgp.DecryptOptions{Passphrases: [][]byte{[]byte(secret)}, MaxPlaintext: maxDeviceMail})
	return content.Bytes(), err
}

// deviceMails lists what is in the devices' mailbox, the oldest first. There is none if
// the mailbox isn't there.
func (r *remote) deviceMails() ([]deviceMail, error) {
	r.open = ""
	selected, err := r.client.Select(r.name(deviceBox), nil).Wait()
	var no *imap.Error
	if errors.As(err, &no) && no.Type == imap.StatusResponseTypeNo {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("select the devices' mailbox: %w", err)
	}
	r.open = deviceBox
	if selected.NumMessages == 0 {
		return nil, nil
	}
	found, err := r.client.Fetch(imap.UIDSet{{Start: 1, Stop: 0}}, &imap.FetchOptions{
		UID: true, RFC822Size: true, BodySection: []*imap.FetchItemBodySection{messageID},
	}).Collect()
	if err != nil {
		return nil, fmt.Errorf("list the devices' mailbox: %w", err)
	}
	var list []deviceMail
	for _, m := range found {
		for f := range mime.Fields(m.FindBodySection(messageID)) {
			if !f.Is("Message-ID") {
				continue
			}
			purpose, _, _ := strings.Cut(strings.TrimPrefix(f.Value(), "<"), ".")
			list = append(list, deviceMail{m.UID, purpose, f.Value(), m.RFC822Size})
		}
	}
	return list, nil
}

// messageID asks for that field alone. Some servers fill ENVELOPE from a parser of their
// own taste; this is the field as it was written.
var messageID = &imap.FetchItemBodySection{Peek: true, Specifier: imap.PartSpecifierHeader, HeaderFields: []string{"Message-ID"}}

// readDeviceMail fetches one. It reports false if it is gone.
func (r *remote) readDeviceMail(m deviceMail) (mail []byte, ok bool, err error) {
	if m.size > maxDeviceMail+64<<10 { // header lines that servers add
		return nil, false, errBackupSize
	}
	list, err := r.fetch(deviceBox, []imap.UID{m.uid}, "")
	for _, one := range list {
		if err == nil {
			mail, err = io.ReadAll(one.raw.reader(0))
			ok = err == nil
		}
		err = errors.Join(err, one.raw.close())
	}
	return mail, ok, err
}

// putDeviceMail adds one. deviceMails must have been called: where it found no mailbox,
// that is made now.
func (r *remote) putDeviceMail(mail []byte, now time.Time) error {
	if err := checkLeaving(bytes.NewReader(mail)); err != nil {
		return err
	}
	if r.open != deviceBox {
		err := r.create(deviceBox)
		var no *imap.Error
		if err != nil && !(errors.As(err, &no) && no.Code == imap.ResponseCodeAlreadyExists) {
			return err
		}
	}
	_, err := r.append(deviceBox, bytes.NewReader(mail), int64(len(mail)), newFlagSet(`\seen`), now)
	return err
}

// removeDeviceMails deletes some.
func (r *remote) removeDeviceMails(list []deviceMail) error {
	if len(list) == 0 {
		return nil
	}
	var uids []imap.UID
	for _, m := range list {
		uids = append(uids, m.uid)
	}
	return r.remove(deviceBox, uids)
}

// onServer runs f on a connection of its own.
func (u Upstream) onServer(ctx context.Context, f func(*remote) error) error {
	r, err := u.connect(ctx)
	if err != nil {
		return refused(err)
	}
	return errors.Join(f(r), r.close())
}
