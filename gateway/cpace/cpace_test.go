package cpace

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/gtank/ristretto255"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestVectors holds every step to the draft's own numbers (appendix B.3).
func TestVectors(t *testing.T) {
	t.Parallel()
	code, session := []byte("Password"), unhex(t, "7e4b4791d6a8ef019b936c79fb7f2c57")
	context := []byte("oc\x0bB_responder\x0bA_initiator")
	start1 := func(scalar string) (*Party, []byte) {
		s := ristretto255.NewScalar()
		if err := s.Decode(unhex(t, scalar)); err != nil {
			t.Fatal(err)
		}
		return start(code, context, session, s)
	}
	check := func(what string, got []byte, want string) {
		t.Helper()
		if hex.EncodeToString(got) != want {
			t.Errorf("%s: got %x, want %s", what, got, want)
		}
	}
	check("generator", generator(code, context, session).Encode(nil), "a6fc82c3b8968fbb2e06fee81ca858586dea50d248f0c7ca6a18b0902a30b36b")
	a, first := start1("da3d23700a9e5699258aef94dc060dfda5ebb61f02a5ea77fad53f4ff0976d08")
	b, second := start1("d2316b454718c35362d83d69df6320f38578ed5984651435e2949762d900b80d")
	check("first share", first, "d40fb265a7abeaee7939d91a585fe59f7053f982c296ec413c624c669308f87a")
	check("second share", second, "08bcf6e9777a9c313a3db6daa510f2d398403319c2341bd506a92e672eb7e307")
	transcript := lengthValue(first, []byte("ADa"), second, []byte("ADb"))
	const want = "4c5469a16b2364c4b944ebc1a79e51d1674ad47db26e8718154f59faebfaa52d8346f30aa58377117eb20d527f2cbc5c76381f7fd372e89df8239f87f2e02ed1"
	for name, f := range map[string]func() ([]byte, error){
		"first":  func() ([]byte, error) { return a.finish(second, transcript) },
		"second": func() ([]byte, error) { return b.finish(first, transcript) },
	} {
		key, err := f()
		if err != nil {
			t.Fatal(err)
		}
		check("key of the "+name, key, want)
	}
}

// TestRun: the same code leads to the same key, anything else to another.
func TestRun(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		code, context  string
		session        string
		same, mirrored bool
	}{
		{"the same", "1234", "pair", "s1", true, false},
		{"another code", "1235", "pair", "s1", false, false},
		{"another context", "1234", "join", "s1", false, false},
		{"another session", "1234", "pair", "s2", false, false},
		{"both first", "1234", "pair", "s1", false, true},
	} {
		a, shareA := Start([]byte("1234"), []byte("pair"), []byte("s1"))
		b, shareB := Start([]byte(c.code), []byte(c.context), []byte(c.session))
		keyA, errA := a.FinishFirst(shareA, shareB)
		finish := b.FinishSecond
		if c.mirrored {
			finish = b.FinishFirst
		}
		keyB, errB := finish(shareB, shareA)
		if errA != nil || errB != nil || bytes.Equal(keyA, keyB) != c.same {
			t.Errorf("%s: keys %x and %x, errors %v, %v", c.name, keyA[:4], keyB[:4], errA, errB)
		}
	}
}

// FuzzShare: bytes that are no share, or the neutral element, end the run.
func FuzzShare(f *testing.F) {
	f.Add(make([]byte, ShareSize))
	f.Add(bytes.Repeat([]byte{0xff}, ShareSize))
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, theirs []byte) {
		p, own := Start([]byte("1234"), nil, []byte("s"))
		key, err := p.FinishFirst(own, theirs)
		e := ristretto255.NewElement()
		good := len(theirs) == ShareSize && e.Decode(theirs) == nil && e.Equal(ristretto255.NewElement().Zero()) == 0
		if (err == nil) != good || (key == nil) == good {
			t.Errorf("%x: got key %x, %v", theirs, key, err)
		}
	})
}
