package wire

import "github.com/emersion/go-imap/v2"

// systemFlags are compared without regard to case and kept as the standards
// spell them.
var systemFlags = []imap.Flag{
	imap.FlagSeen, imap.FlagAnswered, imap.FlagFlagged, imap.FlagDeleted, imap.FlagDraft,
	FlagRecent,
}

// FlagRecent is the session flag of IMAP4rev1, which go-imap does not name.
const FlagRecent imap.Flag = `\Recent`

// Flag reads one flag or keyword. System flags come in their usual spelling.
// The flag "\*" is read only from a server.
func (d *Decoder) Flag() imap.Flag {
	if !d.Special('\\') {
		return canonicalFlag(d.take(charAtom, "a flag"), 0)
	}
	if d.r.opt.Responses && d.Special('*') {
		return imap.FlagWildcard
	}
	return canonicalFlag(d.take(charAtom, "the name of a flag"), '\\')
}

func canonicalFlag(name []byte, first byte) imap.Flag {
	if first == 0 || len(name) == 0 {
		return imap.Flag(name)
	}
	for _, f := range systemFlags {
		if len(f) == len(name)+1 && foldsTo(name, string(f[1:])) {
			return f
		}
	}
	return imap.Flag("\\" + string(name))
}

// foldsTo compares without regard to ASCII case.
func foldsTo(b []byte, s string) bool {
	for i := range b {
		if upper(b[i]) != upper(s[i]) {
			return false
		}
	}
	return true
}

// Flags reads a parenthesised list of flags, which may be empty.
func (d *Decoder) Flags() []imap.Flag {
	flags := []imap.Flag{}
	d.List(func() { flags = append(flags, d.Flag()) })
	return flags
}

// StoreFlags reads the flags of STORE, in parentheses or without.
func (d *Decoder) StoreFlags() []imap.Flag {
	if d.Peek() == '(' {
		return d.Flags()
	}
	flags := []imap.Flag{d.Flag()}
	for d.Special(' ') {
		flags = append(flags, d.Flag())
	}
	return flags
}

// Flag writes a flag, a keyword or a mailbox attribute. One that is no atom
// cannot be written.
func (e *Encoder) Flag(f imap.Flag) {
	if !validFlag(string(f)) {
		e.fail("a flag is not an atom")
		return
	}
	e.Word(string(f))
}

// ValidFlag reports whether f can go on the wire: an atom, or "\" and an atom.
func ValidFlag(f imap.Flag) bool { return f != imap.FlagWildcard && validFlag(string(f)) }

func validFlag(f string) bool {
	if len(f) > 0 && f[0] == '\\' {
		f = f[1:]
		if f == "*" {
			return true
		}
	}
	return all(f, charAtom)
}

// Flags writes a parenthesised list of flags.
func (e *Encoder) Flags(flags []imap.Flag) {
	e.Open()
	for _, f := range flags {
		e.Flag(f)
	}
	e.Close()
}
