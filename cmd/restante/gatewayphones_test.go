package main

import "testing"

// TestPhoneAddress: what the internet reaches is refused unless the user means it.
func TestPhoneAddress(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ ok, public bool }{
		"192.168.1.5": {true, true}, "10.1.2.3": {true, true}, "172.16.0.1": {true, true}, "127.0.0.1": {true, true}, "::1": {true, true},
		"100.64.1.2": {true, true}, "169.254.1.1": {true, true}, "fe80::1": {true, true}, "fd00::5": {true, true}, "::ffff:192.168.1.5": {true, true},
		"192.0.2.1": {false, true}, "8.8.8.8": {false, true}, "2001:db8::1": {false, true}, "100.128.0.1": {false, true},
		"0.0.0.0": {false, true}, "::": {false, true}, "::ffff:8.8.8.8": {false, true},
		"home.test": {}, "": {}, "192.168.1.5:993": {},
	}
	for text, want := range tests {
		if _, err := phoneAddress(text, false); (err == nil) != want.ok {
			t.Errorf("%q: got %v, want ok %v", text, err, want.ok)
		}
		if _, err := phoneAddress(text, true); (err == nil) != want.public {
			t.Errorf("%q with --public: got %v, want ok %v", text, err, want.public)
		}
	}
}
