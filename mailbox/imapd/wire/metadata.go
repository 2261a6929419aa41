package wire

import (
	"bytes"
	"strings"
)

// A GetMetadata is the arguments of GETMETADATA (RFC 5464, 4.2).
type GetMetadata struct {
	Mailbox string // "" is the server
	MaxSize int64  // of values to be told, -1 for no limit
	Depth   MetadataDepth
	Entries []string // as they were asked for
}

// MetadataDepth says how far below an entry GETMETADATA looks.
type MetadataDepth int

const (
	DepthZero     MetadataDepth = iota // at the entry alone
	DepthOne                           // and at those one level below
	DepthInfinity                      // and at all below
)

var depthWords = []string{DepthZero: "0", DepthOne: "1", DepthInfinity: "INFINITY"}

// MetadataEntry is an entry with its value.
type MetadataEntry struct {
	Name  string
	Value []byte // nil is NIL
}

// maxMetadataEntries bounds the entries of one command.
const maxMetadataEntries = 100

// GetMetadata reads the arguments of GETMETADATA. The options stand before the
// mailbox by the grammar of RFC 5464 and behind it in its examples; clients do both.
func (d *Decoder) GetMetadata() GetMetadata {
	g := GetMetadata{MaxSize: -1}
	if d.Peek() == '(' {
		d.List(func() { d.metadataOption(&g) })
		d.SP()
	}
	g.Mailbox = d.Mailbox()
	d.SP()
	if d.metadataNames(&g) {
		d.SP()
		d.metadataNames(&g)
	}
	if len(g.Entries) == 0 {
		d.fail("the name of an entry")
	}
	if d.err != nil {
		return GetMetadata{}
	}
	return g
}

// metadataNames reads one entry, a list of them, or a list of options: then it
// reports true.
func (d *Decoder) metadataNames(g *GetMetadata) (options bool) {
	if d.Peek() != '(' {
		g.Entries = append(g.Entries, d.Astring())
		return false
	}
	d.List(func() {
		if c := upper(d.Peek()); c == 'M' || c == 'D' { // no entry begins so
			d.metadataOption(g)
			options = true
			return
		}
		if g.Entries = append(g.Entries, d.Astring()); len(g.Entries) > maxMetadataEntries {
			d.setErr(&LimitError{What: "entries", Max: maxMetadataEntries})
		}
	})
	return options
}

func (d *Decoder) metadataOption(g *GetMetadata) {
	at := d.pos
	word := d.Keyword()
	d.SP()
	switch word {
	case "MAXSIZE":
		g.MaxSize = int64(d.Number())
	case "DEPTH":
		g.Depth = d.metadataDepth()
	default:
		d.failAt(at, "MAXSIZE or DEPTH")
	}
}

func (d *Decoder) metadataDepth() MetadataDepth {
	at := d.pos
	word := d.Keyword()
	for depth, w := range depthWords {
		if w == word {
			return MetadataDepth(depth)
		}
	}
	d.failAt(at, "0, 1 or infinity")
	return 0
}

// GetMetadata writes the arguments of GETMETADATA.
func (e *Encoder) GetMetadata(g *GetMetadata) {
	if g.MaxSize >= 0 || g.Depth != DepthZero {
		e.Open()
		if g.MaxSize >= 0 {
			e.Word("MAXSIZE")
			e.Number(uint64(g.MaxSize))
		}
		if g.Depth != DepthZero {
			e.Word("DEPTH")
			e.Word(strings.ToLower(depthWords[g.Depth]))
		}
		e.Close()
	}
	e.Mailbox(g.Mailbox)
	e.Open()
	for _, name := range g.Entries {
		e.Astring(name)
	}
	e.Close()
}

// MetadataEntries reads a list of entries with their values, as SETMETADATA has it
// and the METADATA response.
func (d *Decoder) MetadataEntries() []MetadataEntry {
	var list []MetadataEntry
	d.List(func() {
		entry := MetadataEntry{Name: d.Astring()}
		d.SP()
		if !d.Nil() {
			entry.Value = bytes.Clone(d.str("a string, a literal or NIL"))
			if entry.Value == nil {
				entry.Value = []byte{}
			}
		}
		if list = append(list, entry); len(list) > maxMetadataEntries {
			d.setErr(&LimitError{What: "entries", Max: maxMetadataEntries})
		}
	})
	if len(list) == 0 {
		d.fail("an entry")
	}
	if d.err != nil {
		return nil
	}
	return list
}

// MetadataEntries writes such a list.
func (e *Encoder) MetadataEntries(list []MetadataEntry) {
	e.Open()
	for _, entry := range list {
		e.Astring(entry.Name)
		switch {
		case entry.Value == nil:
			e.Nil()
		case bytes.IndexByte(entry.Value, 0) >= 0:
			_ = e.Literal8(bytes.NewReader(entry.Value), int64(len(entry.Value))) // CRLF tells
		default:
			e.String(string(entry.Value))
		}
	}
	e.Close()
}
