package wire

import "io"

// The tokens of DEFLATE. Each function reads one with take and decode, and does
// nothing before all of it is there, because it is called again if it was not.

// block reads the head of a block (RFC 1951, 3.2.3).
func (f *Inflater) block() error {
	if f.final {
		return io.EOF
	}
	head, err := f.take(3)
	if err != nil {
		return err
	}
	switch head >> 1 {
	case 0:
		err = f.storedHead()
	case 1:
		err = f.table.fixed()
		f.step = (*Inflater).symbol
	case 2:
		err = f.dynamicHead()
	default:
		return errInflate
	}
	f.final = err == nil && head&1 == 1
	return err
}

func (f *Inflater) endBlock() { f.step = (*Inflater).block }

// storedHead reads the rest of the head of a stored block (RFC 1951, 3.2.4).
func (f *Inflater) storedHead() error {
	if _, err := f.take((f.nbits - f.used) % 8); err != nil {
		return err
	}
	size, err := f.take(16)
	if err != nil {
		return err
	}
	check, err := f.take(16)
	if err != nil {
		return err
	}
	if size^check != 0xffff {
		return errInflate
	}
	f.left, f.step = size, (*Inflater).stored
	return nil
}

func (f *Inflater) stored() error {
	if f.left == 0 {
		f.endBlock()
		return nil
	}
	b, err := f.take(8)
	if err != nil {
		return err
	}
	f.emit(byte(b))
	f.left--
	return nil
}

// dynamicHead reads how many code lengths follow (RFC 1951, 3.2.7).
func (f *Inflater) dynamicHead() error {
	v, err := f.take(14)
	if err != nil {
		return err
	}
	t := &f.table
	*t = tables{nlits: v&31 + 257, ndists: v>>5&31 + 1, norder: v>>10 + 4}
	if t.nlits > maxLits || t.ndists > maxDists {
		return errInflate
	}
	f.step = (*Inflater).orderLength
	return nil
}

// lengthOrder is the order in which the lengths of the code for code lengths come.
var lengthOrder = [...]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

func (f *Inflater) orderLength() error {
	t := &f.table
	if t.have == t.norder {
		t.have = 0
		f.step = (*Inflater).codeLength
		defer clear(t.lengths[:])
		return t.dists.build(t.lengths[:len(lengthOrder)])
	}
	v, err := f.take(3)
	if err != nil {
		return err
	}
	t.lengths[lengthOrder[t.have]] = uint8(v)
	t.have++
	return nil
}

// codeLength reads one of the code lengths, or how often one is repeated.
func (f *Inflater) codeLength() error {
	t := &f.table
	if t.have == t.nlits+t.ndists {
		f.step = (*Inflater).symbol
		return t.dynamic()
	}
	symbol, err := f.decode(&t.dists)
	if err != nil {
		return err
	}
	value, times := uint8(symbol), 1
	if symbol >= 16 {
		if value, times, err = f.repeat(symbol); err != nil {
			return err
		}
	}
	if t.have+times > t.nlits+t.ndists {
		return errInflate
	}
	for range times {
		t.lengths[t.have] = value
		t.have++
	}
	return nil
}

// repeat reads how often a code length comes.
func (f *Inflater) repeat(symbol int) (value uint8, times int, err error) {
	switch symbol {
	case 16:
		if f.table.have == 0 {
			return 0, 0, errInflate
		}
		times, err = f.take(2)
		return f.table.lengths[f.table.have-1], 3 + times, err
	case 17:
		times, err = f.take(3)
		return 0, 3 + times, err
	}
	times, err = f.take(7)
	return 0, 11 + times, err
}

const endOfBlock = 256

// symbol reads a byte, a copy or the end of the block (RFC 1951, 3.2.5).
func (f *Inflater) symbol() error {
	s, err := f.decode(&f.table.lits)
	switch {
	case err != nil:
		return err
	case s < endOfBlock:
		f.emit(byte(s))
		return nil
	case s == endOfBlock:
		f.endBlock()
		return nil
	}
	return f.beginCopy(s - endOfBlock - 1)
}

func (f *Inflater) beginCopy(s int) error {
	if s >= len(copyLengths) {
		return errInflate
	}
	more, err := f.take(uint(copyLengths[s].extra))
	if err != nil {
		return err
	}
	d, err := f.decode(&f.table.dists)
	if err != nil {
		return err
	}
	if d >= len(copyDistances) {
		return errInflate
	}
	far, err := f.take(uint(copyDistances[d].extra))
	if err != nil {
		return err
	}
	length, dist := int(copyLengths[s].base)+more, int(copyDistances[d].base)+far
	if dist > len(f.win) {
		return errInflate
	}
	f.left, f.dist, f.step = length, dist, (*Inflater).copying
	return nil
}
