package pgp

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// The matrix: every program below opens what we write and writes what we open, with each kind of key on both sides. A
// program that is not installed is skipped by its name; .ci/run installs all of them.

// program is other OpenPGP software.
type program interface {
	// version says which one it is, for the log.
	version(t *testing.T) string
	// keys returns a fresh key of each kind that it makes.
	keys(t *testing.T) []foreignKey
	// open decrypts messages to keys of its own and verifies who signed them.
	open(t *testing.T, jobs []job) [][]byte
	// seal signs and encrypts.
	seal(t *testing.T, jobs []job) [][]byte
}

// foreignKey is a private key that a program made.
type foreignKey struct {
	kind     string
	armored  []byte
	cert     *Cert
	writesV2 bool // its program writes SEIPDv2 to those who read it
}

// job is one message for a program to open or to write.
type job struct {
	name  string
	key   foreignKey // its own
	certs []*Cert    // ours: who signed, or who is to read it
	in    []byte
}

// matrixPrograms are all programs, and which of our keys each can know.
var matrixPrograms = []struct {
	name string
	find func(*testing.T) program
	ours []string
	// paired: of our keys and our kinds of messages each meets every key of the program, but not every other one.
	// together: it writes to all of our keys at once only. Both save time where a process takes a second to start.
	paired, together bool
}{
	{"gpg", findGPG, []string{"classic", "hybrid", "rsa"}, false, false},
	{"sqop", findSqop, []string{"classic", "hybrid", "rsa"}, false, false},
	{"pgpainless-cli", findPGPainless, []string{"classic", "hybrid", "rsa"}, true, true},
	{"openpgp.js", findOpenPGPjs, []string{"classic", "hybrid", "rsa", "v6"}, true, false},
}

func TestInterop(t *testing.T) {
	t.Parallel()
	for _, tt := range matrixPrograms {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := tt.find(t)
			t.Log(p.version(t))
			keys := p.keys(t)
			t.Run("from us", func(t *testing.T) {
				t.Parallel()
				jobs, texts := outbound(t, keys, tt.ours, tt.paired)
				checkFromUs(t, p, jobs, texts)
			})
			t.Run("to us", func(t *testing.T) {
				t.Parallel()
				for _, key := range keys {
					checkToUs(t, p, key, recipientSets(tt.ours, tt.together))
				}
			})
		})
	}
}

// letter is a kind of message that we write. If residue is not negative, its armor holds a number of octets that leaves
// it modulo 3, which decides how armor ends.
type letter struct {
	name    string
	text    string
	residue int
	o       EncryptOptions
}

func matrixLetters() []letter {
	text := "Content-Type: text/plain; charset=utf-8\r\n\r\nGr\u00fc\u00dfe\r\n"
	return []letter{
		{"armor of 3n octets", text, 0, EncryptOptions{}},
		{"armor of 3n+1 octets", text, 1, EncryptOptions{}},
		{"armor of 3n+2 octets", text, 2, EncryptOptions{}},
		{"nothing", "", -1, EncryptOptions{}},
		{"attachment", attachment(), -1, EncryptOptions{}},
		{"anonymous", text, -1, EncryptOptions{Anonymous: true}},
	}
}

// attachment is an entity with a text and 100 KiB of octets.
func attachment() string {
	var lines strings.Builder
	for data := noise(100 << 10); len(data) > 0; data = data[min(57, len(data)):] {
		lines.WriteString(base64.StdEncoding.EncodeToString(data[:min(57, len(data))]) + "\r\n")
	}
	return "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nsee there\r\n" +
		"--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n" + lines.String() + "--b--\r\n"
}

