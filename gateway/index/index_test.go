package index

import (
	"encoding/base64"
	"fmt"
	"maps"
	"math/rand/v2"
	"mime"
	"mime/quotedprintable"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
)

// letter is a mail of which the test knows what a person reads in it.
type letter struct{ from, subject, text string }

// words are what letters are made of. Some are parts of others.
var words = strings.Fields(`alpha beta gamma delta meet meeting meetings at noon invoice 4711 re naïve café Ärger straße 日本語 кошка
	a to in on x y überraschung supercalifragilistic hello world lo wo .,; == <> 100% tab`)

func randomLetter(r *rand.Rand) letter {
	text := func(n int) string {
		var list []string
		for range n {
			list = append(list, words[r.IntN(len(words))])
		}
		return strings.Join(list, []string{" ", "\r\n", "  "}[r.IntN(3)])
	}
	return letter{from: words[r.IntN(8)], subject: strings.ReplaceAll(text(3), "\r\n", " "), text: text(1 + r.IntN(60))}
}

// write encodes a letter in one of the ways in which mail programs do.
func (l letter) write(way int) string {
	head := fmt.Sprintf("From: %s <%[1]s@example.org>\r\nTo: <me@example.org>\r\nSubject: %s\r\nMIME-Version: 1.0\r\n", l.from, mime.QEncoding.Encode("utf-8", l.subject))
	switch way % 5 {
	case 0:
		return head + "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + l.text + "\r\n"
	case 1:
		return head + "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" + fold76(base64.StdEncoding.EncodeToString([]byte(l.text)))
	case 2:
		return head + "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + quoted(l.text)
	case 3:
		return head + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n" +
			"--b\r\nContent-Type: text/plain; charset=utf-16be\r\nContent-Transfer-Encoding: base64\r\n\r\n" + fold76(base64.StdEncoding.EncodeToString(utf16be(l.text))) + "--b--\r\n"
	}
	html := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "e", "<b>e</b>").Replace(l.text)
	return head + "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + quoted("<html><style>p{}</style><p>"+html+"</p></html>")
}

func fold76(s string) string {
	var b strings.Builder
	for len(s) > 76 {
		b.WriteString(s[:76] + "\r\n")
		s = s[76:]
	}
	return b.String() + s + "\r\n"
}

func quoted(s string) string {
	var b strings.Builder
	w := quotedprintable.NewWriter(&b)
	_, _ = w.Write([]byte(s)) // a Builder takes all
	w.Close()
	return b.String()
}

func utf16be(s string) (b []byte) {
	for _, r := range s { // all of the words are in the basic plane
		b = append(b, byte(r>>8), byte(r))
	}
	return b
}

// TestRecall: whatever was delivered, expunged, moved, and lost of the index, a search
// finds every letter in which a plain grep finds the text, and exactly what a search
// without index finds.
func TestRecall(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 3))
			x := &random{world: newWorld(t, sizes{fresh: 6, block: 24}), Rand: r, letters: map[imap.UID]letter{}, next: 1}
			for range 24 {
				x.step(t)
				x.search(t)
			}
			if len(x.of(mailbox.Inbox)) == 0 {
				t.Error("there was no block at the end: the test tries nothing")
			}
		})
	}
}

// random is a world to which things happen.
type random struct {
	*world
	*rand.Rand
	letters map[imap.UID]letter // in INBOX
	next    imap.UID
}

func (x *random) step(t *testing.T) {
	t.Helper()
	switch x.IntN(8) {
	case 0, 1, 2:
		var mails []string
		for range 1 + x.IntN(20) {
			l := randomLetter(x.Rand)
			mails = append(mails, l.write(x.IntN(5)))
			x.letters[x.next] = l
			x.next++
		}
		x.deliver(t, mailbox.Inbox, mails...)
	case 3:
		for _, uid := range slices.Sorted(maps.Keys(x.letters)) {
			if x.IntN(5) > 0 {
				continue
			}
			_, err := x.Expunge(t.Context(), mailbox.Inbox, one(uid), true)
			must(t, err)
			delete(x.letters, uid)
		}
	case 4:
		x.lose(t)
	case 5:
		x.reopen(t)
	default:
		must(t, x.Update(t.Context(), x.Session, mailbox.Inbox))
	}
}

func one(uid imap.UID) []mailbox.UIDRange {
	return []mailbox.UIDRange{{Low: mailbox.UID(uid), High: mailbox.UID(uid)}}
}

// lose does to one file of the index what a crash or a disk can do.
func (x *random) lose(t *testing.T) {
	t.Helper()
	blocks := x.of(mailbox.Inbox)
	if len(blocks) == 0 {
		return
	}
	b := blocks[x.IntN(len(blocks))]
	path := x.fileOf(t)
	if path == "" { // all are lost already
		return
	}
	switch x.IntN(4) {
	case 0: // written, and the old ones not yet removed
		must(t, x.cover(t.Context(), x.Session, mailbox.Mailbox{ID: b.mailbox, UIDValidity: b.validity}, []mailbox.UID{b.docs[0].uid}))
	case 1: // half written
		must(t, os.WriteFile(path+".X.new", []byte("half"), 0o600))
	case 2:
		must(t, os.Truncate(path, 100))
	default:
		must(t, os.Remove(path))
	}
}

// fileOf returns a file of the index.
func (x *random) fileOf(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(x.options.Dir, "*", "*"))
	must(t, err)
	if len(files) == 0 {
		return ""
	}
	return files[x.IntN(len(files))]
}

// search looks for a few texts, in each place.
func (x *random) search(t *testing.T) {
	t.Helper()
	for range 2 {
		text := x.text()
		whole := x.agree(t, &imap.SearchCriteria{Text: []string{text}})
		x.recalls(t, whole, text, func(l letter) string { return "from: " + l.from + "\nsubject: " + l.subject + "\n" + l.text })
		body := x.agree(t, &imap.SearchCriteria{Body: []string{text}})
		x.recalls(t, body, text, func(l letter) string { return l.text })
		field := []string{"SUBJECT", "FROM", "TO", "CC", "X-OTHER", "CONTENT-TYPE"}[x.IntN(6)]
		x.agree(t, &imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: field, Value: text}}})
		x.agree(t, &imap.SearchCriteria{Not: []imap.SearchCriteria{{Body: []string{text}}}, Text: []string{x.text()}})
		x.agree(t, &imap.SearchCriteria{Or: [][2]imap.SearchCriteria{{{Body: []string{text}}, {
			Header: []imap.SearchCriteriaHeaderField{{Key: "FROM", Value: x.text()}}, NotFlag: []imap.Flag{imap.FlagSeen},
		}}}})
	}
}

// text is a part of a letter, or one that is in none.
func (x *random) text() string {
	if uids := slices.Sorted(maps.Keys(x.letters)); len(uids) > 0 {
		chars := []rune(strings.ReplaceAll(x.letters[uids[x.IntN(len(uids))]].text, "\r\n", " "))
		from := x.IntN(len(chars))
		return string(chars[from:min(len(chars), from+1+x.IntN(12))])
	}
	return "nothing"
}

// recalls holds what was found to a plain grep.
func (x *random) recalls(t *testing.T, found []imap.UID, text string, of func(letter) string) {
	t.Helper()
	has := map[imap.UID]bool{}
	for _, uid := range found {
		has[uid] = true
	}
	for uid, l := range x.letters {
		if strings.Contains(strings.ToLower(of(l)), strings.ToLower(text)) && !has[uid] {
			t.Fatalf("a search for %q does not find %q", text, of(l))
		}
	}
}
