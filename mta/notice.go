package mta

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/mailbox"
)

// # Subjects that are lost
//
// The subject of encrypted mail becomes "[...]" on its way in. A mail program that
// protects the header has the real one inside the encryption; one that does not loses
// it, and its user is told so by a mail in the mailbox: once a week at most, which is
// how long the store remembers a delivery.

// lostSubject is what a header tells of a subject that nobody will read.
type lostSubject struct {
	lost  bool
	agent string // the program, as it calls itself
}

// placeholders are the subjects of mail whose real one is inside.
var placeholders = []string{"", "...", "[...]", "encrypted message", "re: ...", "re: [...]"}

// see takes note of a field.
func (l *lostSubject) see(f mime.Field) {
	switch {
	case f.Is("Subject"):
		l.lost = !slices.Contains(placeholders, strings.ToLower(strings.TrimSpace(f.Value())))
	case f.Is("User-Agent"), f.Is("X-Mailer"):
		l.agent = f.Value()
	}
}

// advice names the setting by which a mail program keeps subjects.
func (l lostSubject) advice() string {
	for _, a := range []struct{ agent, text string }{
		{"K-9", "In K-9 Mail: account settings, End-to-end encryption, \"Encrypt message subjects\"."},
		{"Thunderbird", "In Thunderbird: Account Settings, End-To-End Encryption, Advanced Settings, \"Encrypt the\r\nsubject of OpenPGP messages\"."},
		{"Mutt", "In NeoMutt and Mutt: set crypt_protected_headers_write=yes"},
		{"KMail", "In KMail: Settings, Configure, Security, Composing, have the headers of messages encrypted."},
	} {
		if strings.Contains(l.agent, a.agent) {
			return a.text
		}
	}
	return "Look in its settings for \"encrypt the subject\" or \"protected headers\". Where there is no such\r\nsetting, write into the message what it is about."
}

// noticed remembers who was told today, so that the store need not be asked for each
// message.
type noticed struct {
	mu  sync.Mutex
	day mailbox.Day
	all map[mailbox.AccountID]bool
}

// first reports whether an account is told for the first time on a day.
func (n *noticed) first(id mailbox.AccountID, day mailbox.Day) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.day != day || n.all == nil {
		n.day, n.all = day, map[mailbox.AccountID]bool{}
	}
	told := n.all[id]
	n.all[id] = true
	return !told
}

// noticeSubject tells the sender of a message that was taken that its subject was
// lost. The message is taken whatever comes of it.
func (s *session) noticeSubject() {
	if !s.tx.lost.lost || s.policy.role != submission || !s.server.noticed.first(s.login.Account(), mailbox.DayOf(s.server.now())) {
		return
	}
	if err := s.deliverNotice(s.tx.from, s.tx.lost.advice()); err != nil {
		s.log.Warn("can't tell a user that a subject was lost", "error", err)
	}
}

func (s *session) deliverNotice(to addr.Address, advice string) error {
	r, err := s.server.service.Recipient(s.ctx, to, 0)
	if err != nil {
		return err
	}
	// Whoever was told within the week has this message, by its identity.
	same, err := s.server.service.Receive(s.ctx, strings.NewReader(s.notice(to, "the same", advice)), mailbox.ReceiveOptions{})
	if err != nil {
		return err
	}
	defer same.Close()
	m, err := s.server.service.Receive(s.ctx, strings.NewReader(s.notice(to, strings.ToLower(rand.Text()), advice)), mailbox.ReceiveOptions{})
	if err != nil {
		return err
	}
	defer m.Close()
	if err := m.StandFor(same); err != nil {
		return err
	}
	return s.server.service.Deliver(s.ctx, addr.Address{}, []mailbox.Recipient{r}, m)
}

// notice returns the mail from the relay to one of its users. It is no secret: what
// is in it holds for every user of that program.
func (s *session) notice(to addr.Address, id, advice string) string {
	domain := s.server.domains[0]
	return fmt.Sprintf("From: Your relay <postmaster@%[1]s>\r\nTo: <%[2]s>\r\nSubject: Your mail program does not encrypt subjects\r\n"+
		"Date: %[3]s\r\nMessage-ID: <%[4]s@%[1]s>\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"+
		"Content-Type: text/plain; charset=us-ascii\r\n\r\n"+
		"You sent encrypted mail whose subject was readable for everybody on its way. The relay has\r\n"+
		"replaced it by \"[...]\", and so the people you wrote to don't see it.\r\n\r\n"+
		"Your mail program can put the subject inside the encryption.\r\n%[5]s\r\n\r\n"+
		"This comes once a week at most, as long as subjects are lost.\r\n",
		domain, to, formatDate(s.server.now()), id, advice)
}
