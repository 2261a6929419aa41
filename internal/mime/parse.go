package mime

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// ErrBinary is what the errors of ParseBinary and ParseHead wrap.
var ErrBinary = errors.New("malformed binary form of a message")

// ParseHead reads the head from the binary form of a message and leaves the tree alone. It makes few allocations:
// a mailbox is listed from it. The result does not alias b.
func ParseHead(b []byte) (Head, error) {
	head, _, err := cutHead(b)
	if err != nil {
		return Head{}, err
	}
	return decodeHead(head)
}

// ParseSize reads from the binary form of a message how many octets the message has, and nothing else.
func ParseSize(b []byte) (int64, error) {
	head, _, err := cutHead(b)
	if err != nil {
		return 0, err
	}
	d := decoder{s: string(head[:min(len(head), binary.MaxVarintLen64)])}
	size := d.int63()
	if d.bad {
		return 0, fmt.Errorf("%w: no size", ErrBinary)
	}
	return size, nil
}

// ParseBinary reads the binary form of a message. It is strict: the result obeys the rules of the package comment, or
// there is an error. It does not alias b.
func ParseBinary(b []byte) (*Message, error) {
	head, tree, err := cutHead(b)
	if err != nil {
		return nil, err
	}
	m := new(Message)
	if m.Head, err = decodeHead(head); err != nil {
		return nil, err
	}
	d := decoder{s: string(tree)}
	m.Root = d.part(1)
	if err := d.end(); err != nil {
		return nil, err
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	return m, nil
}

// cutHead checks the version and divides head and tree.
func cutHead(b []byte) (head, tree []byte, err error) {
	if len(b) == 0 {
		return nil, nil, fmt.Errorf("%w: empty", ErrBinary)
	}
	if b[0] != binaryVersion {
		return nil, nil, fmt.Errorf("%w: version %d is not known", ErrBinary, b[0])
	}
	d := decoder{s: string(b[1:min(len(b), 12)])}
	n := d.count(len(b), 1)
	start := 1 + d.i
	if d.bad || n > len(b)-start {
		return nil, nil, fmt.Errorf("%w: truncated", ErrBinary)
	}
	return b[start : start+n], b[start+n:], nil
}

func decodeHead(b []byte) (Head, error) {
	d := decoder{s: string(b)}
	h := Head{Size: d.int63(), HeaderLen: d.int63(), KeptAll: d.flags(headFlags)&flagKeptAll != 0}
	h.Kept = d.kept(b)
	d.envelope(&h.Envelope)
	if h.HeaderLen > h.Size {
		d.bad = true
	}
	if err := d.end(); err != nil {
		return Head{}, err
	}
	return h, nil
}

// decoder reads from one string, of which all strings it returns are parts. After a fault it returns zero values.
type decoder struct {
	s   string
	i   int
	bad bool
}

func (d *decoder) end() error {
	if d.bad || d.i != len(d.s) {
		return fmt.Errorf("%w: fault at octet %d of %d", ErrBinary, d.i, len(d.s))
	}
	return nil
}

func (d *decoder) octet() byte {
	if d.bad || d.i >= len(d.s) {
		d.bad = true
		return 0
	}
	d.i++
	return d.s[d.i-1]
}

// flags reads flags, all of them below the limit.
func (d *decoder) flags(limit byte) byte {
	f := d.octet()
	if f >= limit {
		d.bad = true
		return 0
	}
	return f
}

func (d *decoder) uvarint() uint64 {
	var n uint64
	for shift := 0; shift < 64; shift += 7 {
		c := d.octet()
		if c < 0x80 {
			if shift > 0 && c == 0 || shift == 63 && c > 1 {
				d.bad = true // not the shortest form, or too large
				return 0
			}
			return n | uint64(c)<<shift
		}
		n |= uint64(c&0x7f) << shift
	}
	d.bad = true
	return 0
}

func (d *decoder) varint() int64 {
	n := d.uvarint()
	return int64(n>>1) ^ -int64(n&1)
}

func (d *decoder) int63() int64 {
	n := d.uvarint()
	if n > 1<<62 {
		d.bad = true
		return 0
	}
	return int64(n)
}

// count reads how many things of at least size octets follow, of which there is room for left octets.
func (d *decoder) count(left, size int) int {
	n := d.uvarint()
	if n > uint64(left/size) {
		d.bad = true
		return 0
	}
	return int(n)
}

func (d *decoder) left() int { return len(d.s) - d.i }

func (d *decoder) string() string {
	n := d.count(d.left(), 1)
	if d.bad || n > d.left() {
		d.bad = true
		return ""
	}
	d.i += n
	return d.s[d.i-n : d.i]
}

// kept reads Head.Kept; b is what d reads.
func (d *decoder) kept(b []byte) []Field {
	n := d.count(d.left(), 2)
	size := len(d.string())
	if n == 0 || d.bad {
		d.bad = d.bad || size != 0
		return nil
	}
	at := d.i - size
	rest := append([]byte(nil), b[at:d.i]...)
	list := make([]Field, 0, n)
	for len(rest) > 0 && len(list) < n {
		var f Field
		f.Raw, rest = nextField(rest)
		f.Name = d.s[at : at+len(fieldName(f.Raw))]
		if f.Name == "" {
			break
		}
		at += len(f.Raw)
		list = append(list, f)
	}
	d.bad = len(list) != n || at != d.i
	return list
}

func (d *decoder) envelope(e *Envelope) {
	flags := d.flags(envelopeFlags)
	if flags&flagTime != 0 {
		e.Time = d.time()
	}
	e.Date, e.Subject, e.InReplyTo, e.MessageID = d.string(), d.string(), d.string(), d.string()
	slab := make([]Address, 0, d.count(d.left(), 4))
	for _, l := range e.storedLists(flags) {
		*l, slab = d.addresses(slab)
	}
	if len(slab) != cap(slab) {
		d.bad = true
	}
	if flags&flagSenderIsFrom != 0 {
		e.Sender = e.From
	}
	if flags&flagReplyToIsFrom != 0 {
		e.ReplyTo = e.From
	}
}

// time reads a time that ParseDate could have given.
func (d *decoder) time() time.Time {
	unix, minutes := d.varint(), d.varint()
	const far = 1 << 40 // seconds: beyond any year of four digits
	if d.bad || unix < -far || unix > far || minutes <= -24*60 || minutes >= 24*60 {
		d.bad = true
		return time.Time{}
	}
	t := time.Unix(unix, 0)
	if minutes == 0 {
		return t.UTC()
	}
	return t.In(time.FixedZone("", int(minutes)*60))
}

// addresses reads a list to the end of the slab, and returns both.
func (d *decoder) addresses(slab []Address) (list, all []Address) {
	n := d.count(cap(slab)-len(slab), 1)
	if n == 0 {
		return nil, slab
	}
	start := len(slab)
	for range n {
		slab = append(slab, Address{Name: d.string(), Mailbox: d.string(), Host: d.string(), Route: d.string()})
	}
	return slab[start:len(slab):len(slab)], slab
}

// part reads a part and what it holds.
func (d *decoder) part(depth int) *Part {
	if d.bad || depth > DefaultMaxDepth+1 { // one more for a stand-in
		d.bad = true
		return nil
	}
	p := new(Part)
	for _, s := range p.strings() {
		*s = d.string()
	}
	p.Params, p.DispositionParams = d.params(), d.params()
	for range d.count(d.left(), 1) {
		p.Language = append(p.Language, d.string())
	}
	p.HeaderStart = d.int63()
	p.BodyStart = p.HeaderStart + d.int63()
	p.End = p.BodyStart + d.int63()
	p.Lines = d.int63()
	children := 0
	switch {
	case p.IsMessage():
		p.Envelope = new(Envelope)
		d.envelope(p.Envelope)
		children = 1
	case p.IsMultipart():
		if children = d.count(d.left(), 16); children == 0 {
			d.bad = true
		}
	}
	for i := 0; i < children && !d.bad; i++ {
		p.Parts = append(p.Parts, d.part(depth+1))
	}
	return p
}

func (d *decoder) params() Params {
	n := d.count(d.left(), 2)
	if n == 0 {
		return nil
	}
	ps := make(Params, n)
	for i := range ps {
		ps[i] = Param{Name: d.string(), Value: d.string()}
	}
	return ps
}

// check tells whether the offsets make sense.
func (m *Message) check() error {
	r := m.Root
	if r.HeaderStart != 0 || r.BodyStart != m.HeaderLen || r.End != m.Size || !r.inOrder() {
		return fmt.Errorf("%w: offsets contradict each other", ErrBinary)
	}
	return nil
}

// inOrder reports whether the offsets of p and all it holds are in order. Sums that overflowed are negative.
func (p *Part) inOrder() bool {
	if p.HeaderStart < 0 || p.BodyStart < p.HeaderStart || p.End < p.BodyStart || p.Lines > p.Size() {
		return false
	}
	at := p.BodyStart
	for _, q := range p.Parts {
		if q.HeaderStart < at || q.End > p.End || !q.inOrder() {
			return false
		}
		at = q.End
	}
	return true
}
