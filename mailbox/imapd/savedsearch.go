package imapd

import "github.com/restante/restante/mailbox"

// savedSearch is what "$" stands for: the messages that the last SEARCH RETURN
// (SAVE) found (RFC 9051, 6.4.4.1). The zero value is the empty one, as it is
// after SELECT.
//
// A message that is expunged goes out of it by itself (RFC 5182, 2.1): UIDs are
// never given twice, so that whoever looks for the UID finds nothing.
type savedSearch struct{ set []mailbox.UIDRange }

// ranges returns the UIDs; they are shared and must not be changed.
func (s savedSearch) ranges() []mailbox.UIDRange { return s.set }
