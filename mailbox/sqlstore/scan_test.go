package sqlstore

import (
	"bytes"
	"testing"
)

const manyBytes = `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 49)
	SELECT CAST(replace(hex(zeroblob(2500)), '0', char(97 + i % 26)) AS BLOB) FROM n`

// A dialect that calls its driver's bytes fresh does not copy them: they must still be
// there when other rows were read.
func TestBytesOfRowsStay(t *testing.T) {
	t.Parallel()
	s := open(t, options(t))
	var kept [][]byte
	for range 2 {
		err := s.readOne(t.Context(), "read bytes", func(q querier) error {
			if !q.on.dialect.fresh {
				t.Error("SQLite's drivers make bytes for each row, and the dialect does not say so")
			}
			var data []byte
			return q.each(manyBytes, []any{bytesColumn{&data, q.on.dialect}}, func() error {
				kept = append(kept, data)
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(kept) != 100 {
		t.Fatalf("%d rows", len(kept))
	}
	for n, data := range kept {
		if want := bytes.Repeat([]byte{byte('a' + n%50%26)}, 5000); !bytes.Equal(data, want) {
			t.Fatalf("row %d has become other bytes", n)
		}
	}
}

// Those of other drivers are copied.
func TestBytesOfOthersAreCopied(t *testing.T) {
	t.Parallel()
	theirs := []byte("row 1")
	var ours []byte
	if err := (bytesColumn{&ours, &dialect{}}).Scan(theirs); err != nil {
		t.Fatal(err)
	}
	copy(theirs, "row 2")
	if string(ours) != "row 1" {
		t.Errorf("the bytes have become %q", ours)
	}
	if err := (bytesColumn{&ours, &dialect{}}).Scan(nil); err == nil {
		t.Error("a column without bytes was scanned")
	}
}
