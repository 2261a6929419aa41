package gateway

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/pgp"
)

// A mail that is no longer on the server may have expired there, or been lost. It is
// deleted here only if somebody says that they deleted it: this gateway's ledger, or a
// record that another device of the user's has left in the devices' mailbox, sealed under
// the recovery code that all of them have (DESIGN §8.12).

const deletionsPurpose = "deleted"

// What a record keeps. A device that was away for longer, or over more deletions, keeps
// the mail, marked as no longer on the server.
const (
	deletionsDays = 90
	mostDeletions = 4000
)

// deletions are mails that were deleted, and the day on which they were.
type deletions map[string]mailbox.Day

// deletionOf names one message on the server: not its mail, of which there may be copies.
func deletionOf(p *pair, e *entry) string {
	var place [8]byte
	binary.BigEndian.PutUint32(place[:], p.ledger.Validity)
	binary.BigEndian.PutUint32(place[4:], uint32(e.Remote))
	sum := sha256.Sum256(append(place[:], e.Digest...))
	return base64.RawStdEncoding.EncodeToString(sum[:16])
}

// shorten leaves out what is too old, or too much.
func (d deletions) shorten(today mailbox.Day) {
	maps.DeleteFunc(d, func(_ string, on mailbox.Day) bool { return on < today-deletionsDays })
	newest := slices.SortedFunc(maps.Keys(d), func(a, b string) int { return cmp.Or(cmp.Compare(d[b], d[a]), cmp.Compare(a, b)) })
	for _, key := range newest[min(len(newest), mostDeletions):] {
		delete(d, key)
	}
}

// tellDeletions leaves a record of what is about to be deleted on the server, before it
// is. Where the provider has no room for one, other devices keep the mail.
func (c *cycle) tellDeletions() error {
	fresh, today := deletions{}, dayOf(c.opener.now())
	var told []func()
	for _, p := range c.pairs {
		for _, e := range p.ledger.entries() {
			if e.Local != 0 || e.Remote == 0 || e.Told || !p.look.has(e.Remote) {
				continue
			}
			fresh[deletionOf(p, e)] = today
			told = append(told, func() { p.ledger.tell(e) })
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	err := c.addDeletions(fresh, today)
	var no *imap.Error
	if errors.As(err, &no) {
		c.log.Warn("no record of deletions can be left for other devices", "error", err)
		err = nil
	}
	if err != nil {
		return err
	}
	for _, f := range told {
		f()
	}
	return nil
}

func dayOf(t time.Time) mailbox.Day { return mailbox.Day(t.Unix() / 86400) }

// addDeletions puts one record in the place of all that there are: a crash leaves too many
// of them, which together say the same.
func (c *cycle) addDeletions(fresh deletions, today mailbox.Day) error {
	code, err := RecoveryCode(c.vault)
	if err != nil {
		return err
	}
	known, mails, err := c.readDeletions(code)
	if err != nil {
		return err
	}
	maps.Copy(known, fresh)
	known.shorten(today)
	content, err := json.Marshal(known)
	if err != nil {
		return err
	}
	address := c.opener.own().main.Address
	mail, err := sealDeviceMail(address, newDeviceID(deletionsPurpose, address), content, code, c.opener.now())
	if err != nil {
		return err
	}
	if err := c.r.putDeviceMail(mail, c.opener.now()); err != nil {
		return err
	}
	return c.r.removeDeviceMails(mails)
}

// readDeletions returns what the records say, and those that could be read.
func (c *cycle) readDeletions(code string) (deletions, []deviceMail, error) {
	all, err := c.r.deviceMails()
	if err != nil {
		return nil, nil, err
	}
	known := deletions{}
	var read []deviceMail
	for _, m := range all {
		if m.purpose != deletionsPurpose {
			continue
		}
		one, err := c.readDeletion(m, code)
		if err != nil {
			return nil, nil, err
		}
		if one != nil {
			maps.Copy(known, one)
			read = append(read, m)
		}
	}
	return known, read, nil
}

// readDeletion reads one record: nil if it is gone, or not by a device that has the code.
func (c *cycle) readDeletion(m deviceMail, code string) (deletions, error) {
	mail, ok, err := c.r.readDeviceMail(m)
	if err != nil || !ok {
		return nil, err
	}
	content, err := openDeviceMail(mail, code)
	if errors.Is(err, pgp.ErrNoKey) || errors.Is(err, pgp.ErrDamaged) || errors.Is(err, pgp.ErrNotMessage) || errors.Is(err, pgp.ErrTooLarge) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a record of deletions: %w", err)
	}
	var d deletions
	if json.Unmarshal(content, &d) != nil {
		return nil, nil
	}
	return d, nil
}

// deletedElsewhere returns which messages other devices say that they deleted. It asks
// the server only if any is missing.
func (c *cycle) deletedElsewhere(missing bool) (deletions, error) {
	if !missing {
		return nil, nil
	}
	code, err := RecoveryCode(c.vault)
	if err != nil {
		return nil, err
	}
	known, _, err := c.readDeletions(code)
	return known, err
}
