package imapd

import (
	"bytes"
	"cmp"
	"errors"
	"slices"

	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// sort is SORT (RFC 5256, 3), with the results of RFC 5267, 3, where RETURN asks for
// them.
func (c *conn) sort(d *wire.Decoder) error { return c.runSort(d, false) }

// uidSort is UID SORT.
func (c *conn) uidSort(d *wire.Decoder) error { return c.runSort(d, true) }

func (c *conn) runSort(d *wire.Decoder, byUID bool) error {
	d.SP()
	q := d.Sort()
	if err := d.End(); err != nil {
		return err
	}
	f, err := c.lookFor(&q.Search, byUID)
	if err != nil {
		return c.searchFailed(&q.Search, err)
	}
	if f.hits, err = c.sorted(f.hits, q.Keys); err != nil {
		return c.searchFailed(&q.Search, err)
	}
	if q.Extended {
		c.answerSearch(&q.Search, f)
	} else {
		c.writeFound("SORT", f)
	}
	return nil
}

// sortable is a hit with what it is sorted by.
type sortable struct {
	hit
	by []sortValue
}

// sortValue is a number or a text.
type sortValue struct {
	number int64
	text   []byte
}

func (v sortValue) compare(w sortValue) int {
	return cmp.Or(cmp.Compare(v.number, w.number), bytes.Compare(v.text, w.text))
}

// sorted puts hits in the order of the criteria, and where these are equal of their
// numbers. A message that is gone or damaged is left out, as it is by SEARCH.
func (c *conn) sorted(hits []hit, keys []wire.SortKey) ([]hit, error) {
	list := make([]sortable, 0, len(hits))
	err := c.eachInfo(hits, func(h hit, info *mailbox.Info) {
		s := sortable{hit: h}
		for _, k := range keys {
			s.by = append(s.by, valueOf(k.Field, info))
		}
		list = append(list, s)
	})
	slices.SortStableFunc(list, func(a, b sortable) int { return compareBy(keys, a.by, b.by) })
	ordered := make([]hit, len(list))
	for i, s := range list {
		ordered[i] = s.hit
	}
	return ordered, err
}

func compareBy(keys []wire.SortKey, a, b []sortValue) int {
	for i, k := range keys {
		n := a[i].compare(b[i])
		if k.Reverse {
			n = -n
		}
		if n != 0 {
			return n
		}
	}
	return 0
}

// eachInfo opens the envelope data of each hit, in the order of their numbers.
func (c *conn) eachInfo(hits []hit, f func(hit, *mailbox.Info)) error {
	var set uidSet
	for _, h := range hits {
		set.add(h.uid)
	}
	done, total := 0, len(hits)
	return c.session.Fetch(c.ctx, c.sel.id, set, func(i *mailbox.Item) error {
		done++
		c.progress(done, total)
		for len(hits) > 0 && hits[0].uid < i.UID {
			hits = hits[1:]
		}
		info, err := i.Info()
		switch {
		case errors.Is(err, mailbox.ErrCorrupt):
			c.log().Error("message not sorted", "error", err)
			return nil
		case err != nil || len(hits) == 0 || hits[0].uid != i.UID:
			return err
		}
		f(hits[0], info)
		return nil
	})
}

// valueOf returns what a message is sorted by (RFC 5256, 3 and 2.2).
func valueOf(f wire.SortField, i *mailbox.Info) sortValue {
	switch f {
	case wire.SortArrival:
		return sortValue{number: i.Date.Unix()}
	case wire.SortDate:
		return sortValue{number: sentTime(i)}
	case wire.SortSize:
		return sortValue{number: i.Size}
	case wire.SortSubject:
		return sortValue{text: foldString(baseSubject(i.Envelope.Subject))}
	case wire.SortCc:
		return firstMailbox(i.Envelope.Cc)
	case wire.SortFrom:
		return firstMailbox(i.Envelope.From)
	}
	return firstMailbox(i.Envelope.To)
}

// sentTime returns the time of the Date field, or that of arrival.
func sentTime(i *mailbox.Info) int64 {
	if i.Envelope.Time.IsZero() {
		return i.Date.Unix()
	}
	return i.Envelope.Time.Unix()
}

// firstMailbox returns the local part of the first address, or the name of a group
// that comes first, as the ENVELOPE has it.
func firstMailbox(list []mime.Address) sortValue {
	if len(list) == 0 {
		return sortValue{}
	}
	return sortValue{text: foldString(list[0].Mailbox)}
}
