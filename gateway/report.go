package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/restante/restante/pgp"
)

// gatewayAddress is who writes the gateway's own mail. It never leaves this machine.
const gatewayAddress = "gateway@localhost"

// reporter tells the user in a mail that another one was not sent.
type reporter struct {
	box   *outbox
	local *Local
	keys  func() ([]*pgp.Key, error)
	now   func() time.Time
}

// report delivers, for each lost part of the mail, what was lost and why, with the
// mail as it was written.
func (r *reporter) report(ctx context.Context, item Outgoing) error {
	for _, p := range item.Parts {
		if p.Lost == "" {
			continue
		}
		if err := r.reportPart(ctx, item, p); err != nil {
			return fmt.Errorf("report a mail that was not sent: %w", err)
		}
	}
	return nil
}

// reportPart reports one part. If the mail itself can't be read any more, the report
// comes without it rather than never.
func (r *reporter) reportPart(ctx context.Context, item Outgoing, p Part) error {
	original := newSpool(r.box.dir)
	err := r.open(original, p)
	if err == nil {
		err = original.finish()
	}
	content := io.Reader(strings.NewReader("Subject: The mail can't be read any more\r\n\r\n"))
	if err == nil {
		content = original.reader(0)
	}
	err = r.local.Deliver(ctx, reportMail(item, p, r.local.User, content, r.now()))
	return errors.Join(err, original.close())
}

// open decrypts a part: every message is encrypted to the user too.
func (r *reporter) open(w io.Writer, p Part) error {
	keys, err := r.keys()
	if err != nil {
		return err
	}
	blob, err := r.box.vault.OpenBlob(outgoKind, p.Blob)
	if err != nil {
		return err
	}
	_, err = pgp.Open(w, blob.Section(0, blob.Size()), pgp.DecryptOptions{Keys: keys})
	return errors.Join(err, blob.Close())
}

// reportMail is the mail that says so.
func reportMail(item Outgoing, p Part, user string, original io.Reader, now time.Time) io.Reader {
	boundary := "=_" + rand.Text()
	head := fmt.Sprintf("From: Restante gateway <%[1]s>\r\n"+
		"To: <%[2]s>\r\n"+
		"Subject: Not sent: %[3]s\r\n"+
		"Date: %[4]s\r\n"+
		"Message-ID: <%[5]s@localhost>\r\n"+
		"Auto-Submitted: auto-replied\r\n"+
		"%[6]s: not-sent\r\n"+
		"MIME-Version: 1.0\r\n"+
		"Content-Type: multipart/mixed; boundary=\"%[7]s\"\r\n"+
		"\r\n"+
		"--%[7]s\r\n"+
		"Content-Type: text/plain; charset=utf-8\r\n"+
		"\r\n"+
		"This mail was not sent to:\r\n\r\n    %[8]s\r\n\r\nWhy: %[9]s\r\n\r\n"+
		"Other recipients of the mail, if there are any, have it. The mail is attached as you wrote it.\r\n"+
		"--%[7]s\r\n"+
		"Content-Type: message/rfc822\r\n"+
		"Content-Transfer-Encoding: 8bit\r\n"+
		"\r\n",
		gatewayAddress, user, item.Subject, now.UTC().Format(time.RFC1123Z), rand.Text(), statusField, boundary,
		strings.Join(p.To, "\r\n    "), strings.NewReplacer("\r", " ", "\n", " ").Replace(p.Lost))
	return io.MultiReader(strings.NewReader(head), original, strings.NewReader("\r\n--"+boundary+"--\r\n"))
}

// statusField is the header field in which the gateway says what it knows of a mail.
// Fields of that name, and all others that begin with X-Restante-, are removed from
// mail that comes in.
const statusField = "X-Restante-Status"
