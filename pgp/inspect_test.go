package pgp

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write golden files")

// everything allows all exceptions, so that what is refused is refused by their own grammars.
var everything = InspectOptions{NullSender: true, SecureJoin: true}

func inspectBytes(b []byte, o InspectOptions) error { return Inspect(bytes.NewReader(b), o) }

// corpus returns the mails of a folder of testdata/gate by name.
func corpus(t testing.TB, folder string) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata/gate", folder, "*.eml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no mails in %s: %v", folder, err)
	}
	mails := map[string][]byte{}
	for _, file := range files {
		mail, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		mails[strings.TrimSuffix(filepath.Base(file), ".eml")] = mail
	}
	return mails
}

func TestGateCorpusPass(t *testing.T) {
	t.Parallel()
	for name, mail := range corpus(t, "pass") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := NewInspector(everything)
			if _, err := in.Write(mail); err != nil {
				t.Fatal(err)
			}
			v, err := in.Close()
			if err != nil {
				t.Fatal(err)
			}
			if m := in.Message(); m == nil || m.Size != int64(len(mail)) {
				t.Errorf("got message %+v, want one of %d octets", m, len(mail))
			}
			checkKind(t, name, v, mail)
		})
	}
}

// checkKind checks the verdict against the name of the file, and that exceptions need leave.
func checkKind(t *testing.T, name string, v Verdict, mail []byte) {
	t.Helper()
	want := Encrypted
	switch {
	case strings.HasPrefix(name, "report-"):
		want = Report
	case strings.HasPrefix(name, "join-"):
		want = SecureJoin
	}
	if v.Kind != want {
		t.Errorf("got kind %v, want %v", v.Kind, want)
	}
	if want == Encrypted && v.Recipients+v.Passphrases == 0 {
		t.Errorf("got %+v, want session keys", v)
	}
	passes := inspectBytes(mail, InspectOptions{}) == nil
	if passes != (want == Encrypted) {
		t.Errorf("without options it passes: %v", passes)
	}
}

// TestGateCorpusRefuse compares the reasons to the golden file.
func TestGateCorpusRefuse(t *testing.T) {
	t.Parallel()
	const golden = "testdata/gate/refuse.txt"
	got := refusals(t)
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, string(want)); diff != "" {
		t.Errorf("got - want +\n%s", diff)
	}
}

// refusals returns a line for each mail to refuse.
func refusals(t *testing.T) string {
	t.Helper()
	var lines strings.Builder
	files, err := filepath.Glob("testdata/gate/refuse/*.eml")
	if err != nil {
		t.Fatal(err)
	}
	mails := corpus(t, "refuse")
	for _, file := range files { // sorted
		name := strings.TrimSuffix(filepath.Base(file), ".eml")
		err := inspectBytes(mails[name], everything)
		var refusal *NotEncrypted
		if !errors.As(err, &refusal) || !errors.Is(err, ErrNotEncrypted) {
			t.Errorf("%s: got %v, want a refusal", name, err)
			continue
		}
		fmt.Fprintf(&lines, "%s: %s\n", name, refusal.Reason)
	}
	return lines.String()
}

// TestGateCorpusSources holds sources.txt to a line for each mail, with who wrote it.
func TestGateCorpusSources(t *testing.T) {
	t.Parallel()
	var want, got []string
	for _, folder := range []string{"pass", "refuse"} {
		for name := range corpus(t, folder) {
			want = append(want, folder+"/"+name)
		}
	}
	slices.Sort(want)
	for line := range strings.Lines(string(readTestdata(t, "gate", "sources.txt"))) {
		name, who, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if got = append(got, name); who == "" {
			t.Errorf("%s: nothing says who wrote it", name)
		}
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got - want +\n%s", diff)
	}
}

// TestGateChunks checks that neither verdict depends on how a message was cut.
func TestGateChunks(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"pass", "refuse"} {
		for name, mail := range corpus(t, folder) {
			t.Run(folder+"/"+name, func(t *testing.T) {
				t.Parallel()
				want := Inspect(iotest.OneByteReader(bytes.NewReader(mail)), everything)
				if (want == nil) != (folder == "pass") {
					t.Fatalf("octet by octet: %v", want)
				}
				for _, piece := range []int{2, 3, 63, 64, 65, 1000} {
					if got := inspectPieces(mail, piece); (got == nil) != (want == nil) {
						t.Errorf("in pieces of %d: got %v, want %v", piece, got, want)
					}
				}
			})
		}
	}
}

func inspectPieces(mail []byte, n int) error {
	in := NewInspector(everything)
	for rest := mail; len(rest) > 0; rest = rest[min(n, len(rest)):] {
		if _, err := in.Write(rest[:min(n, len(rest))]); err != nil {
			return err
		}
	}
	_, err := in.Close()
	return err
}

