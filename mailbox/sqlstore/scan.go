package sqlstore

import (
	"bytes"
	"database/sql"

	"github.com/restante/restante/mailbox/seal"
)

// integer is what the contract's numbers are made of. None is ever negative.
type integer interface {
	~int | ~int32 | ~int64 | ~uint32 | ~uint64
}

// number scans a column into a number of the contract and refuses a value that
// the type can't hold. Of damaged rows it makes errors, not other numbers.
type number[T integer] struct{ p *T }

func num[T integer](p *T) sql.Scanner { return number[T]{p} }

// Scan implements sql.Scanner.
func (n number[T]) Scan(src any) error {
	v, ok := src.(int64)
	if !ok || v < 0 || int64(T(v)) != v {
		return damaged("a column holds %T where a small number belongs", src)
	}
	*n.p = T(v)
	return nil
}

// blobColumn scans a column into a blob's identifier.
type blobColumn struct{ p *seal.BlobID }

// Scan implements sql.Scanner.
func (b blobColumn) Scan(src any) error {
	v, ok := src.([]byte)
	if !ok || len(v) != len(b.p) {
		return damaged("a column holds no blob identifier")
	}
	copy(b.p[:], v)
	return nil
}

// bytesColumn scans a column into bytes that are kept. Where the driver has made them
// for this row, they are not copied once more.
type bytesColumn struct {
	p  *[]byte
	on *dialect
}

// Scan implements sql.Scanner.
func (b bytesColumn) Scan(src any) error {
	v, ok := src.([]byte)
	if !ok {
		return damaged("a column holds no bytes")
	}
	if !b.on.fresh {
		v = bytes.Clone(v)
	}
	*b.p = v
	return nil
}

// macs are what stands for something in the store.
type macs interface {
	seal.AddressMAC | seal.WKDMAC | seal.FingerprintMAC | seal.SenderMAC
}

// macColumn scans a column into a MAC.
type macColumn[T macs] struct{ p *T }

func macOf[T macs](p *T) sql.Scanner { return macColumn[T]{p} }

// Scan implements sql.Scanner.
func (m macColumn[T]) Scan(src any) error {
	v, ok := src.([]byte)
	if !ok || len(v) != len(T{}) {
		return damaged("a column holds no MAC")
	}
	*m.p = T(v)
	return nil
}

// flag scans a column that is 0 or not into a bool.
type flag struct{ p *bool }

// Scan implements sql.Scanner.
func (f flag) Scan(src any) error {
	n, ok := src.(int64)
	if !ok {
		return damaged("a column holds no number")
	}
	*f.p = n != 0
	return nil
}
