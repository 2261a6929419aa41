package sqlstore

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"

	"github.com/restante/restante/mailbox"
)

// Digest is what a store holds, in a form to compare: the rows of each table, and a
// hash over all their values and the bytes of large bodies. Equal stores have equal
// digests on both engines.
type Digest struct {
	Tables []TableDigest // by name
	Bytes  int64         // of large bodies
}

// TableDigest is one table of a Digest.
type TableDigest struct {
	Name string
	Rows int64
	Hash string // hex; "" if only rows were counted
}

// Rows is the sum over all tables.
func (d Digest) Rows() int64 {
	var n int64
	for _, t := range d.Tables {
		n += t.Rows
	}
	return n
}

// Differs returns what makes d another digest than want, or nil.
func (d Digest) Differs(want Digest) error {
	var found []string
	for i, t := range d.Tables {
		if i >= len(want.Tables) || t != want.Tables[i] {
			found = append(found, t.Name)
		}
	}
	if len(found) == 0 && len(d.Tables) == len(want.Tables) && d.Bytes == want.Bytes {
		return nil
	}
	return fmt.Errorf("%w: the copy is not the same in %s", mailbox.ErrCorrupt, strings.Join(found, ", "))
}

// Digest reads all that the store holds.
func (s *Store) Digest(ctx context.Context) (Digest, error) {
	tables, err := readTables(ctx)
	if err != nil {
		return Digest{}, fmt.Errorf("digest: %w", err)
	}
	release := s.files.hold()
	defer release()
	var d Digest
	err = s.read(ctx, "digest", func(q querier) error {
		if err := s.large.hold(q); err != nil {
			return err
		}
		d, err = s.digestAll(q, tables)
		return err
	})
	return d, err
}

// digestAll is Digest within a snapshot.
func (s *Store) digestAll(q querier, tables []*table) (d Digest, err error) {
	for _, t := range tables {
		if t.name == "meta" {
			continue
		}
		one, bytes, err := s.digestTable(q, t)
		if err != nil {
			return d, err
		}
		d.Tables = append(d.Tables, one)
		d.Bytes += bytes
	}
	return d, nil
}

// countAll counts the rows of each table but those of which an account that has not
// changed may have fewer now than in a copy.
func countAll(q querier, tables []*table) (d Digest, err error) {
	for _, t := range tables {
		if t.name == "meta" || t.name == "delivered" {
			continue
		}
		one := TableDigest{Name: t.name}
		if _, err := q.one("SELECT count(*) FROM "+t.name, []any{num(&one.Rows)}); err != nil {
			return d, err
		}
		d.Tables = append(d.Tables, one)
	}
	return d, nil
}

func (s *Store) digestTable(q querier, t *table) (d TableDigest, bytes int64, err error) {
	d.Name = t.name
	h := sha256.New()
	var large []row // keys
	err = t.each(q, t.selectAll(false, false), false, func(r row) error {
		d.Rows++
		code := r.encode()
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(code)))
		h.Write(n[:])
		h.Write(code)
		if t.name == "body_file" {
			large = append(large, t.keyOf(r))
		}
		return nil
	})
	for i := 0; err == nil && i < len(large); i++ {
		var n int64
		n, err = s.digestLarge(q, t, large[i], h)
		bytes += n
	}
	d.Hash = hex.EncodeToString(h.Sum(nil))
	return d, bytes, err
}

func (s *Store) digestLarge(q querier, t *table, key row, h hash.Hash) (int64, error) {
	id, blob, err := bodyKey(t, key)
	if err != nil {
		return 0, err
	}
	size, err := q.bodyFile(id, blob)
	if err != nil {
		return 0, err
	}
	return size, s.large.copy(q, id, blob, size, h)
}
