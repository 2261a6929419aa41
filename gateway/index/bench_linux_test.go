package index

import (
	"bytes"
	"cmp"
	"fmt"
	"go/build"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
)

// benchMessages is the size of the mailbox that is searched.
const benchMessages = 50_000

// BenchmarkSearch searches one mailbox over IMAP: words that are in few messages, in
// many and in all, parts of words, phrases, senders and subjects, and texts that are
// nowhere.
func BenchmarkSearch(b *testing.B) {
	w := newWorld(b, usualSizes)
	text := newCorpus(b)
	begun := time.Now()
	for n := 0; n < benchMessages; n += 500 {
		mails := make([]string, 500)
		for i := range mails {
			mails[i] = text.mail(n + i)
		}
		w.deliver(b, mailbox.Inbox, mails...)
	}
	b.Logf("%d messages stored in %v", benchMessages, time.Since(begun))
	queries := text.queries()
	*text = corpus{} // so that its memory does not count
	debug.FreeOSMemory()
	resetPeak(b)
	begun = time.Now()
	must(b, w.Update(b.Context(), w.Session, mailbox.Inbox))
	b.Logf("indexed in %v, at most %d MiB of memory, %d MiB of index", time.Since(begun), peak(b), w.size(b))
	begun = time.Now()
	w.reopen(b)
	b.Logf("opened in %v", time.Since(begun))
	_, err := w.with.Select("INBOX", nil).Wait()
	must(b, err)
	debug.FreeOSMemory()
	resetPeak(b)
	for kind, queries := range queries {
		b.Run(kind, func(b *testing.B) { w.time(b, queries) })
	}
	b.Logf("at most %d MiB of memory", peak(b))
}

// time reports how long the queries take.
func (w *world) time(b *testing.B, queries []*imap.SearchCriteria) {
	var times []time.Duration
	found, before := 0, processorTime(b)
	for n := 0; b.Loop(); n++ {
		begun := time.Now()
		data, err := w.with.UIDSearch(queries[n%len(queries)], nil).Wait()
		must(b, err)
		times = append(times, time.Since(begun))
		found += len(data.AllUIDs())
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)*95/100].Microseconds())/1000, "p95-ms")
	b.ReportMetric(float64((processorTime(b)-before).Microseconds())/1000/float64(len(times)), "cpu-ms/op")
	b.ReportMetric(float64(found)/float64(len(times)), "found/op")
}

// corpus is text of which mails are made: Go's own sources, which are where this runs,
// and have words as often as people use them.
type corpus struct {
	*rand.Rand
	text  string
	words []string // the most frequent first
}

func newCorpus(b *testing.B) *corpus {
	c := &corpus{Rand: rand.New(rand.NewPCG(1, 1))}
	var all strings.Builder
	must(b, filepath.WalkDir(filepath.Join(build.Default.GOROOT, "src"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		text, err := os.ReadFile(path)
		if utf8.Valid(text) && len(text) < 200<<10 {
			all.Write(bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")))
		}
		return err
	}))
	c.text = all.String()
	count := map[string]int{}
	for _, word := range regexp.MustCompile(`[A-Za-z]{3,}`).FindAllString(c.text[:10<<20], -1) {
		count[strings.ToLower(strings.Clone(word))]++
	}
	c.words = slices.SortedFunc(maps.Keys(count), func(a, b string) int { return cmp.Or(count[b]-count[a], strings.Compare(a, b)) })
	return c
}

// mail returns a mail with a piece of the text, each with another.
func (c *corpus) mail(n int) string {
	size := len(c.text) / benchMessages
	text := strings.ToValidUTF8(c.text[n*size:(n+1)*size], "")
	return fmt.Sprintf("From: %s %s <%[1]s@example.org>\r\nTo: <me@example.org>\r\nSubject: %[3]s %[4]s %[5]d\r\nDate: %[6]s\r\nMessage-ID: <%[5]d@example.org>\r\n"+
		"Content-Type: text/plain; charset=utf-8\r\n\r\n%[7]s", c.words[200+n%300], c.words[n%500], c.words[c.IntN(2000)], c.words[c.IntN(9000)], n,
		time.Unix(1_700_000_000+int64(n)*600, 0).UTC().Format(time.RFC1123Z), strings.NewReplacer("\x00", "").Replace(text))
}

var threeWords = regexp.MustCompile(`[A-Za-z]{2,} [a-z]{2,} [a-z]{2,}`)

// queries are what people look for, by kind.
func (c *corpus) queries() map[string][]*imap.SearchCriteria {
	kinds := map[string][]*imap.SearchCriteria{}
	add := func(kind string, q imap.SearchCriteria) { kinds[kind] = append(kinds[kind], &q) }
	header := func(key, value string) imap.SearchCriteria {
		return imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: key, Value: value}}}
	}
	for i := range 50 {
		phrase := strings.Clone(threeWords.FindString(c.text[c.IntN(len(c.text)/2):]))
		rare := c.words[10_000+i*len(c.words)/100]
		add("rare word", imap.SearchCriteria{Text: []string{rare}})
		add("part of a rare word", imap.SearchCriteria{Text: []string{rare[1:]}})
		add("frequent word", imap.SearchCriteria{Body: []string{c.words[200+i*20]}})
		add("most frequent words", imap.SearchCriteria{Body: []string{c.words[i%5]}})
		add("any word of the text", imap.SearchCriteria{Text: []string{strings.Fields(phrase)[1]}})
		add("phrase", imap.SearchCriteria{Body: []string{phrase}})
		add("sender", header("FROM", c.words[200+i]))
		add("subject", header("SUBJECT", c.words[i*30]))
		add("nowhere", imap.SearchCriteria{Text: []string{"qzx" + rare}})
		add("two letters", imap.SearchCriteria{Text: []string{rare[:2]}})
	}
	return kinds
}

// size returns the size of the index on disk, in MiB.
func (w *world) size(b *testing.B) (sum int64) {
	for _, block := range w.of(mailbox.Inbox) {
		sum += block.end
	}
	return sum >> 20
}

// processorTime returns what the process has used: that does not suffer from others.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resetPeak makes the kernel forget how much memory the process had.
func resetPeak(b *testing.B) {
	b.Helper()
	must(b, os.WriteFile("/proc/self/clear_refs", []byte("5"), 0))
}

// peak returns the most memory that the process had since, in MiB.
func peak(b *testing.B) (mib int) {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	must(b, err)
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscan(rest, &mib); err != nil {
		b.Fatal(err)
	}
	return mib >> 10
}
