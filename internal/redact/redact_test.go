package redact

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	t.Parallel()
	const fingerprint = "4ae29bd1c0f9d7761f6a0b1e5c2d3f4a5b6c7d8e"
	tests := []struct{ name, in, want string }{
		{"empty", "", ""},
		{"message", "delivered", "delivered"},
		{"long message", "closed the connections that did not end in time", "closed the connections that did not end in time"},
		{"time", "at 12:34:56 in 1.5s, 10:00", "at 12:34:56 in 1.5s, 10:00"},
		{"version of three parts", "go-smtp v0.25.1 on go1.26.8", "go-smtp v0.25.1 on go1.26.8"},
		{"ellipsis", "trying again in 5...", "trying again in 5..."},
		{"port", "listen tcp :993: permission denied", "listen tcp :993: permission denied"},
		{"path", "open /var/lib/restante/blobs/accounts/2025-11/data: no such file", "open /var/lib/restante/blobs/accounts/2025-11/data: no such file"},
		{"uuid", "session 0f8fad5b-d9cb-469f-a165-70867728950e", "session 0f8fad5b-d9cb-469f-a165-70867728950e"},
		{"lone at sign", "a @ b, @example, name@ x", "a @ b, @example, name@ x"},

		{"address", "no such user alice@example.org here", "no such user [redacted] here"},
		{"address in brackets", "RCPT TO:<a.b+c@example.org> SIZE=5", "RCPT TO:<[redacted]> SIZE=5"},
		{"two addresses", "from a@b to c@d", "from [redacted] to [redacted]"},
		{"addresses in a list", "a@b,c@d;e@f", "[redacted],[redacted];[redacted]"},
		{"address with two signs", "a@b@c", "[redacted]"},
		{"quoted local part", `to "john \"j\" doe"@example.org now`, `to [redacted] now`},
		{"address in a quoted local part", `to "j@x doe"@example.org now`, `to "[redacted] now`},
		{"quote without a beginning", `doe"@example.org`, "[redacted]"},
		{"address literal", "a@[192.0.2.1] b@[IPv6:2001:db8::1]", "[redacted] [redacted]"},
		{"open address literal", "a@[192.0.2.1", "[redacted]"},
		{"not ASCII", "für jürgen@exämple.org da", "für [redacted] da"},
		{"in a URL", "GET /new?for=alice%40example.org", "GET [redacted]"},
		{"credentials in a URL", "postgres://relay:hunter2@db/mail", "postgres://relay:[redacted]"},

		{"IPv4", "dial 192.0.2.7: refused", "dial [redacted] refused"},
		{"IPv4 and port", "read 192.0.2.7:25->198.51.100.3:40001", "read [redacted]->[redacted]"},
		{"IPv4 in brackets", "[192.0.2.7]", "[[redacted]]"},
		{"IPv4 in a name", "4.3.2.1.in-addr.arpa", "[redacted]in-addr.arpa"},
		{"IPv6", "dial [2001:db8::1]:993", "dial [[redacted]]:993"},
		{"IPv6 in full", "2001:db8:0:0:0:0:0:1", "[redacted]"},
		{"IPv6 with a zone", "fe80::1%eth0", "[redacted]%eth0"},
		{"IPv4 in IPv6", "::ffff:192.0.2.7", "[redacted]"},
		{"IPv4 after six groups", "64:ff9b:0:0:0:0:192.0.2.7", "[redacted]"},

		{"armor", "bad: -----BEGIN PGP MESSAGE-----\n\nhQ\n=x\n-----END PGP MESSAGE----- end", "bad: [redacted] end"},
		{"armor cut off", "bad: -----BEGIN PGP PRIVATE KEY BLOCK-----\nhQ", "bad: [redacted]"},
		{"two keys", "-----BEGIN A-----x-----END A-----, -----BEGIN B-----y-----END B-----", "[redacted], [redacted]"},
		{"armor without an end of its end", "-----BEGIN PGP MESSAGE----- a -----END PGP", "[redacted]"},

		{"secret", "wrong r1-abcd-ABCDEFGHIJ-x9", "wrong [redacted]"},
		{"secret in capitals", "wrong R1-ABCD", "wrong [redacted]"},
		{"name of the form", "an r1- secret", "an r1- secret"},
		{"fingerprint", "key " + fingerprint + " changed", "key [redacted] changed"},
		{"base64", "AGFsaWNlAHNlY3JldA+/AGFsaWNlAHNlY3JldA==", "[redacted]"},
		{"base64url", "t=eyJh-GciOiJ_UzI1NiJ9-eyJzdWIiOiIx_MjM0NTY3", "[redacted]"},
		{"short token", "id 5KQ7XW2A", "id 5KQ7XW2A"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := Text(test.in); got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

// addressForm is a mail address by a rule other than that of the package: an at
// sign between two characters that no list, bracket or space is made of.
var addressForm = regexp.MustCompile(`[^\s\x00-\x20\x7f<>()\[\],;:"\\]@[^\s\x00-\x20\x7f<>()\],;:"\\]`)

// FuzzText plants an address of each kind in a text and looks for what is left.
func FuzzText(f *testing.F) {
	f.Add("RCPT TO:<", "alice", ">", []byte{192, 0, 2, 1})
	f.Add(`"`, "a.b", `"@c`, []byte("\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"))
	f.Add("-----BEGIN ", "x", "1.2.3", []byte("\x20\x01\x0d\xb8\x00\x01\x00\x02\x00\x03\x00\x04\x00\x05\x00\x06"))
	f.Add("a@[", "é", "::", []byte{1, 1, 1, 1})
	f.Fuzz(func(t *testing.T, before, local, after string, ip []byte) {
		if len(before)+len(local)+len(after) > 300 {
			return // looking for every address there may be takes long
		}
		texts := []string{before + local + after, before + local + "@example.org" + after}
		if a, ok := netip.AddrFromSlice(ip); ok {
			texts = append(texts, before+a.String()+after, before+netip.AddrPortFrom(a, 25).String()+after)
		}
		for _, text := range texts {
			nothingLeft(t, text, Text(text))
		}
	})
}

// nothingLeft fails the test if an address of either kind is in the text.
func nothingLeft(t *testing.T, in, out string) {
	t.Helper()
	rest := strings.ReplaceAll(out, Placeholder, " ")
	if found := addressForm.FindString(rest); found != "" {
		t.Errorf("%q became %q, with an address at %q", in, out, found)
	}
	for i := range len(rest) {
		for j := i + 2; j <= min(len(rest), i+45); j++ {
			if ip, err := netip.ParseAddr(rest[i:j]); err == nil {
				t.Errorf("%q became %q, with the address %v", in, out, ip)
			}
		}
	}
}

// TestTextIsLinear reads texts whose parts could each make the whole be read
// again. With quadratic time it would not end.
func TestTextIsLinear(t *testing.T) {
	t.Parallel()
	for _, part := range []string{`\"@a`, `"@`, `@`, `a@`, `@a `, `"@a `, `a"`, "-----BEGIN ", "-----END ", "r1-", "1.", "::", "%40"} {
		Text(strings.Repeat(part, 1<<20/len(part)))
	}
}

func BenchmarkConstantMessage(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Text("delivered")
	}
}

func BenchmarkErrorText(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Text("open /var/lib/restante/blobs/accounts/2025-11/data: no such file or directory")
	}
}
