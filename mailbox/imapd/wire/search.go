package wire

import (
	"slices"

	"github.com/emersion/go-imap/v2"
)

// A Search is the arguments of SEARCH.
type Search struct {
	// Extended says that RETURN was given, so that the answer is ESEARCH.
	// "RETURN ()" stands for ReturnAll.
	Extended bool
	Return   SearchReturn
	Partial  Partial
	// Charset is in upper case, and empty if none was given. Text in the keys
	// is as it came; whether it fits the charset is for the caller to judge.
	Charset string
	Key     SearchKey
}

// Search reads the arguments of SEARCH, from behind the space after the
// command's name to the end.
func (d *Decoder) Search() Search {
	var s Search
	if d.nextWord("RETURN") {
		d.SP()
		s.Extended = true
		s.Return, s.Partial = d.SearchReturn()
		d.SP()
	}
	if d.nextWord("CHARSET") {
		d.SP()
		s.Charset = intern(d.astring(charAtomic, "a charset"))
		d.SP()
	}
	s.Key = d.SearchProgram()
	if d.err != nil {
		return Search{}
	}
	return s
}

// nextWord consumes the upper-case word if it comes next, with a space behind
// it that is not consumed.
func (d *Decoder) nextWord(word string) bool {
	b := d.rest()
	if len(b) <= len(word) || b[len(word)] != ' ' || !equalFold(string(b[:len(word)]), word) {
		return false
	}
	d.pos += len(word)
	return true
}

// SearchProgram reads search keys with spaces between, to the end of the
// command: one key as it is, several as SearchAnd.
func (d *Decoder) SearchProgram() SearchKey {
	key := d.searchKey()
	if d.AtEnd() || d.err != nil {
		return key
	}
	keys := []SearchKey{key}
	for d.Special(' ') {
		keys = append(keys, d.searchKey())
	}
	return SearchKey{Op: SearchAnd, Keys: keys}
}

// searchKey reads one key: a list, a set or a word with its arguments.
func (d *Decoder) searchKey() SearchKey {
	switch c := d.Peek(); {
	case c == '(':
		return d.searchList()
	case c == '*' || c == '$' || class[c]&charDigit != 0:
		return SearchKey{Op: SearchSeq, Set: d.Set()}
	}
	at := d.pos
	word := d.word("a search key")
	w, ok := searchWords[word]
	if !ok {
		d.failAt(at, "a known search key")
		return SearchKey{}
	}
	k := SearchKey{Op: w.op, Flag: w.flag, Field: w.field}
	if w.op == SearchAnd {
		k.Keys = searchNew()
	}
	if w.arg != argNone {
		d.SP()
		d.searchArg(&k, w.arg)
	}
	return k
}

func (d *Decoder) searchList() SearchKey {
	var keys []SearchKey
	d.List(func() { keys = append(keys, d.searchKey()) })
	switch len(keys) {
	case 0:
		d.fail("a search key")
		return SearchKey{}
	case 1:
		return keys[0]
	}
	return SearchKey{Op: SearchAnd, Keys: keys}
}

// searchArg reads the argument of a key; the switch is a flat table.
func (d *Decoder) searchArg(k *SearchKey, arg searchArg) {
	switch arg {
	case argText:
		k.Text = d.Astring()
	case argField:
		k.Field = d.Astring()
		d.SP()
		k.Text = d.Astring()
	case argDate:
		k.Date = d.Date()
	case argNumber:
		k.Number = d.Number64()
	case argNz:
		k.Number = int64(d.NzNumber())
	case argKeyword:
		k.Flag = imap.Flag(d.Atom())
	case argUIDs:
		k.Set = d.Set()
	case argModSeq:
		d.modSeqArg(k)
	case argObject:
		k.Text = d.Atom()
	case argKey:
		k.Keys = d.subKeys(1)
	case argTwoKeys:
		k.Keys = d.subKeys(2)
	}
}