// outbound writes messages to each key from each of ours. What a message must say is the text of its letter, and more
// of it where the length had to fit.
func outbound(t *testing.T, keys []foreignKey, ours []string, paired bool) (jobs []job, texts []string) {
	t.Helper()
	for k, key := range keys {
		for i, l := range matrixLetters() {
			for j, name := range ours {
				if paired && j != (k+i)%len(ours) {
					continue
				}
				signer := readTestKey(t, name)
				message, text := writeLetter(t, l, signer, key.cert)
				jobs = append(jobs, job{name: fmt.Sprintf("%s, from %s, to %s", l.name, name, key.kind), key: key, certs: []*Cert{signer.Cert()}, in: message})
				texts = append(texts, text)
			}
		}
	}
	return jobs, texts
}

// writeLetter writes l, with more text until the armor has the length that it wants.
func writeLetter(t *testing.T, l letter, signer *Key, to *Cert) (message []byte, text string) {
	t.Helper()
	l.o.Now = time.Now
	for more := range 200 {
		text := l.text + strings.Repeat("x", 97*more)
		message := encryptText(t, text, signer, []*Cert{to}, l.o)
		if _, data, err := readArmor(string(message)); err != nil {
			t.Fatal(err)
		} else if l.residue < 0 || len(data)%3 == l.residue {
			return message, text
		}
	}
	t.Fatalf("no message to %s has the length for %s", to.Fingerprint(), l.name)
	return nil, ""
}

func checkFromUs(t *testing.T, p program, jobs []job, texts []string) {
	t.Helper()
	for i, got := range p.open(t, jobs) {
		if string(got) != texts[i] {
			t.Errorf("%s: got %d octets, want %d", jobs[i].name, len(got), len(texts[i]))
		}
	}
	t.Logf("opened %d messages", len(jobs))
}

// recipientSets returns which of our keys a program writes to at once.
func recipientSets(ours []string, together bool) [][]string {
	sets := [][]string{ours}
	if together {
		return sets
	}
	for _, name := range ours {
		sets = append(sets, []string{name})
	}
	return sets
}

// checkToUs has the program write to each set of our keys, and opens that with each of them.
func checkToUs(t *testing.T, p program, key foreignKey, sets [][]string) {
	t.Helper()
	var jobs []job
	var readers [][]string
	for _, set := range sets {
		for _, text := range []string{"Content-Type: text/plain\r\n\r\nhello\r\n", attachment()} {
			j := job{name: fmt.Sprintf("to %v, from %s, %d octets", set, key.kind, len(text)), key: key, in: []byte(text)}
			for _, name := range set {
				j.certs = append(j.certs, readTestKey(t, name).Cert())
			}
			jobs, readers = append(jobs, j), append(readers, set)
		}
	}
	for i, message := range p.seal(t, jobs) {
		checkForeignMessage(t, jobs[i], message, readers[i])
	}
	t.Logf("wrote %d messages", len(jobs))
}

// checkForeignMessage opens a message with each of our keys.
func checkForeignMessage(t *testing.T, j job, message []byte, readers []string) {
	t.Helper()
	_, packets, err := readArmor(string(message))
	if err != nil {
		t.Errorf("%s: %v", j.name, err)
		return
	}
	all := describe(t, packets)
	if got, want := all[len(all)-1], formatOf(j, readers); got != want {
		t.Errorf("%s: got format %q, want %q", j.name, got, want)
	}
	if err := checkPackets(packets); err != nil {
		t.Errorf("%s: the gate: %v", j.name, err)
	}
	for _, name := range readers {
		text, result, err := decryptText(message, DecryptOptions{Keys: []*Key{readTestKey(t, name)}, Certs: []*Cert{j.key.cert}, Now: time.Now})
		if err != nil || !bytes.Equal([]byte(text), j.in) || result.Signature != GoodSignature || result.Signer != j.key.cert.Fingerprint() {
			t.Errorf("%s, opened with %s: got %d octets, %+v, %v", j.name, name, len(text), result, err)
		}
	}
}

// formatOf returns which encrypted packet a program should have written: our rsa key does not promise to read SEIPDv2.
func formatOf(j job, readers []string) string {
	if j.key.writesV2 && !slices.Contains(readers, "rsa") {
		return "18 v2"
	}
	return "18 v1"
}
