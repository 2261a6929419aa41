package wire

import "strings"

// FetchItems are the data items of a FETCH command other than sections, as bits.
type FetchItems uint16

const (
	FetchUID FetchItems = 1 << iota
	FetchFlags
	FetchInternalDate
	FetchSize
	FetchEnvelope
	FetchBody          // BODY, the structure without extension data
	FetchBodyStructure // BODYSTRUCTURE
	FetchModSeq        // RFC 7162
	FetchPreview       // RFC 8970
	FetchPreviewLazy   // PREVIEW (LAZY), set together with FetchPreview
	FetchSaveDate      // RFC 8514
	FetchEmailID       // RFC 8474
	FetchThreadID      // RFC 8474
)

// fetchWords are the items of one word, and the macros.
var fetchWords = map[string]FetchItems{
	"UID":           FetchUID,
	"FLAGS":         FetchFlags,
	"INTERNALDATE":  FetchInternalDate,
	"RFC822.SIZE":   FetchSize,
	"ENVELOPE":      FetchEnvelope,
	"BODY":          FetchBody,
	"BODYSTRUCTURE": FetchBodyStructure,
	"MODSEQ":        FetchModSeq,
	"PREVIEW":       FetchPreview,
	"SAVEDATE":      FetchSaveDate,
	"EMAILID":       FetchEmailID,
	"THREADID":      FetchThreadID,
}

// fetchMacros stand alone, not in a list (RFC 9051, 6.4.5).
var fetchMacros = map[string]FetchItems{
	"FAST": FetchFlags | FetchInternalDate | FetchSize,
	"ALL":  FetchFlags | FetchInternalDate | FetchSize | FetchEnvelope,
	"FULL": FetchFlags | FetchInternalDate | FetchSize | FetchEnvelope | FetchBody,
}

// fetchOrder is the order in which items are written.
var fetchOrder = []string{
	"UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY", "BODYSTRUCTURE", "MODSEQ",
	"PREVIEW", "SAVEDATE", "EMAILID", "THREADID",
}

// MaxSections is the most sections that one FETCH may ask for. Each of them
// could be a whole message, for every message of the set.
const MaxSections = 64

// A Fetch is what a FETCH command asks for, apart from the messages.
type Fetch struct {
	Items    FetchItems
	Sections []Section

	ChangedSince int64   // RFC 7162; -1 if it was not given
	Vanished     bool    // RFC 7162, with ChangedSince
	Partial      Partial // RFC 9394
}

// Has reports whether all of the items are among f.
func (f FetchItems) Has(items FetchItems) bool { return f&items == items }

// String returns the items as the protocol names them, with spaces between.
func (f FetchItems) String() string {
	var names []string
	for _, w := range fetchOrder {
		if f.Has(fetchWords[w]) {
			names = append(names, w)
		}
	}
	return strings.Join(names, " ")
}

// Fetch reads what a FETCH asks for: a macro, one item or a list, and then the
// modifiers, if any.
func (d *Decoder) Fetch() Fetch {
	f := Fetch{ChangedSince: -1}
	if d.Peek() == '(' {
		d.List(func() { d.fetchItem(&f) })
	} else if !d.fetchMacro(&f) {
		d.fetchItem(&f)
	}
	if f.Items == 0 && len(f.Sections) == 0 {
		d.fail("a fetch data item")
	}
	if d.Special(' ') {
		d.List(func() { d.fetchModifier(&f) })
	}
	if f.Vanished && f.ChangedSince < 0 {
		d.fail("CHANGEDSINCE with VANISHED") // RFC 7162, 3.2.6
	}
	if d.err != nil {
		return Fetch{}
	}
	return f
}

func (d *Decoder) fetchMacro(f *Fetch) bool {
	b := d.rest()
	n := span(b, charWord)
	items, ok := fetchMacros[intern(b[:n])]
	if ok {
		f.Items = items
		d.pos += n
	}
	return ok
}

func (d *Decoder) fetchItem(f *Fetch) {
	at := d.pos
	word := d.word("a fetch data item")
	if s, ok := bracketSections[word]; ok && d.Peek() == '[' {
		f.addSection(d, d.section(s))
		return
	}
	if s, ok := legacySections[word]; ok {
		f.addSection(d, s)
		return
	}
	item, ok := fetchWords[word]
	if !ok {
		d.failAt(at, "a known fetch data item")
		return
	}
	f.Items |= item
	if item == FetchPreview {
		d.previewModifier(f)
	}
}

func (f *Fetch) addSection(d *Decoder, s Section) {
	if len(f.Sections) == MaxSections {
		d.setErr(&LimitError{What: "sections in a FETCH", Max: MaxSections})
		return
	}
	f.Sections = append(f.Sections, s)
}

// previewModifier reads " (LAZY)" behind PREVIEW. In a single item without a
// list a space may also lead to the modifiers of FETCH.
func (d *Decoder) previewModifier(f *Fetch) {
	const lazy = " (LAZY)"
	if b := d.rest(); len(b) >= len(lazy) && equalFold(string(b[:len(lazy)]), lazy) {
		d.pos += len(lazy)
		f.Items |= FetchPreviewLazy
	}
}

func (d *Decoder) fetchModifier(f *Fetch) {
	at := d.pos
	switch d.word("a fetch modifier") {
	case "CHANGEDSINCE":
		d.SP()
		f.ChangedSince = d.Number64()
	case "VANISHED":
		f.Vanished = true
	case "PARTIAL":
		d.SP()
		f.Partial = d.Partial()
	default:
		d.failAt(at, "a known fetch modifier")
	}
}

// Fetch writes what a FETCH asks for.
func (e *Encoder) Fetch(f *Fetch) {
	e.Open()
	for _, w := range fetchOrder {
		if f.Items.Has(fetchWords[w]) {
			e.Word(w)
		}
		if w == "PREVIEW" && f.Items.Has(FetchPreviewLazy) {
			e.Word("(LAZY)")
		}
	}
	for i := range f.Sections {
		e.Section(&f.Sections[i])
	}
	e.Close()
	if f.ChangedSince >= 0 || !f.Partial.IsZero() {
		e.Open()
		e.fetchModifiers(f)
		e.Close()
	}
}

func (e *Encoder) fetchModifiers(f *Fetch) {
	if f.ChangedSince >= 0 {
		e.Word("CHANGEDSINCE")
		e.Number(uint64(f.ChangedSince))
	}
	if f.Vanished {
		e.Word("VANISHED")
	}
	if !f.Partial.IsZero() {
		e.Word("PARTIAL")
		e.Partial(f.Partial)
	}
}
