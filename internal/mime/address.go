package mime

import "strings"

// maxAddresses bounds one list. The rest is dropped; real lists of more come by Bcc.
const maxAddresses = 2000

// ParseAddressList reads an address-list (RFC 5322, 3.4, with the obsolete forms of 4.4) from an unfolded value. It
// takes whatever is there: an address it cannot make sense of comes with its text in Name or Mailbox and the constants
// for what is missing. It reads at most 2,000 entries, and never fails.
func ParseAddressList(s string) []Address {
	p := addressParser{scanner: scanner{s: s}}
	for p.more() && len(p.out) < maxAddresses {
		p.next()
	}
	p.flush()
	if p.inGroup {
		p.out = append(p.out, Address{})
	}
	return p.out
}

// addressParser collects one address at a time; flush completes it.
type addressParser struct {
	scanner
	out     []Address
	inGroup bool

	words   []string // of the phrase, or the local part as long as no @ has come
	comment string
	address bool // mailbox and host are set
	angled  bool // from angle brackets
	mailbox string
	host    string
	route   string
}

// next reads one lexical element and acts on it.
func (p *addressParser) next() {
	if c := p.skipCFWS(); p.comment == "" {
		p.comment = c
	}
	if !p.more() {
		return
	}
	switch c := p.s[p.i]; c {
	case ',':
		p.i++
		p.flush()
	case ';':
		p.i++
		p.endGroup()
	case ':':
		p.i++
		p.beginGroup()
	case '<':
		p.i++
		p.angle()
	case '@':
		p.i++
		p.bare()
	case '"':
		word, _ := p.quoted()
		p.words = append(p.words, word)
	case '>', ')':
		p.i++ // a stray bracket means nothing
	default:
		p.words = append(p.words, p.atom())
	}
}

// atom reads up to the next special or blank, at least one octet. Dots, square brackets and backslashes are taken in:
// display names have them.
func (p *addressParser) atom() string {
	start := p.i
	for p.i++; p.more() && strings.IndexByte("()<>@,;:\" \t", p.s[p.i]) < 0; p.i++ {
	}
	return p.s[start:p.i]
}

// angle reads what stands in angle brackets. An address before it without a comma ends if it had brackets too, and is
// a display name if not.
func (p *addressParser) angle() {
	switch {
	case p.angled:
		p.flush()
	case p.address:
		p.words = append([]string{p.mailbox + "@" + p.host}, p.words...)
		p.mailbox, p.host = "", ""
	}
	p.readRoute()
	var local glue
	for p.skipCFWS(); p.more(); p.skipCFWS() {
		c := p.s[p.i]
		if c == '>' || c == '@' || c == '<' || c == ',' {
			break
		}
		if c == '"' {
			word, _ := p.quoted()
			local.add(word)
			continue
		}
		local.add(p.atom())
	}
	p.mailbox = local.String()
	if p.skip('@') {
		p.host = p.domain()
	}
	p.address, p.angled = true, true
	p.skipCFWS()
	p.skip('>')
}

// readRoute reads an obsolete source route (RFC 5322, 4.4).
func (p *addressParser) readRoute() {
	p.skipCFWS()
	if !p.more() || p.s[p.i] != '@' {
		return
	}
	if n := strings.IndexAny(p.s[p.i:], ":<>\""); n >= 0 && p.s[p.i+n] == ':' {
		p.route = strings.TrimRight(p.s[p.i:p.i+n], " \t")
		p.i += n + 1
	}
}

// bare reads the domain of an address without angle brackets: the last word was its local part.
func (p *addressParser) bare() {
	local := p.popLocal()
	if p.address {
		p.flush()
	}
	p.mailbox, p.host, p.address = local, p.domain(), true
}

// popLocal takes the local part off the words: the last one, with those that dots join to it.
func (p *addressParser) popLocal() string {
	n := len(p.words)
	if n == 0 {
		return ""
	}
	i := n - 1
	for i > 0 && (strings.HasPrefix(p.words[i], ".") || strings.HasSuffix(p.words[i-1], ".")) {
		i--
	}
	local := strings.Join(p.words[i:], "")
	p.words = p.words[:i]
	return local
}

// domain reads a domain or an address literal, without the blanks and comments that obsolete forms have around dots.
func (p *addressParser) domain() string {
	var d glue
	for {
		if c := p.skipCFWS(); p.comment == "" {
			p.comment = c
		}
		if !p.more() || strings.IndexByte("<>@,;:\"()", p.s[p.i]) >= 0 {
			return d.String()
		}
		if !d.open() && p.s[p.i] != '.' {
			return d.String() // the next word belongs to something else
		}
		if p.s[p.i] == '[' {
			d.add(p.literal())
			continue
		}
		d.add(p.atom())
	}
}

// glue joins pieces, and makes no copy as long as there is only one.
type glue struct {
	first string
	all   []byte
}

func (g *glue) add(s string) {
	if g.first == "" {
		g.first = s
		return
	}
	if g.all == nil {
		g.all = append(g.all, g.first...)
	}
	g.all = append(g.all, s...)
}

// open reports whether the text is empty or ends in a dot, so that more of a domain must follow.
func (g *glue) open() bool {
	if g.all != nil {
		return g.all[len(g.all)-1] == '.'
	}
	return g.first == "" || g.first[len(g.first)-1] == '.'
}

func (g *glue) String() string {
	if g.all != nil {
		return string(g.all)
	}
	return g.first
}

// literal reads an address literal with its brackets.
func (p *addressParser) literal() string {
	n := strings.IndexAny(p.s[p.i:], "]<>@,\"")
	if n < 0 || p.s[p.i+n] != ']' {
		return p.atom()
	}
	p.i += n + 1
	return p.s[p.i-n-1 : p.i]
}

// beginGroup makes the words before a colon the name of a group. Groups cannot be nested: there a colon is text.
func (p *addressParser) beginGroup() {
	if p.inGroup || p.address {
		p.words = append(p.words, ":")
		return
	}
	name := strings.Join(p.words, " ")
	if name == "" {
		name = MissingMailbox
	}
	p.out = append(p.out, Address{Mailbox: name})
	p.words, p.comment, p.inGroup = p.words[:0], "", true
}

// endGroup acts on a semicolon. Outside a group some programs write it for a comma.
func (p *addressParser) endGroup() {
	p.flush()
	if p.inGroup {
		p.out = append(p.out, Address{})
		p.inGroup = false
	}
}

// flush completes the address collected so far, if there is any.
func (p *addressParser) flush() {
	a := Address{Name: strings.Join(p.words, " "), Mailbox: p.mailbox, Host: p.host, Route: p.route}
	switch {
	case p.address:
	case len(p.words) == 1:
		a.Name, a.Mailbox = "", a.Name
	case len(p.words) == 0:
		p.comment = ""
		return
	}
	if a.Name == "" {
		a.Name = p.comment
	}
	if a.Mailbox == "" {
		a.Mailbox = MissingMailbox
	}
	if a.Host == "" {
		a.Host = MissingHost
	}
	p.out = append(p.out, a)
	*p = addressParser{scanner: p.scanner, out: p.out, inGroup: p.inGroup, words: p.words[:0]}
}
