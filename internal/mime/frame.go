package mime

import "bytes"

// frame is an open part.
type frame struct {
	part     *Part
	root     bool      // part is the root of the message or of an embedded one
	envelope *Envelope // then this is where its envelope goes
	boundary string    // of a multipart whose close delimiter has not come
	lines    int64     // lines that had ended when the body began
}

// frame returns the innermost open part.
func (w *Walker) frame() *frame { return &w.stack[len(w.stack)-1] }

// push opens a part at the present place, whose header is read next.
func (w *Walker) push(parent *Part) *Part {
	p := &Part{HeaderStart: w.line.pos}
	root := parent == nil || parent.IsMessage()
	if parent != nil {
		if parent.Parts == nil {
			parent.Parts = make([]*Part, 0, 2)
		}
		parent.Parts = append(parent.Parts, p)
	}
	w.stack = append(w.stack, frame{part: p, root: root})
	if root && parent != nil {
		w.frame().envelope = parent.Envelope
	}
	w.parts++
	w.state, w.full = inHeader, false
	w.start, w.field = 0, 0
	return p
}

// endHeaders ends header blocks that something other than a blank line ends. There can be two: that of a message part
// and the empty one of the message in it.
func (w *Walker) endHeaders() error {
	for w.state == inHeader {
		if err := w.endHeader(); err != nil {
			return err
		}
	}
	return nil
}

// endHeader ends the header block and enters the body.
func (w *Walker) endHeader() error {
	f := w.frame()
	p := f.part
	p.BodyStart, p.Header, f.lines = w.line.pos, w.header, w.line.count
	if p == w.msg.Root {
		p.Header = bytes.Clone(w.header) // it stays
	}
	w.header = w.header[:0]
	w.state = inBody
	w.interpret(f)
	if w.o.Visitor != nil {
		if err := w.o.Visitor.Header(p); err != nil {
			return err
		}
	}
	if p != w.msg.Root {
		p.Header = nil
	}
	switch {
	case p.IsMultipart():
		boundary, _ := p.Params.Get("boundary")
		w.frame().boundary = trimBoundary(boundary)
		w.measure()
	case p.IsMessage():
		w.push(p)
	}
	return nil
}

// measure finds the longest boundary that can come.
func (w *Walker) measure() {
	w.longest = 0
	for i := range w.stack {
		w.longest = max(w.longest, len(w.stack[i].boundary))
	}
}

// finish ends all open parts from stack[from] up; their bodies end at end, but not before what they hold.
func (w *Walker) finish(from int, end int64) {
	for i := len(w.stack) - 1; i >= from; i-- {
		f := &w.stack[i]
		p := f.part
		end = max(end, p.BodyStart)
		p.End = end
		p.Lines = w.linesOf(f)
		if f.boundary != "" {
			w.defects.add(MissingClose, end)
		}
		if p.IsMultipart() && len(p.Parts) == 0 {
			w.defects.add(EmptyMultipart, end)
			p.Parts = []*Part{standIn(p)}
		}
	}
	w.stack = w.stack[:from]
	w.measure()
}

// linesOf counts the lines of a body that ends here: at the present place, or before the line end just read.
func (w *Walker) linesOf(f *frame) int64 {
	n := w.line.count - f.lines
	switch p := f.part; {
	case p.End == p.BodyStart:
		return 0
	case p.End < w.line.pos && w.line.empty:
		return n - 1
	case p.End == w.line.pos && w.line.col > 0:
		return n + 1
	}
	return n
}

// standIn returns the part that stands for the body of a multipart without parts.
func standIn(p *Part) *Part {
	q := &Part{HeaderStart: p.BodyStart, BodyStart: p.BodyStart, End: p.End, Lines: p.Lines, Encoding: "7bit"}
	q.setPlainText()
	return q
}
