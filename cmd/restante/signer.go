package main

import (
	"io"
	"sync/atomic"
	"time"

	"github.com/restante/restante/mta"
)

// signer signs outgoing mail with the DKIM keys of a folder as they were when it was
// last read. It is safe for concurrent use.
type signer struct {
	dir  string
	keys atomic.Pointer[mta.DKIMKeys]
}

// openSigner reads the keys, and makes a pair at the first start.
func openSigner(dir string, now time.Time) (*signer, error) {
	s := &signer{dir: dir}
	return s, s.reload(now)
}

// reload takes up the keys that are in the folder now.
func (s *signer) reload(now time.Time) error {
	keys, err := mta.OpenDKIMKeys(s.dir, now)
	if err != nil {
		return err
	}
	s.keys.Store(keys)
	return nil
}

// Sign is mta.DKIMKeys.Sign.
func (s *signer) Sign(domain string, message io.Reader) ([]byte, error) {
	return s.keys.Load().Sign(domain, message)
}

// rotateSigner makes new keys, and returns them with the others.
func rotateSigner(dir string, now time.Time) (*signer, error) {
	keys, err := mta.RotateDKIMKeys(dir, now)
	if err != nil {
		return nil, err
	}
	s := &signer{dir: dir}
	s.keys.Store(keys)
	return s, nil
}