// TestGateRefusesCuts checks that no beginning of an encrypted mail passes, unless only blank lines are missing.
func TestGateRefusesCuts(t *testing.T) {
	t.Parallel()
	mail := corpus(t, "pass")["sqop-sign-encrypt.rfc3156"]
	whole := bytes.TrimRight(mail, "\r\n")
	for n := range whole {
		if inspectBytes(whole[:n], InspectOptions{}) == nil {
			t.Errorf("the first %d of %d octets pass", n, len(mail))
		}
	}
	if err := inspectBytes(whole, InspectOptions{}); err != nil {
		t.Errorf("without the last line end: %v", err)
	}
}

// TestGateRefusesEarly checks that plain mail is refused at its header, before its body is read, and stays refused.
func TestGateRefusesEarly(t *testing.T) {
	t.Parallel()
	in := NewInspector(InspectOptions{})
	_, err := io.WriteString(in, "From: <a@example.org>\r\nContent-Type: text/plain\r\n\r\n")
	if !errors.Is(err, ErrNotEncrypted) {
		t.Fatalf("after the header: got %v, want a refusal", err)
	}
	if _, again := in.Write([]byte("more")); again != err {
		t.Errorf("next Write: got %v, want %v", again, err)
	}
	if _, again := in.Close(); again != err || in.Message() != nil {
		t.Errorf("Close: got %v and message %v, want %v and none", again, in.Message(), err)
	}
}

// TestGateDataRefusedEarly checks that text in place of data is refused after the first window.
func TestGateDataRefusedEarly(t *testing.T) {
	t.Parallel()
	k := newTestKey(t, "a@example.org", Classic)
	head := encryptText(t, "", nil, []*Cert{k.Cert()}, EncryptOptions{Binary: true})
	pkesk := head[:2+int(head[1])]
	text := strings.Repeat("all work and no play makes jack a dull boy ", 1000)
	mail := pgpMIME(armored("PGP MESSAGE", append(bytes.Clone(pkesk), dataPacket(2, text)...)))
	in := NewInspector(InspectOptions{})
	n, err := 0, error(nil)
	for ; err == nil && n < len(mail); n += 100 {
		_, err = in.Write(mail[n:min(n+100, len(mail))])
	}
	if !errors.Is(err, ErrNotEncrypted) || n > 10_000 {
		t.Errorf("got %v after %d octets, want a refusal in the first 10000", err, n)
	}
}

func TestInspectReaderError(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection reset")
	mail := corpus(t, "pass")["gpg-rsa.k9"]
	r := io.MultiReader(bytes.NewReader(mail[:200]), iotest.ErrReader(broken))
	if err := Inspect(r, InspectOptions{}); !errors.Is(err, broken) || errors.Is(err, ErrNotEncrypted) {
		t.Errorf("got %v, want the reader's error", err)
	}
}

// pgpMIME returns a mail around armored data, as Thunderbird shapes it.
func pgpMIME(armor []byte) []byte {
	return []byte("From: <alice@example.org>\r\nTo: <bob@example.org>\r\nSubject: ...\r\n" +
		"Date: Sun, 01 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/encrypted;\r\n protocol=\"application/pgp-encrypted\";\r\n boundary=\"------------abc\"\r\n\r\n" +
		"This is an OpenPGP/MIME encrypted message (RFC 4880 and 3156)\r\n" +
		"--------------abc\r\nContent-Type: application/pgp-encrypted\r\n" +
		"Content-Description: PGP/MIME version identification\r\n\r\nVersion: 1\r\n\r\n" +
		"--------------abc\r\nContent-Type: application/octet-stream; name=\"encrypted.asc\"\r\n" +
		"Content-Description: OpenPGP encrypted message\r\n" +
		"Content-Disposition: inline; filename=\"encrypted.asc\"\r\n\r\n" +
		string(armor) + "\r\n--------------abc--\r\n")
}

// sealedMail returns an encrypted mail with n octets of text.
func sealedMail(t testing.TB, n int) []byte {
	k := newTestKey(t, "alice@example.org", Classic)
	return pgpMIME(encryptText(t, strings.Repeat("x", n), k, []*Cert{k.Cert()}, EncryptOptions{}))
}

func TestGatePassesOwnMail(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 5000, 100_000} {
		if err := inspectBytes(sealedMail(t, n), InspectOptions{}); err != nil {
			t.Errorf("%d octets: %v", n, err)
		}
	}
}

// BenchmarkInspect takes mails of the sizes named on the wire.
func BenchmarkInspect(b *testing.B) {
	for _, size := range []struct {
		name string
		n    int
	}{{"4KiB", 2130}, {"1MiB", 760_000}} {
		b.Run(size.name, func(b *testing.B) {
			k := oldKey(b, "alice@example.org") // messages to it are not padded
			mail := pgpMIME(encryptText(b, strings.Repeat("x", size.n), k, []*Cert{k.Cert()}, EncryptOptions{}))
			b.SetBytes(int64(len(mail)))
			b.ReportAllocs()
			for b.Loop() {
				if err := inspectBytes(mail, InspectOptions{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(mail)), "octets")
		})
	}
}
