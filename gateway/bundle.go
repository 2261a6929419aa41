package gateway

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// A bundle is what another machine needs to go on as this one: keys, contacts with
// what is trusted, groups, and how the account is reached. It is gzip over JSON, so
// that its owner can read it without this program.
type bundle struct {
	Version int       `json:"version"`
	Made    time.Time `json:"made"`
	Records []record  `json:"records"`
}

// record is a record of the vault as it is: all of these kinds are JSON.
type record struct {
	Kind    string          `json:"kind"`
	Name    string          `json:"name"`
	Content json.RawMessage `json:"content"`
}

const (
	bundleVersion = 1
	maxBundle     = 16 << 20 // bytes of JSON, of which a backup holds 1 MiB packed
)

var errBundle = errors.New("the backup can't be read")

// carried are the kinds of records that go into a bundle whole. Of the settings it is
// the account alone: the others are of this machine.
var carried = []string{keyKind, contactKind, groupKind}

// newBundle collects what is to be carried. sparse leaves out what can be learned again:
// contacts whose key is only hearsay, and certificates that are not in use.
func newBundle(v *vault.Vault, now time.Time, sparse bool) (*bundle, error) {
	b := &bundle{Version: bundleVersion, Made: now.UTC()}
	for _, kind := range carried {
		err := v.Each(kind, func(name string, content []byte) error {
			if kind == contactKind && sparse {
				var keep bool
				if content, keep = sparseContact(content); !keep {
					return nil
				}
			}
			b.Records = append(b.Records, record{kind, name, content})
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("collect backup: %w", err)
		}
	}
	for _, name := range []string{accountName, recoveryName} {
		content, err := v.Get(settingsKind, name)
		if errors.Is(err, vault.ErrNoRecord) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("collect backup: %w", err)
		}
		b.Records = append(b.Records, record{settingsKind, name, content})
	}
	slices.SortFunc(b.Records, func(x, y record) int {
		return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Name, y.Name))
	})
	return b, nil
}

// sparseContact keeps of a contact what can't be learned again. It reports false if
// that is nothing.
func sparseContact(content []byte) (_ []byte, keep bool) {
	c, err := decodeContact(content)
	if err != nil || c.Pinned == "" {
		return nil, false
	}
	in := map[pgp.Fingerprint]Known{}
	for _, f := range []pgp.Fingerprint{c.Pinned, c.Proposed} {
		if k, ok := c.Certs[f]; ok {
			in[f] = Known{Cert: k.Cert}
		}
	}
	c.Certs = in
	small, err := json.Marshal(c)
	return small, err == nil
}

// digest tells whether there is anything new in the bundle. When somebody has written
// last is no news: every mail would make a backup.
func (b *bundle) digest() string {
	h := sha256.New()
	for _, r := range b.Records {
		content := r.lasting()
		fmt.Fprintf(h, "%d %d %d %s%s", len(r.Kind), len(r.Name), len(content), r.Kind, r.Name)
		h.Write(content)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// lasting returns the content without what every mail changes.
func (r record) lasting() []byte {
	var v any
	switch r.Kind {
	case contactKind:
		c, err := decodeContact(r.Content)
		if err != nil {
			return r.Content
		}
		c.LastSeen, c.AutocryptAt, c.GossipAt, c.WKDAt, c.ClaimedAt = time.Time{}, time.Time{}, time.Time{}, time.Time{}, time.Time{}
		for f, k := range c.Certs {
			c.Certs[f] = Known{Cert: k.Cert}
		}
		v = c
	case groupKind:
		var g Group
		if json.Unmarshal(r.Content, &g) != nil {
			return r.Content
		}
		g.Messages = nil
		v = g
	case settingsKind:
		if r.Name != recoveryName {
			return r.Content
		}
		var c recovery
		if json.Unmarshal(r.Content, &c) != nil {
			return r.Content
		}
		v = recovery{Code: c.Code}
	default:
		return r.Content
	}
	content, err := json.Marshal(v)
	if err != nil {
		return r.Content
	}
	return content
}

// pack returns the bundle as bytes.
func (b *bundle) pack() ([]byte, error) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	err := json.NewEncoder(z).Encode(b)
	if err := errors.Join(err, z.Close()); err != nil {
		return nil, fmt.Errorf("pack backup: %w", err)
	}
	return packed.Bytes(), nil
}

// unpack reads what pack returned. Whoever wrote it had the recovery code or the key of
// a pairing; it is checked all the same, because it becomes the vault's.
func unpack(packed []byte) (*bundle, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errBundle, err)
	}
	text, err := io.ReadAll(io.LimitReader(z, maxBundle+1))
	if err != nil || len(text) > maxBundle {
		return nil, fmt.Errorf("%w: it is damaged or too large", errBundle)
	}
	var b bundle
	if err := json.Unmarshal(text, &b); err != nil {
		return nil, fmt.Errorf("%w: %v", errBundle, err)
	}
	if b.Version != bundleVersion {
		return nil, fmt.Errorf("%w: it was written by a newer version of restante: update this one", errBundle)
	}
	for _, r := range b.Records {
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("%w: %v", errBundle, err)
		}
	}
	return &b, nil
}

// check holds a record to its kind.
func (r record) check() error {
	switch r.Kind {
	case keyKind:
		var o ownKey
		if err := json.Unmarshal(r.Content, &o); err != nil {
			return err
		}
		if o.Secret == nil && !o.Ended.IsZero() {
			return nil // forgotten
		}
		k, err := pgp.ParseKey(o.Secret, nil)
		if err == nil && string(k.Fingerprint()) != r.Name {
			err = errors.New("a key under another name")
		}
		return err
	case contactKind:
		c, err := decodeContact(r.Content)
		if err != nil {
			return err
		}
		a, err := addr.Parse(c.Address)
		if err == nil && a.Key() != r.Name {
			err = errors.New("a contact under another name")
		}
		return err
	case settingsKind:
		if r.Name != accountName && r.Name != recoveryName {
			return errors.New("settings that are not carried")
		}
	case groupKind:
	default:
		return errors.New("a record of no known kind")
	}
	if !json.Valid(r.Content) {
		return errors.New("a record that is no JSON")
	}
	return nil
}

// account returns the account in the bundle.
func (b *bundle) account() (Account, error) {
	for _, r := range b.Records {
		if r.Kind == settingsKind && r.Name == accountName {
			var a Account
			if err := json.Unmarshal(r.Content, &a); err != nil {
				return Account{}, fmt.Errorf("%w: %v", errBundle, err)
			}
			return a, nil
		}
	}
	return Account{}, fmt.Errorf("%w: there is no account in it", errBundle)
}

// restore puts everything into a vault that has nothing yet. The settings come last:
// a vault with an account is whole.
func (b *bundle) restore(v *vault.Vault) error {
	for _, last := range []bool{false, true} {
		for _, r := range b.Records {
			if (r.Kind == settingsKind) != last {
				continue
			}
			if err := v.Put(r.Kind, r.Name, r.Content); err != nil {
				return fmt.Errorf("restore: %w", err)
			}
		}
	}
	return nil
}
