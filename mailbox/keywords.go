package mailbox

import "context"

// KeywordNames lists the keywords of the account's dictionary, each spelled as it
// was first.
func (x *Session) KeywordNames(ctx context.Context) ([]string, error) { panic("soon") }

// FlagsOf returns the flags of keywords, which are told apart without regard to
// case, and adds those that are new to the dictionary. The error is ErrLimit
// when that is full, ErrName for a word that can't be a keyword.
func (x *Session) FlagsOf(ctx context.Context, keywords []string) (Flags, error) { panic("soon") }

// Names returns the names of the keywords among f, in order of their bits. It
// reads no store: Open, Refresh and FlagsOf keep the dictionary fresh.
func (x *Session) Names(f Flags) []string { panic("soon") }
