package mime

import "fmt"

// Defect tells that something in a message is not strictly right.
type Defect struct {
	Kind   DefectKind
	Offset int64 // of the first occurrence
	Count  int64
}

// String describes the defect without showing any of the message.
func (d Defect) String() string {
	return fmt.Sprintf("%v at octet %d (%d in all)", d.Kind, d.Offset, d.Count)
}

// DefectKind says what is wrong. The numbers are not stable between releases.
type DefectKind int

// What can be wrong with a message.
const (
	BareCR          DefectKind = iota // a CR that is not followed by LF
	BareLF                            // a LF that does not follow a CR
	NUL                               // an octet 0
	LongLine                          // a line of more than 998 octets
	EightBitHeader                    // an octet over 127 in a header block: lawful with SMTPUTF8 only
	BadField                          // a header line without a colon, or whose name has other than printable ASCII
	DuplicateField                    // a second From, MIME-Version or Content-* field in one header
	RepeatedField                     // a second of another field that RFC 5322, 3.6 allows once
	HeaderTooLong                     // a header block over Options.MaxHeader
	NoBlankLine                       // a delimiter inside a header block
	BadContentType                    // an unreadable Content-Type
	BadContentField                   // another unreadable Content-* field, or unreadable parameters
	DuplicateParam                    // a parameter named twice
	BadEncoding                       // an unknown transfer encoding, or one that hides the parts of a container
	BadBoundary                       // a multipart whose boundary is missing or against RFC 2046, 5.1.1
	MissingClose                      // a multipart that ends without its close delimiter
	EmptyMultipart                    // a multipart without parts
	DelimiterText                     // more than blanks behind a delimiter on its line
	NearDelimiter                     // a line that begins like a delimiter: some readers take it for one
	TooDeep                           // a container below Options.MaxDepth, left unopened
	TooManyParts                      // a delimiter beyond Options.MaxParts, taken for text
	TooMuchText                       // strings left out because the tree would grow too large
	numKinds        = iota
)

var defectTexts = [numKinds]string{
	BareCR:          "carriage return without line feed",
	BareLF:          "line feed without carriage return",
	NUL:             "NUL octet",
	LongLine:        "line longer than 998 octets",
	EightBitHeader:  "8-bit octet in a header",
	BadField:        "malformed header line",
	DuplicateField:  "duplicate From, MIME-Version or Content field",
	RepeatedField:   "repeated header field",
	HeaderTooLong:   "header block too long",
	NoBlankLine:     "header block without blank line",
	BadContentType:  "malformed Content-Type",
	BadContentField: "malformed Content field",
	DuplicateParam:  "duplicate parameter",
	BadEncoding:     "unknown or misplaced transfer encoding",
	BadBoundary:     "missing or malformed boundary",
	MissingClose:    "multipart without close delimiter",
	EmptyMultipart:  "multipart without parts",
	DelimiterText:   "text behind a delimiter",
	NearDelimiter:   "line that resembles a delimiter",
	TooDeep:         "parts nested too deep",
	TooManyParts:    "too many parts",
	TooMuchText:     "too much text in part headers",
}

// String describes the kind in a few words.
func (k DefectKind) String() string {
	if k < 0 || k >= numKinds {
		return fmt.Sprintf("defect %d", int(k))
	}
	return defectTexts[k]
}

// Has reports whether any of the kinds was found.
func (m *Message) Has(kinds ...DefectKind) bool {
	for _, d := range m.Defects {
		for _, k := range kinds {
			if d.Kind == k {
				return true
			}
		}
	}
	return false
}

// defects counts what was found, by kind.
type defects [numKinds]Defect

func (ds *defects) add(k DefectKind, offset int64) { ds.addN(k, offset, 1) }

// addN records n occurrences, the first of them at offset.
func (ds *defects) addN(k DefectKind, offset int64, n int) {
	d := &ds[k]
	if d.Count == 0 {
		d.Kind, d.Offset = k, offset
	}
	d.Count += int64(n)
}

func (ds *defects) list() []Defect {
	var list []Defect
	for _, d := range ds {
		if d.Count > 0 {
			list = append(list, d)
		}
	}
	return list
}
