package seal

import (
	"errors"
	"testing"
)

// cheap costs make tests quick.
var cheap = Params{Time: 1, MemoryKiB: minMemoryKiB, Threads: 1}

// factorOf makes a Factor of each kind of credential.
func factorOf(t *testing.T) map[string]func() Factor {
	t.Helper()
	secret, secretKDF, clientKDF := NewSecret(), SecretKDF(), ClientKeyKDF()
	passwordKDF := must[KDF](t)(PasswordKDF(cheap))
	return map[string]func() Factor{
		"secret":     func() Factor { return must[Factor](t)(secretKDF.Secret(secret)) },
		"password":   func() Factor { return must[Factor](t)(passwordKDF.Password("hunter2")) },
		"client key": func() Factor { return must[Factor](t)(clientKDF.ClientKey(make([]byte, 32))) },
	}
}

func TestCredentialsOpenTheRoot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, login := range factorOf(t) {
		made := login()
		verifier := made.Verifier()
		wrapped := made.WrapRoot(w.owner, 5, &w.root)

		again := login()
		if !again.Verify(verifier[:]) {
			t.Errorf("%s: the same login is refused", name)
		}
		root, err := again.UnwrapRoot(w.owner, 5, wrapped)
		if err != nil || root != w.root {
			t.Errorf("%s: got error %v or another root", name, err)
		}
	}
}

func TestWrongLogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	password := must[KDF](t)(PasswordKDF(cheap))
	secret := SecretKDF()
	s := NewSecret()
	tests := map[string]struct{ right, wrong Factor }{
		"another password": {must[Factor](t)(password.Password("a")), must[Factor](t)(password.Password("b"))},
		"another secret":   {must[Factor](t)(secret.Secret(s)), must[Factor](t)(secret.Secret(NewSecret()))},
		"another salt":     {must[Factor](t)(secret.Secret(s)), must[Factor](t)(SecretKDF().Secret(s))},
	}
	for name, tt := range tests {
		verifier := tt.right.Verifier()
		if tt.wrong.Verify(verifier[:]) {
			t.Errorf("%s: verified", name)
		}
		if tt.right.Verify(verifier[:31]) || tt.right.Verify(nil) {
			t.Errorf("%s: a cut verifier is taken", name)
		}
		_, err := tt.wrong.UnwrapRoot(w.owner, 5, tt.right.WrapRoot(w.owner, 5, &w.root))
		wantErrOpen(t, name, err)
	}
}

// TestVerifierOpensNothing: what the row keeps is neither half of the Factor.
func TestVerifierOpensNothing(t *testing.T) {
	t.Parallel()
	for name, login := range factorOf(t) {
		f := login()
		v := f.Verifier()
		if v == f.auth || v == f.kek || f.auth == f.kek {
			t.Errorf("%s: halves and verifier are not apart", name)
		}
	}
}

func TestWrongMethod(t *testing.T) {
	t.Parallel()
	kdfs := map[string]KDF{
		"secret": SecretKDF(), "client key": ClientKeyKDF(), "zero": {},
		"password": must[KDF](t)(PasswordKDF(cheap)),
	}
	for name, k := range kdfs {
		_, bySecret := k.Secret(NewSecret())
		_, byPassword := k.Password("x")
		_, byClientKey := k.ClientKey(make([]byte, 32))
		for method, err := range map[string]error{"secret": bySecret, "password": byPassword, "client key": byClientKey} {
			if method == name && err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if method != name && !errors.Is(err, ErrKDF) {
				t.Errorf("%s KDF given a %s: got error %v, want %v", name, method, err, ErrKDF)
			}
		}
		if got, want := k.Slow(), name == "password"; got != want {
			t.Errorf("%s: got Slow %v, want %v", name, got, want)
		}
	}
}

func TestKDFBytes(t *testing.T) {
	t.Parallel()
	password := must[KDF](t)(PasswordKDF(DefaultParams))
	for _, k := range []KDF{SecretKDF(), ClientKeyKDF(), password} {
		if got := must[KDF](t)(ParseKDF(k.Bytes())); got != k {
			t.Errorf("got %+v, want %+v", got, k)
		}
	}
	if got := password.Params(); got != DefaultParams {
		t.Errorf("got %+v, want %+v", got, DefaultParams)
	}
}

func TestParamsOfDoom(t *testing.T) {
	t.Parallel()
	doom := map[string]Params{
		"no passes":       {0, 64 << 10, 1},
		"endless passes":  {1 << 31, 64 << 10, 1},
		"no memory":       {1, 0, 1},
		"all memory":      {1, 1<<32 - 1, 1},
		"a bit too much":  {1, maxMemoryKiB + 1, 1},
		"no threads":      {1, 64 << 10, 0},
		"threads for all": {1, 64 << 10, 255},
	}
	for name, p := range doom {
		if _, err := PasswordKDF(p); !errors.Is(err, ErrKDF) {
			t.Errorf("%s: got error %v, want %v", name, err, ErrKDF)
		}
		row := KDF{method: byPassword, params: p}.Bytes()
		if _, err := ParseKDF(row); !errors.Is(err, ErrKDF) {
			t.Errorf("%s in a row: got error %v, want %v", name, err, ErrKDF)
		}
	}
}

func TestParseKDFRefuses(t *testing.T) {
	t.Parallel()
	good := SecretKDF().Bytes()
	with := func(i int, b byte) []byte {
		row := append([]byte(nil), good...)
		row[i] = b
		return row
	}
	tests := map[string]struct {
		row  []byte
		want error
	}{
		"nothing":                {nil, ErrKDF},
		"cut":                    {good[:len(good)-1], ErrKDF},
		"longer":                 {append(with(0, format), 0), ErrKDF},
		"format 2":               {with(0, 2), ErrVersion},
		"no method":              {with(1, 0), ErrKDF},
		"unknown method":         {with(1, 4), ErrKDF},
		"costs where none count": {with(5, 1), ErrKDF},
	}
	for name, tt := range tests {
		if _, err := ParseKDF(tt.row); !errors.Is(err, tt.want) {
			t.Errorf("%s: got error %v, want %v", name, err, tt.want)
		}
	}
}
