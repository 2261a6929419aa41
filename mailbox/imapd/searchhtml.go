package imapd

import (
	"io"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// maxHTMLToken is the longest run of text, or tag, of HTML that is read. What comes after
// a longer one is searched as it is written only.
const maxHTMLToken = 1 << 20

// visible reads the text of HTML that a person sees: a word is found though a tag or
// a character reference stands in the midst of it. Text of different blocks is kept apart.
type visible struct {
	z      *html.Tokenizer
	hidden atom.Atom // the element whose text is not shown, 0 if it is
	rest   []byte    // not read yet
	err    error
}

func newVisible(r io.Reader) io.Reader {
	z := html.NewTokenizer(r)
	z.SetMaxBuf(maxHTMLToken)
	return &visible{z: z}
}

// Read implements io.Reader.
func (v *visible) Read(p []byte) (int, error) {
	for len(v.rest) == 0 {
		if v.err != nil {
			return 0, v.err
		}
		v.next()
	}
	n := copy(p, v.rest)
	v.rest = v.rest[n:]
	return n, nil
}

// next reads one token.
func (v *visible) next() {
	switch v.z.Next() {
	case html.ErrorToken:
		if v.err = v.z.Err(); v.err == html.ErrBufferExceeded {
			v.err = io.EOF
		}
	case html.TextToken:
		if v.hidden == 0 {
			v.rest = v.z.Text()
		}
	case html.StartTagToken:
		v.start()
	case html.SelfClosingTagToken:
		v.separate(v.tag())
	case html.EndTagToken:
		v.end()
	}
}

func (v *visible) tag() atom.Atom {
	name, _ := v.z.TagName()
	return atom.Lookup(name)
}

func (v *visible) start() {
	tag := v.tag()
	if tag == atom.Script || tag == atom.Style {
		v.hidden = tag
	}
	v.separate(tag)
}

func (v *visible) end() {
	tag := v.tag()
	if tag == v.hidden {
		v.hidden = 0
	}
	v.separate(tag)
}

// separate ends a line unless the tag is one of those within a line.
func (v *visible) separate(tag atom.Atom) {
	if !inline[tag] {
		v.rest = newline
	}
}

var newline = []byte("\n")

// inline are the elements that do not break a word.
var inline = makeInline("a abbr acronym b bdi bdo big cite code del dfn em font i ins kbd mark nobr q s samp small span strike strong sub sup tt u var wbr")

func makeInline(names string) map[atom.Atom]bool {
	set := map[atom.Atom]bool{}
	for name := range strings.FieldsSeq(names) {
		set[atom.Lookup([]byte(name))] = true
	}
	return set
}
