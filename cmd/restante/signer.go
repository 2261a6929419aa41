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

// find returns what finds the record of a key, or nil where there are no keys.
func (s *signer) find() func(selector string) (string, bool) {
	if s == nil {
		return nil
	}
	return s.record
}

// record returns the record of a key, the older ones among them.
func (s *signer) record(selector string) (string, bool) {
	records, err := s.keys.Load().Records()
	if err != nil {
		return "", false
	}
	for _, r := range records {
		if r.Name == selector+"._domainkey" {
			return r.Value, true
		}
	}
	return "", false
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
