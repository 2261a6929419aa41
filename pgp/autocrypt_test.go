package pgp

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/restante/restante/internal/addr"
)

func keydata(c *Cert) string { return base64.StdEncoding.EncodeToString(c.Bytes()) }

func TestAutocryptRoundTrip(t *testing.T) {
	t.Parallel()
	for _, profile := range []Profile{Hybrid, Classic} {
		for _, mutual := range []bool{false, true} {
			k := newTestKey(t, "alice@example.org", profile)
			want := Autocrypt{Addr: addr.MustParse("alice@example.org"), Mutual: mutual, Cert: k.Cert()}
			value, err := want.Value()
			if err != nil {
				t.Fatal(err)
			}
			var field strings.Builder
			if err := writeField(&field, Field{"Autocrypt", value}); err != nil {
				t.Fatal(err)
			}
			for line := range strings.SplitSeq(field.String(), "\r\n") {
				if len(line) > 78 {
					t.Errorf("line %q is longer than 78", line)
				}
			}
			got, err := ParseAutocrypt(fieldsOf([]byte(field.String()))[0].Value)
			if err != nil {
				t.Fatal(err)
			}
			if got.Addr != want.Addr || got.Mutual != want.Mutual || !bytes.Equal(got.Cert.Bytes(), want.Cert.Bytes()) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		}
	}
}

func TestParseAutocrypt(t *testing.T) {
	t.Parallel()
	data := keydata(newTestKey(t, "alice@example.org", Classic).Cert())
	tests := []struct {
		name, value string
		ok, mutual  bool
	}{
		{"least", "addr=alice@example.org; keydata=" + data, true, false},
		{"mutual", "addr=alice@example.org; prefer-encrypt=mutual; keydata=" + data, true, true},
		{"other preference", "addr=alice@example.org; prefer-encrypt=perhaps; keydata=" + data, true, false},
		{"blanks in the data", "addr=alice@example.org; keydata=" + data[:40] + " \t" + data[40:], true, false},
		{"no blanks", "addr=alice@example.org;keydata=" + data, true, false},
		{"semicolon at the end", "addr=alice@example.org; keydata=" + data + ";", true, false},
		{"unknown, not critical", "addr=alice@example.org; _level=2; keydata=" + data, true, false},
		{"unknown, critical", "addr=alice@example.org; level=2; keydata=" + data, false, false},
		{"keydata not last", "addr=alice@example.org; keydata=" + data + "; _a=b", false, false},
		{"addr twice", "addr=alice@example.org; addr=bob@example.org; keydata=" + data, false, false},
		{"no addr", "keydata=" + data, false, false},
		{"no keydata", "addr=alice@example.org", false, false},
		{"no value", "addr=alice@example.org; mutual; keydata=" + data, false, false},
		{"bad addr", "addr=alice; keydata=" + data, false, false},
		{"bad base64", "addr=alice@example.org; keydata=" + data[:len(data)-1] + "!", false, false},
		{"cut off", "addr=alice@example.org; keydata=" + data[:len(data)/2], false, false},
		{"no certificate", "addr=alice@example.org; keydata=aGVsbG8=", false, false},
		{"empty", "", false, false},
		{"too long", "addr=alice@example.org; _x=" + strings.Repeat("x", MaxAutocrypt) + "; keydata=" + data, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseAutocrypt(tt.value)
			if (err == nil) != tt.ok {
				t.Fatalf("got %v, want success: %v", err, tt.ok)
			}
			if err != nil && !errors.Is(err, ErrAutocrypt) {
				t.Errorf("got %v, want ErrAutocrypt", err)
			}
			if got.Mutual != tt.mutual {
				t.Errorf("got mutual %v, want %v", got.Mutual, tt.mutual)
			}
		})
	}
}

func TestFindAutocrypt(t *testing.T) {
	t.Parallel()
	alice := addr.MustParse("alice@example.org")
	good := "addr=Alice@example.org; keydata=" + keydata(newTestKey(t, "alice@example.org", Classic).Cert())
	other := "addr=bob@example.org; keydata=" + keydata(newTestKey(t, "bob@example.org", Classic).Cert())
	tests := []struct {
		name   string
		header []Field
		want   bool
	}{
		{"none", []Field{{"From", "alice@example.org"}}, false},
		{"one", []Field{{"AUTOCRYPT", good}}, true},
		{"another's", []Field{{"Autocrypt", other}}, false},
		{"one and another's", []Field{{"Autocrypt", other}, {"Autocrypt", good}}, true},
		{"one and an invalid", []Field{{"Autocrypt", "addr=alice@example.org"}, {"Autocrypt", good}}, true},
		{"two", []Field{{"Autocrypt", good}, {"Autocrypt", good}}, false},
		{"gossip", []Field{{"Autocrypt-Gossip", good}}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, got := FindAutocrypt(tt.header, alice); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	gossip := FindGossip([]Field{{"Autocrypt-Gossip", good}, {"Autocrypt-Gossip", "bad"}, {"Autocrypt-Gossip", other}, {"Autocrypt", good}})
	if len(gossip) != 2 || gossip[1].Addr.String() != "bob@example.org" {
		t.Errorf("gossip: got %+v, want alice and bob", gossip)
	}
}

// FuzzParseAutocrypt checks that what parses is written and parsed the same again.
func FuzzParseAutocrypt(f *testing.F) {
	k := newTestKey(f, "a@example.org", Classic)
	f.Add("addr=a@example.org; prefer-encrypt=mutual; keydata=" + keydata(k.Cert()))
	f.Add("addr=a@example.org; _x=y; keydata=AAAA;")
	f.Fuzz(func(t *testing.T, value string) {
		a, err := ParseAutocrypt(value)
		if err != nil {
			return
		}
		again, err := a.Value()
		if errors.Is(err, ErrAutocrypt) {
			return
		}
		b, err := ParseAutocrypt(again)
		if err != nil {
			t.Fatalf("what was parsed cannot be parsed when written: %v", err)
		}
		if a.Addr != b.Addr || a.Mutual != b.Mutual || !bytes.Equal(a.Cert.Bytes(), b.Cert.Bytes()) {
			t.Errorf("got %+v, want %+v", b, a)
		}
	})
}