// entryKinds are what a mod-sequence can be of: as there is one for all flags of a
// message, they make no difference.
var entryKinds = []string{"PRIV", "SHARED", "ALL"}

// modSeqArg reads the entry with its kind, which may be missing, and the
// mod-sequence (RFC 7162, 3.1.5).
func (d *Decoder) modSeqArg(k *SearchKey) {
	if d.Peek() == '"' {
		k.Field = d.String()
		d.SP()
		at := d.pos
		if k.Text = d.Keyword(); !slices.Contains(entryKinds, k.Text) {
			d.failAt(at, "priv, shared or all")
		}
		d.SP()
	}
	k.Number = d.Number64()
}

// subKeys reads n keys with spaces between, one level deeper.
func (d *Decoder) subKeys(n int) []SearchKey {
	d.enter()
	keys := make([]SearchKey, 0, n)
	for i := 0; i < n && d.err == nil; i++ {
		if i > 0 {
			d.SP()
		}
		keys = append(keys, d.searchKey())
	}
	d.depth--
	return keys
}

// Search writes the arguments of SEARCH.
func (e *Encoder) Search(s *Search) {
	if s.Extended {
		e.Word("RETURN")
		e.SearchReturn(s.Return, s.Partial)
	}
	if s.Charset != "" {
		e.Word("CHARSET")
		e.Astring(s.Charset)
	}
	e.SearchKey(&s.Key)
}

// SearchKey writes a search key. Several keys are written in parentheses.
func (e *Encoder) SearchKey(k *SearchKey) {
	switch k.Op {
	case SearchAnd:
		e.searchList(k.Keys)
	case SearchSeq:
		e.Set(k.Set)
	case SearchFlag, SearchUnflag:
		e.searchFlag(k)
	case SearchHeader:
		e.searchHeader(k)
	default:
		name := searchNames[k.Op]
		e.Word(name)
		e.searchArg(k, searchWords[name].arg)
	}
}

func (e *Encoder) searchList(keys []SearchKey) {
	if len(keys) == 0 {
		e.fail("a list of search keys is empty")
	}
	e.Open()
	for i := range keys {
		e.SearchKey(&keys[i])
	}
	e.Close()
}

func (e *Encoder) searchFlag(k *SearchKey) {
	for _, prefix := range [...]string{"", "UN"} {
		for _, f := range systemFlags {
			name := prefix + upperName(f)
			if w := searchWords[name]; f == k.Flag && w.op == k.Op && w.flag == f {
				e.Word(name)
				return
			}
		}
	}
	switch {
	case k.Flag == FlagRecent:
		e.Word("OLD")
	case k.Op == SearchFlag:
		e.Word("KEYWORD")
		e.Atom(string(k.Flag))
	default:
		e.Word("UNKEYWORD")
		e.Atom(string(k.Flag))
	}
}

// upperName returns the name of a system flag as SEARCH spells it.
func upperName(f imap.Flag) string { return intern([]byte(f[1:])) }

func (e *Encoder) searchHeader(k *SearchKey) {
	if w, ok := searchWords[k.Field]; ok && w.field == k.Field && w.op == SearchHeader {
		e.Word(k.Field)
	} else {
		e.Word("HEADER")
		e.Astring(k.Field)
	}
	e.Astring(k.Text)
}

func (e *Encoder) searchArg(k *SearchKey, arg searchArg) {
	switch arg {
	case argText:
		e.Astring(k.Text)
	case argDate:
		e.Date(k.Date)
	case argNumber, argNz:
		e.Number(uint64(k.Number))
	case argUIDs:
		e.Set(k.Set)
	case argModSeq:
		if k.Field != "" {
			e.String(k.Field)
			e.Atom(k.Text)
		}
		e.Number(uint64(k.Number))
	case argObject:
		e.Atom(k.Text)
	case argKey, argTwoKeys:
		for i := range k.Keys {
			e.SearchKey(&k.Keys[i])
		}
	}
}
