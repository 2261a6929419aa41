package seal

// pageStep is the step to which pages are padded.
const pageStep = 1024

// SealPage seals what many messages of one mailbox hold in their own parts, DEKs
// among it, as the page of that number. It is as secret as they are, and the caller
// has to make it go when one of them goes.
func (k *Keys) SealPage(mailbox int64, number uint32, content []byte) []byte {
	return sealPadded(k.pages, k.page(mailbox, number), pageStep, content)
}

// OpenPage opens what SealPage sealed for the same mailbox and number. Errors:
// ErrOpen, ErrVersion.
func (k *Keys) OpenPage(mailbox int64, number uint32, part []byte) ([]byte, error) {
	return openPadded(k.pages, k.page(mailbox, number), pageStep, part)
}

func (k *Keys) page(mailbox int64, number uint32) coordinate {
	return coordinate{kind: kindPage, owner: k.owner, place: Place{Mailbox: mailbox, UID: number}}
}
